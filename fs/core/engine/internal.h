/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's struct, for the files of core/engine and core/views. */
#ifndef SF_CORE_ENGINE_INTERNAL_H
#define SF_CORE_ENGINE_INTERNAL_H

#include "engine.h"

#include "core/state/health.h"
#include "core/state/jobs.h"
#include "core/state/schedules.h"
#include "core/state/state.h"

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_engine_vm;
struct sf_keeper;
struct sf_leases;
struct sf_sharing;
struct sf_watchers;

struct sf_engine {
	struct sf_state *state;
	const struct sf_config *config;
	struct sf_storages *storages;
	struct sf_hypervisor *hv;
	struct sf_catalog *catalog;
	struct sf_health *health;
	struct sf_jobs *jobs;
	struct sf_runs *runs;
	struct sf_leases *leases;
	struct sf_keeper *keeper;
	struct sf_watchers *watchers; /* NULL: no storage needs watching */

	pthread_mutex_t lock; /* guards all members below; taken before every other lock */
	struct sf_engine_vm **vms;
	size_t nvms;
	/* Broadcast when an operation ends or the keeper has work. Uses CLOCK_MONOTONIC. */
	pthread_cond_t changed;
	uint64_t nchanges;          /* number of these broadcasts */
	bool starting;              /* recovery at start is in progress */
	bool disks_changed;         /* the keeper is to look for shared disks */
	struct sf_sharing *sharing; /* NULL before the keeper has looked */
	bool refreshing;
	bool listed; /* the last query of the hypervisor succeeded */
	struct sf_err list_error;
	uint64_t refreshed_ms;
	struct sf_err last_error;
	uint64_t last_error_ns;
};

#endif

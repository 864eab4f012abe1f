/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sim guest with two disks in memory, shared by the drivers that test hypervisors. */
#ifndef SF_TESTS_CONTRACT_SIM_GROUND_H
#define SF_TESTS_CONTRACT_SIM_GROUND_H

#include "core/contract/backend.h"
#include "core/config/config.h"
#include "suite.h"

#define SIM_DISKS 2
#define SIM_CAPS                                                                                             \
	(SF_HYPERVISOR_PAUSE | SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL | SF_HYPERVISOR_QUIESCE |        \
	 SF_HYPERVISOR_MEMORY_PAUSED)

struct sim_ground {
	struct sf_disk disks[SIM_DISKS];
	struct sf_vm_config vm;
	struct sf_config config;
	struct sf_storages storages;
	struct sf_backend_env env;
	struct sf_object kept[SIM_DISKS];
	char origins[SIM_DISKS][SF_ORIGIN_MAX]; /* origins of the two disks */
	struct sf_hypervisor *sim;
	void *more; /* the driver's own data */
};

/* Opens a sim that ticks only on request. */
struct sim_ground *sim_ground_new(void);
/* The hypervisor must be closed first. */
void sim_ground_free(struct sim_ground *ground);

/* Callbacks for struct contract_hypervisor. */
uint64_t sim_ground_progress(void *ground);
void sim_ground_let_run(void *ground);
void sim_ground_keep_disks(void *ground);
void sim_ground_return_disks(void *ground);

#endif

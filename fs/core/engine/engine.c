/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens and closes the engine. */
#include "engine.h"

#include "internal.h"
#include "keeper.h"
#include "lease.h"
#include "recover.h"
#include "sharing.h"
#include "vms.h"
#include "watchers.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

struct sf_catalog *sf_engine_catalog(struct sf_engine *engine)
{
	return engine->catalog;
}

struct sf_runs *sf_engine_runs(struct sf_engine *engine)
{
	return engine->runs;
}

static int open_parts(struct sf_engine *engine, struct sf_state *state, struct sf_err *err)
{
	int rc;

	if (sf_catalog_new(&engine->catalog) < 0 || sf_health_new(&engine->health) < 0 ||
	    sf_jobs_new(&engine->jobs) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_runs_new(sf_state_fd(state), engine->health, &engine->runs, err);
	if (rc == 0)
		rc = sf_leases_new(engine->hv, engine->health, &engine->leases, err);
	return rc < 0 ? rc : sf_keeper_new(engine, err);
}

/* From here on the keeper retries what recovery could not settle. */
static void end_start(struct sf_engine *engine)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	engine->starting = false;
	engine->nchanges++;
	pthread_cond_broadcast(&engine->changed);
}

/* A failure is not fatal: the storages work unwatched, and health.json says so. */
static void start_watching(struct sf_engine *engine)
{
	struct sf_err err = {0};

	if (sf_watchers_new(engine, &err) < 0)
		sf_health_set(engine->health, "watch", "storages", "%s", err.text);
}

int sf_engine_open(struct sf_engine **ret, struct sf_state *state, const struct sf_config *config,
		   struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_err *err)
{
	struct sf_engine *engine = calloc(1, sizeof(*engine));
	int rc;

	if (!engine)
		return sf_fail(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&engine->lock, NULL);
	sf_clock_cond_init(&engine->changed);
	engine->starting = true; /* before the keeper looks */
	engine->config = config;
	engine->storages = storages;
	engine->hv = hv;
	rc = open_parts(engine, state, err);
	if (rc < 0) {
		sf_engine_close(engine);
		return rc;
	}
	engine->state = state;
	sf_engine_list(engine);
	sf_recover_all(engine);
	sf_runs_settle(engine->runs);
	end_start(engine);
	start_watching(engine);
	*ret = engine;
	return 0;
}

void sf_engine_close(struct sf_engine *engine)
{
	if (!engine)
		return;
	sf_watchers_free(engine->watchers);
	sf_keeper_free(engine->keeper);
	sf_sharing_free(engine->sharing);
	sf_leases_free(engine->leases);
	sf_runs_free(engine->runs);
	sf_jobs_free(engine->jobs);
	sf_health_free(engine->health);
	sf_catalog_free(engine->catalog);
	for (size_t i = 0; i < engine->nvms; i++) {
		sf_vm_desc_fini(&engine->vms[i]->desc);
		free(engine->vms[i]);
	}
	free(engine->vms);
	sf_state_close(engine->state);
	pthread_cond_destroy(&engine->changed);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

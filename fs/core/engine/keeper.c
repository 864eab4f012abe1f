/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: a thread for work that no user waits for. It removes the storage of deleted snapshots after
 * their last reader, retries what was left half done on a VM until that is settled, and looks for disks that
 * VMs share. It takes a VM's exclusion like any operation. Users' operations wait for the keeper; the keeper
 * skips busy VMs.
 */
#include "keeper.h"

#include "delete.h"
#include "engine.h"
#include "internal.h"
#include "operation.h"
#include "recover.h"
#include "sharing.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Interval between attempts on an unsettled VM: each may call a slow toolstack. */
#define RETRY_S 5

struct sf_keeper {
	struct sf_engine *engine;
	pthread_t thread;
	/* The engine's lock guards the members below, and its condition announces their changes. */
	uint64_t *queue; /* ids of hidden snapshots */
	size_t n;
	uint64_t seen; /* engine->nchanges when work was last taken */
	bool stopping;
};

/* --- deleted snapshots --- */

/* Returns false if the VM is busy. */
static bool reap(struct sf_engine *engine, uint64_t id)
{
	struct sf_snapshot *snapshot;
	struct sf_vm_op op = {0};
	struct sf_err err = {0};
	int rc;

	if (sf_catalog_snapshot_by_id(engine->catalog, id, &snapshot) < 0)
		return true;
	rc = sf_op_enter(engine, sf_engine_vm_by_id(engine, snapshot->vm_id), true, &op, &err);
	if (rc == 0) {
		rc = sf_reap_snapshot(&op, snapshot, &err);
		if (rc < 0)
			sf_log(SF_LOG_ERROR, "%s: deleted snapshot '%s': %s", op.name, snapshot->record.name,
			       err.text);
		else
			sf_log(SF_LOG_INFO, "%s/%s: storage removed after its last reader", op.name,
			       snapshot->record.name);
		sf_op_leave(&op);
		rc = 0;
	}
	sf_snapshot_unref(snapshot);
	return rc == 0;
}

/* Call with the engine's lock held. When out of memory, does nothing: the next start finds the snapshot. */
static void enqueue(struct sf_keeper *keeper, uint64_t id)
{
	uint64_t *queue = realloc(keeper->queue, (keeper->n + 1) * sizeof(*queue));

	if (!queue)
		return;
	keeper->queue = queue;
	queue[keeper->n++] = id;
}

/* Takes the queued ids. */
static uint64_t *take_queue(struct sf_keeper *keeper, size_t *ret_n)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&keeper->engine->lock);
	uint64_t *queue = sf_take_ptr(&keeper->queue);

	*ret_n = keeper->n;
	keeper->n = 0;
	keeper->seen = keeper->engine->nchanges;
	return queue;
}

static void reap_queue(struct sf_keeper *keeper)
{
	size_t n;
	auto_free uint64_t *queue = take_queue(keeper, &n);

	for (size_t i = 0; i < n; i++) {
		if (reap(keeper->engine, queue[i]))
			continue;
		auto_unlock pthread_mutex_t *held = sf_lock(&keeper->engine->lock);
		enqueue(keeper, queue[i]); /* the end of the running operation wakes the keeper */
	}
}

/* --- unsettled VMs --- */

static struct sf_engine_vm *unsettled_vm(struct sf_engine *engine, size_t *at)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	while (*at < engine->nvms) {
		struct sf_engine_vm *vm = engine->vms[(*at)++];

		if (vm->unsettled && !vm->busy)
			return vm;
	}
	return NULL;
}

static void settle_all(struct sf_engine *engine)
{
	struct sf_engine_vm *vm;
	size_t at = 0;

	sf_engine_refresh(engine);
	while ((vm = unsettled_vm(engine, &at))) {
		struct sf_vm_op op = {0};
		struct sf_err err = {0};

		if (sf_op_enter(engine, vm, true, &op, &err) < 0)
			continue;
		(void)sf_op_settle(&op, &err); /* reported in health.json, retried later */
		sf_op_leave(&op);
	}
}

/* --- the thread --- */

/* Call with the engine's lock held. */
static bool any_unsettled(const struct sf_engine *engine)
{
	/* Recovery at start settles VMs itself, while the list of them still grows. */
	if (engine->starting)
		return false;
	for (size_t i = 0; i < engine->nvms; i++)
		if (engine->vms[i]->unsettled)
			return true;
	return false;
}

/* Waits for a change or, while a VM is unsettled, at most RETRY_S. Returns false when it is time to stop. */
static bool wait_for_work(struct sf_keeper *keeper, bool *ret_unsettled)
{
	struct sf_engine *engine = keeper->engine;
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	bool unsettled = any_unsettled(engine);
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	while (keeper->seen == engine->nchanges && !keeper->stopping && rc == 0)
		rc = unsettled ? pthread_cond_timedwait(&engine->changed, &engine->lock, &until)
			       : pthread_cond_wait(&engine->changed, &engine->lock);
	*ret_unsettled = any_unsettled(engine);
	return keeper->n > 0 || !keeper->stopping;
}

static void look_for_shared_disks(struct sf_engine *engine)
{
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		if (engine->starting || !engine->disks_changed)
			return;
		engine->disks_changed = false;
	}
	if (sf_sharing_update(engine) < 0) {
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		engine->disks_changed = true; /* once more, after the next operation */
	}
}

static void *run(void *arg)
{
	struct sf_keeper *keeper = arg;
	uint64_t tried_ms = sf_clock_mono_ms();
	bool unsettled;

	while (wait_for_work(keeper, &unsettled)) {
		reap_queue(keeper);
		look_for_shared_disks(keeper->engine);
		if (sf_clock_mono_ms() - tried_ms < RETRY_S * 1000 || !unsettled)
			continue;
		settle_all(keeper->engine);
		tried_ms = sf_clock_mono_ms();
	}
	return NULL;
}

int sf_keeper_new(struct sf_engine *engine, struct sf_err *err)
{
	struct sf_keeper *keeper = calloc(1, sizeof(*keeper));
	int rc;

	if (!keeper)
		return sf_fail(err, -ENOMEM, "out of memory");
	keeper->engine = engine;
	engine->keeper = keeper;
	rc = pthread_create(&keeper->thread, NULL, run, keeper);
	if (rc != 0) {
		engine->keeper = NULL;
		free(keeper);
		return sf_fail(err, -rc, "start the keeper: %s", strerror(rc));
	}
	return 0;
}

void sf_keeper_free(struct sf_keeper *keeper)
{
	struct sf_engine *engine;

	if (!keeper)
		return;
	engine = keeper->engine;
	pthread_mutex_lock(&engine->lock);
	keeper->stopping = true;
	pthread_cond_broadcast(&engine->changed);
	pthread_mutex_unlock(&engine->lock);
	pthread_join(keeper->thread, NULL);
	free(keeper->queue);
	free(keeper);
}

void sf_keeper_push(struct sf_engine *engine, uint64_t snapshot_id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	enqueue(engine->keeper, snapshot_id);
	engine->nchanges++;
	pthread_cond_broadcast(&engine->changed);
}

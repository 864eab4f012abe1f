/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: one thread for what no user waits for. It removes the storage of deleted snapshots after their
 * last reader, and tries again what was left half-done on a VM, until it is settled. It takes a VM's
 * exclusion like any operation; users' operations wait for it, it passes over VMs that are busy.
 */
#include "internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between two attempts at an unsettled VM: each may ask a slow toolstack. */
#define RETRY_S 5

struct sf_keeper {
	struct sf_engine *engine;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows; a leaf */
	pthread_cond_t changed;
	uint64_t *queue; /* ids of hidden snapshots */
	size_t n;
	bool woken;
	bool stopping;
};

/* --- deleted snapshots --- */

/* False when its VM is busy. */
static bool reap(struct sf_engine *engine, uint64_t id)
{
	struct sf_snapshot *snapshot;
	struct sf_vm_op op;
	struct sf_err err = {0};
	int rc;

	if (sf_catalog_snapshot_by_id(engine->catalog, id, &snapshot) < 0)
		return true;
	rc = sf_op_enter(engine, sf_engine_vm_by_id(engine, snapshot->vm_id), &op, &err);
	if (rc == 0) {
		rc = sf_reap_snapshot(&op, snapshot, &err);
		if (rc < 0)
			sf_log(SF_LOG_ERROR, "%s: deleted snapshot '%s': %s", op.name, snapshot->record.name,
			       err.text);
		else
			sf_log(SF_LOG_INFO, "%s/%s: its last reader is gone, and so is its storage", op.name,
			       snapshot->record.name);
		sf_op_leave(&op);
		rc = 0;
	}
	sf_snapshot_unref(snapshot);
	return rc == 0;
}

/* Out of memory: the next start finds the snapshot. */
static void enqueue(struct sf_keeper *keeper, uint64_t id, bool wake)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&keeper->lock);
	uint64_t *queue = realloc(keeper->queue, (keeper->n + 1) * sizeof(*queue));

	if (!queue)
		return;
	keeper->queue = queue;
	queue[keeper->n++] = id;
	keeper->woken = keeper->woken || wake;
	pthread_cond_signal(&keeper->changed);
}

/* The ids that were waiting, taken out. */
static uint64_t *take_queue(struct sf_keeper *keeper, size_t *ret_n)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&keeper->lock);
	uint64_t *queue = sf_take_ptr(&keeper->queue);

	*ret_n = keeper->n;
	keeper->n = 0;
	keeper->woken = false;
	return queue;
}

static void reap_queue(struct sf_keeper *keeper)
{
	size_t n;
	auto_free uint64_t *queue = take_queue(keeper, &n);

	for (size_t i = 0; i < n; i++)
		if (!reap(keeper->engine, queue[i]))
			enqueue(keeper, queue[i], false); /* the end of the operation on its VM wakes us */
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
		struct sf_vm_op op;
		struct sf_err err = {0};

		if (sf_op_enter(engine, vm, &op, &err) < 0)
			continue;
		(void)sf_op_settle(&op, &err); /* reported in health.json, tried again */
		sf_op_leave(&op);
	}
}

static bool any_unsettled(struct sf_engine *engine)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	for (size_t i = 0; i < engine->nvms; i++)
		if (engine->vms[i]->unsettled)
			return true;
	return false;
}

/* --- the thread --- */

/* Waits until there may be something to do; false when it is time to end. */
static bool wait_for_work(struct sf_keeper *keeper)
{
	bool unsettled = any_unsettled(keeper->engine);
	auto_unlock pthread_mutex_t *held = sf_lock(&keeper->lock);
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	while (!keeper->woken && !keeper->stopping && rc == 0)
		rc = unsettled ? pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until)
			       : pthread_cond_wait(&keeper->changed, &keeper->lock);
	return keeper->n > 0 || !keeper->stopping;
}

static void *run(void *arg)
{
	struct sf_keeper *keeper = arg;
	uint64_t tried_ms = sf_clock_mono_ms();

	while (wait_for_work(keeper)) {
		reap_queue(keeper);
		if (sf_clock_mono_ms() - tried_ms < RETRY_S * 1000 || !any_unsettled(keeper->engine))
			continue;
		settle_all(keeper->engine);
		tried_ms = sf_clock_mono_ms();
	}
	return NULL;
}

int sf_keeper_new(struct sf_engine *engine, struct sf_err *err)
{
	struct sf_keeper *keeper = calloc(1, sizeof(*keeper));
	pthread_condattr_t attr;
	int rc;

	if (!keeper)
		return sf_fail(err, -ENOMEM, "out of memory");
	keeper->engine = engine;
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->changed, &attr);
	pthread_condattr_destroy(&attr);
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
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->stopping = true;
	pthread_cond_signal(&keeper->changed);
	pthread_mutex_unlock(&keeper->lock);
	pthread_join(keeper->thread, NULL);
	pthread_cond_destroy(&keeper->changed);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper->queue);
	free(keeper);
}

void sf_keeper_push(struct sf_engine *engine, uint64_t snapshot_id)
{
	enqueue(engine->keeper, snapshot_id, true);
}

void sf_keeper_wake(struct sf_engine *engine)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->keeper->lock);

	engine->keeper->woken = true;
	pthread_cond_signal(&engine->keeper->changed);
}

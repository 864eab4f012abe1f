/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches the storage: extends COW stores before they overflow, reports how full pools are, and deactivates
 * thin snapshots without readers. Device-mapper's events wake it. A store that fills up raises none before it
 * is lost, so the watch also looks whenever the wait times out.
 */
#include "watch.h"

#include "base/err.h"
#include "base/log.h"
#include "core/config/config.h"
#include "cow.h"
#include "device.h"
#include "internal.h"
#include "pool.h"
#include "report.h"
#include "thin_exchange.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct round {
	struct sf_lvm_storage *storage;
	const struct sf_lvm_config *config;
	sf_usage_fn *fn;
	void *arg;
};

static unsigned percent(uint64_t used, uint64_t total)
{
	return total ? (unsigned)((long double)used * 100 / (long double)total) : 100;
}

static void say(struct sf_usage *usage, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct sf_usage *usage, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(usage->problem, sizeof(usage->problem), fmt, args); /* truncation is acceptable */
	va_end(args);
}

/* --- pools --- */

static bool has_snapshots(struct sf_lvm *lvm, const struct sf_lvm_report *report, const struct sf_lv *pool)
{
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->lvs[i].pool, pool->name) == 0 &&
		    sf_lvm_is_ours(&lvm->state_id, &report->lvs[i]))
			return true;
	return false;
}

static void warn_of_pool(struct sf_usage *usage, const struct sf_dm_pool *st, uint64_t warn_at)
{
	unsigned full = percent(usage->used_bytes, usage->total_bytes);

	if (st->mode == SF_DM_POOL_FAILED)
		say(usage, "the pool has failed: lvconvert --repair");
	else if (st->needs_check)
		say(usage, "the pool needs a check: lvconvert --repair");
	else if (st->mode == SF_DM_POOL_RO)
		say(usage, "the pool is read-only");
	else if (st->mode == SF_DM_POOL_NO_SPACE)
		say(usage, "the pool is out of data space: writes wait, then fail; lvextend it");
	else if (full >= warn_at)
		say(usage, "%u%% full: lvextend the pool, or delete snapshots", full);
}

static void look_at_pool(const struct round *round, const struct sf_lvm_report *report,
			 const struct sf_lv *pool)
{
	struct sf_usage usage = {.kind = "pool data",
				 .warn_percent = (unsigned)round->config->pool_warn,
				 .stop_percent = (unsigned)round->config->pool_stop};
	struct sf_dm_pool st;

	if (sf_lvm_pool_status(report->vg, pool->name, &st, NULL) < 0)
		return; /* inactive */
	if (snprintf(usage.pool, sizeof(usage.pool), "%s/%s", report->vg, pool->name) >=
	    (int)sizeof(usage.pool))
		(void)snprintf(usage.pool, sizeof(usage.pool), "pool %s", pool->uuid);
	(void)snprintf(usage.subject, sizeof(usage.subject), "%s/%s", report->vg, pool->name);
	usage.used_bytes = st.data_used_bytes;
	usage.total_bytes = st.data_bytes;
	warn_of_pool(&usage, &st, round->config->pool_warn);
	round->fn(round->arg, &usage);
	usage.kind = "pool metadata";
	usage.used_bytes = st.metadata_used_bytes;
	usage.total_bytes = st.metadata_bytes;
	usage.stop_percent = percent(sf_lvm_metadata_limit(&st, round->config->pool_stop), st.metadata_bytes);
	*usage.problem = '\0';
	if (st.mode == SF_DM_POOL_RW &&
	    (percent(usage.used_bytes, usage.total_bytes) >= round->config->pool_warn ||
	     usage.used_bytes >= sf_lvm_metadata_limit(&st, round->config->pool_stop)))
		say(&usage, "%u%% full: lvextend --poolmetadatasize",
		    percent(usage.used_bytes, usage.total_bytes));
	round->fn(round->arg, &usage);
}

static void look_at_pools(void *arg, struct sf_lvm_report *report)
{
	const struct round *round = arg;

	sf_lvm_adopt_active(round->storage, report);
	sf_lvm_sweep_left(round->storage, report);
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->lvs[i].segtype, "thin-pool") == 0 &&
		    has_snapshots(round->storage->lvm, report, &report->lvs[i]))
			look_at_pool(round, report, &report->lvs[i]);
}

/* --- COW stores --- */

/* The next growth of the store: the configured step, limited by the ceiling and by free space in the VG. */
static uint64_t step_for(const struct round *round, const struct sf_lvm_report *report,
			 const struct sf_lv *lv, const struct sf_dm_snapshot *st)
{
	const struct sf_lv *origin = sf_lvm_find(report, lv->tags.origin);
	struct sf_lvm_cow_plan plan;
	uint64_t step = st->total_bytes / 100 * round->config->cow_extend_by, ceiling;

	sf_lvm_cow_plan(round->config, report, origin ? origin->size_bytes : 0, &plan);
	ceiling = origin ? origin->size_bytes / 100 * round->config->cow_ceiling : st->total_bytes;
	if (ceiling > plan.most || round->config->cow_ceiling == 100)
		ceiling = plan.most;
	if (step < report->extent_bytes)
		step = report->extent_bytes;
	if (ceiling <= st->total_bytes)
		return 0;
	if (step > ceiling - st->total_bytes)
		step = ceiling - st->total_bytes;
	if (step > plan.free)
		step = plan.free;
	return step / report->extent_bytes * report->extent_bytes;
}

/* A store of the largest useful size cannot overflow, however full it is. */
static bool is_complete(const struct round *round, const struct sf_lvm_report *report, const struct sf_lv *lv,
			const struct sf_dm_snapshot *st)
{
	const struct sf_lv *origin = sf_lvm_find(report, lv->tags.origin);
	struct sf_lvm_cow_plan plan;

	if (!origin)
		return false;
	sf_lvm_cow_plan(round->config, report, origin->size_bytes, &plan);
	return st->total_bytes >= plan.most;
}

/* Needs a new report: another extension may have taken the space, or an administrator added some. */
static void extend(const struct round *round, const struct sf_lvm_report *report, const struct sf_lv *lv,
		   const struct sf_dm_snapshot *st, struct sf_usage *usage)
{
	struct sf_lvm *lvm = round->storage->lvm;
	auto_report struct sf_lvm_report *now = NULL;
	unsigned full = percent(st->used_bytes, st->total_bytes);
	struct sf_err err = {0};
	uint64_t step;
	int rc = sf_lvm_report(lvm, report->vg, SF_LVM_OBJECTS_MS, false, &now, &err);

	if (rc < 0) {
		say(usage, "%u%% full and could not be extended: %s", full, err.text);
		return;
	}
	step = step_for(round, now, lv, st);
	if (step == 0) {
		say(usage, "%u%% full and cannot grow: VG %s has no room, or the ceiling is reached", full,
		    report->vg);
		return;
	}
	rc = sf_lvm_extend(lvm, now, lv, step, &err);
	if (rc < 0) {
		say(usage, "%u%% full and could not be extended: %s", full, err.text);
		return;
	}
	usage->total_bytes += step;
	sf_log(SF_LOG_INFO, "%s: extended its COW store, which was %u%% full, by %" PRIu64 " bytes",
	       usage->subject, full, step);
}

static void look_at_store(const struct round *round, const struct sf_lvm_report *report,
			  const struct sf_lv *lv)
{
	struct sf_usage usage = {.kind = "COW store", .warn_percent = (unsigned)round->config->cow_extend_at};
	struct sf_dm_snapshot st;
	char dm[SF_DM_NAME];

	if (sf_dm_name(report->vg, lv->name, NULL, dm, NULL) < 0 || sf_dm_snapshot(dm, &st, NULL) < 0)
		return; /* inactive or just removed */
	if (snprintf(usage.pool, sizeof(usage.pool), "%s", report->vg) >= (int)sizeof(usage.pool))
		(void)snprintf(usage.pool, sizeof(usage.pool), "VG %s", report->vg_uuid);
	(void)snprintf(usage.subject, sizeof(usage.subject), "%s/%s", report->vg, lv->name);
	(void)snprintf(usage.origin, sizeof(usage.origin), "/dev/%s/%s", report->vg, lv->tags.origin);
	usage.used_bytes = st.used_bytes;
	usage.total_bytes = st.total_bytes;
	if (st.state != SF_DM_SNAPSHOT_OK)
		say(&usage, "it overflowed: the snapshot has lost its content and can only be deleted");
	else if (percent(st.used_bytes, st.total_bytes) >= round->config->cow_extend_at &&
		 !is_complete(round, report, lv, &st))
		extend(round, report, lv, &st, &usage);
	round->fn(round->arg, &usage);
}

static void look_at_stores(void *arg, struct sf_lvm_report *report)
{
	const struct round *round = arg;

	for (size_t i = 0; i < report->n; i++)
		if (sf_lvm_is_ours(&round->storage->lvm->state_id, &report->lvs[i]) &&
		    sf_lvm_is_cow(&report->lvs[i], NULL))
			look_at_store(round, report, &report->lvs[i]);
}

/* --- the watch --- */

static int wait_for_events(struct sf_lvm_storage *storage, int wake_fd, unsigned wait_ms, struct sf_err *err)
{
	struct pollfd wake = {.fd = wake_fd, .events = POLLIN};

	if (!storage->events_open)
		storage->events_open = sf_dm_events_open(&storage->events, NULL) == 0;
	if (storage->events_open) {
		int rc = sf_dm_events_wait(&storage->events, wake_fd, (int)wait_ms, err);

		return rc < 0 ? rc : 0;
	}
	(void)poll(&wake, 1, (int)wait_ms); /* no device-mapper, or one without events: poll by time alone */
	return 0;
}

int sf_lvm_watch(struct sf_storage *base, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		 struct sf_err *err)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(base);
	struct round round = {.storage = storage, .config = storage->lvm->config, .fn = fn, .arg = arg};
	int rc = wait_for_events(storage, wake_fd, wait_ms, err);

	if (rc < 0)
		return rc;
	sf_lvm_each_vg(storage->lvm, storage->thin ? look_at_pools : look_at_stores, &round);
	if (storage->thin)
		sf_lvm_sweep_idle(storage);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of schedules: which of them runs now, and how the last run of each ended. A scheduler tells
 * it through .snapfs/run; schedules.json and health.json show it. Nothing is started or pruned here.
 *
 * It is kept as SF_RUNS_FILE in the state directory, schema 1, written whole at each change. The file says
 * "running" while a run is under way: whoever finds that after a crash knows that the run came to no end.
 *
 * Thread-safe, with two locks: one lets changes go one by one, to the disk and to health.json; under it, the
 * table's own, a leaf that is never held while the disk works, so that readers do not wait.
 */
#ifndef SF_CORE_STATE_SCHEDULES_H
#define SF_CORE_STATE_SCHEDULES_H

#include "schedule.h"

#include <stdint.h>

struct sf_err;
struct sf_health;
struct sf_runs;

/* Begins with a dot, as no VM's directory does: see sf_state_is_reserved(). */
#define SF_RUNS_FILE ".schedules.json"
/* Schedules that are known at once; a client that makes up names would fill memory and file without end. */
#define SF_RUNS_MAX 256

struct sf_run_request {
	char schedule[SF_NAME_MAX + 1]; /* keeps sf_name_check() */
	uint64_t due_ns;                /* the instant that the run is for; 0: none is given */
};

/*
 * Reads what is kept in dir, the state directory, which outlives it as health does. Runs that are found under
 * way have failed. A file that does not make sense is set aside as ".aside-schedules.json"; one that cannot
 * be read for other reasons is left alone, and what comes is kept in memory only: no snapshot fails for want
 * of its history. Both are told in health.json. -ENOMEM.
 */
int sf_runs_new(int dir, struct sf_health *health, struct sf_runs **ret, struct sf_err *err);
/* Writes what was found at start; to be called once no guest waits to be resumed. */
void sf_runs_settle(struct sf_runs *runs);
/* Accepts NULL. */
void sf_runs_free(struct sf_runs *runs);

/*
 * A run begins; durable when it returns 0. owner: whose it is, any address that is its own for as long as it
 * runs. -EBUSY while the schedule runs, -EINVAL when the owner has a run already, -ENOSPC for one schedule
 * more than SF_RUNS_MAX, -EALREADY for a due instant that a run was for already (begun by now: a run of the
 * future, made by a clock that was wrong, does not count); what durable writes fail with.
 */
int sf_runs_begin(struct sf_runs *runs, const struct sf_run_request *request, const void *owner,
		  struct sf_err *err);
/*
 * The owner's run has ended; result's state is not SF_RUN_RUNNING. -EINVAL when the owner has none. Any other
 * failure is that of the disk: the result counts, and is written with the next change.
 */
int sf_runs_end(struct sf_runs *runs, const struct sf_run_result *result, const void *owner,
		struct sf_err *err);
/* The owner is gone; a run of its that has no result has failed, and why says how that came. */
void sf_runs_abandon(struct sf_runs *runs, const void *owner, const char *why);
/* Removes what is known of a schedule. -ENOENT, -EBUSY while it runs; what durable writes fail with. */
int sf_runs_forget(struct sf_runs *runs, const char *schedule, struct sf_err *err);

typedef void sf_schedule_fn(void *arg, const struct sf_schedule *schedule);
/* By name; fn is called under the table's lock. */
void sf_runs_each(struct sf_runs *runs, sf_schedule_fn *fn, void *arg);

/* {"schedules": [...]}, by name, allocated; NULL when out of memory. */
char *sf_runs_json(struct sf_runs *runs);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run history of schedules: which runs are in progress, and how the last run of each schedule ended. A
 * scheduler reports its runs through .snapfs/run; schedules.json and health.json show them. This module
 * starts and prunes nothing.
 *
 * The history is stored as SF_RUNS_FILE in the state directory (schema 1), rewritten whole at each change.
 * The file says "running" while a run is in progress: after a crash, the next start knows that the run never
 * finished.
 *
 * Thread-safe, with two locks. The outer lock serialises changes, including their writes to disk and to
 * health.json. The inner lock guards the table. It is a leaf and never held during disk I/O, so readers do
 * not wait.
 */
#ifndef SF_CORE_STATE_SCHEDULES_H
#define SF_CORE_STATE_SCHEDULES_H

#include "schedule.h"

#include <stdint.h>

struct sf_err;
struct sf_health;
struct sf_runs;

/* No VM's directory begins with a dot: see sf_state_is_reserved(). */
#define SF_RUNS_FILE ".schedules.json"
/* Schedules kept at most: without a cap, a client that makes up names could fill memory and disk. */
#define SF_RUNS_MAX 256

struct sf_run_request {
	char schedule[SF_NAME_MAX + 1]; /* passes sf_name_check() */
	uint64_t due_ns;                /* the time the run was due; 0: not given */
};

/*
 * Loads the history from dir, the state directory; dir and health must outlive *ret. Runs found in progress
 * count as failed. A file with invalid content is set aside as ".aside-schedules.json". A file of a newer
 * schema, or one that cannot be read for another reason, is left alone, and the history is kept in memory
 * only: no snapshot fails for lack of history. health.json reports both. -ENOMEM.
 */
int sf_runs_new(int dir, struct sf_health *health, struct sf_runs **ret, struct sf_err *err);
/* Writes what sf_runs_new() changed. Call it once no guest waits to be resumed. */
void sf_runs_settle(struct sf_runs *runs);
/* Accepts NULL. */
void sf_runs_free(struct sf_runs *runs);

/*
 * Begins a run; durable when it returns 0. owner: any address that is unique to the run's client for as long
 * as the run lasts. A run that began in the future, because a clock was wrong, does not count for -EALREADY.
 * -EBUSY     the schedule is running
 * -EINVAL    the owner already has a run
 * -ENOSPC    SF_RUNS_MAX schedules are known, and this one is not among them
 * -EALREADY  a run for this due time or a later one has already begun
 * others     those of sf_durable_write()
 */
int sf_runs_begin(struct sf_runs *runs, const struct sf_run_request *request, const void *owner,
		  struct sf_err *err);
/*
 * Ends the owner's run; the result's state must not be SF_RUN_RUNNING. -EINVAL when the owner has no run. Any
 * other failure comes from the disk: the result still counts and is written with the next change.
 */
int sf_runs_end(struct sf_runs *runs, const struct sf_run_result *result, const void *owner,
		struct sf_err *err);
/* Called when the owner exits. A run without a result counts as failed, with why as its text. */
void sf_runs_abandon(struct sf_runs *runs, const void *owner, const char *why);
/* Removes a schedule's history. -ENOENT; -EBUSY while it runs; or an error of sf_durable_write(). */
int sf_runs_forget(struct sf_runs *runs, const char *schedule, struct sf_err *err);

typedef void sf_schedule_fn(void *arg, const struct sf_schedule *schedule);
/* Calls fn for each schedule, sorted by name, with the table's lock held. */
void sf_runs_each(struct sf_runs *runs, sf_schedule_fn *fn, void *arg);

/* {"schedules": [...]}, sorted by name, allocated; NULL when out of memory. */
char *sf_runs_json(struct sf_runs *runs);

#endif

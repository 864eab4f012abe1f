/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of running and recently finished operations, as jobs.json shows it. Thread-safe; its own lock, a
 * leaf.
 */
#ifndef SF_CORE_STATE_JOBS_H
#define SF_CORE_STATE_JOBS_H

#include "core/contract/job.h"
#include "base/names.h"

#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_jobs;

/* Finished operations that are remembered. */
#define SF_JOBS_KEPT 64

enum sf_operation { SF_OP_CREATE, SF_OP_DELETE, SF_OP_RENAME, SF_OP_REVERT, SF_OP_EDIT };
#define SF_OPERATIONS 5

const char *sf_operation_name(enum sf_operation op);

/* Durations are told apart up to these milliseconds, and above the last. */
#define SF_JOB_BOUNDS 10
extern const uint64_t sf_job_bounds_ms[SF_JOB_BOUNDS];

/* Failures are told apart by the errnos of the man page; the last is "other". A label may not have any value.
 */
#define SF_JOB_ERRORS 16
/* "ENOSPC" and so on; index below SF_JOB_ERRORS. */
const char *sf_job_error_name(size_t index);

/* Since the daemon started. */
struct sf_job_counts {
	uint64_t ok[SF_OPERATIONS];
	uint64_t failed[SF_OPERATIONS];
	uint64_t running;
	uint64_t errors[SF_JOB_ERRORS]; /* the failed ones once more */
	/* The ok ones once more, by the smallest bound that was enough, above all bounds in the last place.
	 */
	uint64_t took[SF_OPERATIONS][SF_JOB_BOUNDS + 1];
	uint64_t took_ms[SF_OPERATIONS]; /* their sum */
};

int sf_jobs_new(struct sf_jobs **ret);
void sf_jobs_free(struct sf_jobs *jobs);

/*
 * job (NULL allowed) is read until sf_jobs_end() of the returned number; 0 when the list is full of running
 * ones.
 */
uint64_t sf_jobs_begin(struct sf_jobs *jobs, enum sf_operation op, const char *vm, const char *snapshot,
		       struct sf_job *job);
/* The thread that ran the operation calls it: what its job noted is kept when rc is 0. */
void sf_jobs_end(struct sf_jobs *jobs, uint64_t number, enum sf_operation op, int rc, uint64_t took_ms,
		 const char *text);

struct sf_job_counts sf_jobs_counts(struct sf_jobs *jobs);
/* Allocated text; NULL when out of memory. */
char *sf_jobs_json(struct sf_jobs *jobs);

#endif

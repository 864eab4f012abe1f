/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running and recently finished operations, as jobs.json and metrics show them. Thread-safe; its own lock is
 * a leaf.
 */
#ifndef SF_CORE_STATE_JOBS_H
#define SF_CORE_STATE_JOBS_H

#include "core/contract/job.h"
#include "base/names.h"

#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_jobs;

/* At least this many finished operations are remembered, unless more than this many run. */
#define SF_JOBS_KEPT 64

enum sf_operation { SF_OP_CREATE, SF_OP_DELETE, SF_OP_RENAME, SF_OP_REVERT, SF_OP_EDIT };
#define SF_OPERATIONS 5

const char *sf_operation_name(enum sf_operation op);

/* Upper bounds of the duration histogram, in milliseconds; one more bucket counts what exceeds them all. */
#define SF_JOB_BOUNDS 10
extern const uint64_t sf_job_bounds_ms[SF_JOB_BOUNDS];

/* Failures are counted by the errnos of the man page; the last slot is "other", which bounds the labels. */
#define SF_JOB_ERRORS 16
/* "ENOSPC" and so on; index is below SF_JOB_ERRORS. */
const char *sf_job_error_name(size_t index);

/* Since the daemon started. */
struct sf_job_counts {
	uint64_t ok[SF_OPERATIONS];
	uint64_t failed[SF_OPERATIONS];
	uint64_t running;
	uint64_t errors[SF_JOB_ERRORS]; /* the failed ones again, by errno */
	/* The ok ones again, by the smallest bound that they met; the last slot exceeds all bounds. */
	uint64_t took[SF_OPERATIONS][SF_JOB_BOUNDS + 1];
	uint64_t took_ms[SF_OPERATIONS]; /* sum of the durations of the ok ones */
};

int sf_jobs_new(struct sf_jobs **ret);
void sf_jobs_free(struct sf_jobs *jobs);

/*
 * Records that an operation began and returns its number, or 0 when the list is full of running ones. Pass
 * either to sf_jobs_end(). job may be NULL; it is read until then.
 */
uint64_t sf_jobs_begin(struct sf_jobs *jobs, enum sf_operation op, const char *vm, const char *snapshot,
		       struct sf_job *job);
/* Sets the snapshot of a running operation that began without a name for it. */
void sf_jobs_name(struct sf_jobs *jobs, uint64_t number, const char *snapshot);
/*
 * Records the result: rc, the duration in milliseconds, and the error's text if rc is negative. Keeps the
 * job's note if rc is 0, so only the thread that ran the operation may call it.
 */
void sf_jobs_end(struct sf_jobs *jobs, uint64_t number, enum sf_operation op, int rc, uint64_t took_ms,
		 const char *text);

struct sf_job_counts sf_jobs_counts(struct sf_jobs *jobs);
/* Newest first, allocated; NULL when out of memory. */
char *sf_jobs_json(struct sf_jobs *jobs);

#endif

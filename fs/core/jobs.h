/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of running and recently finished operations, as jobs.json shows it. Thread-safe; its own lock, a
 * leaf.
 */
#ifndef SF_CORE_JOBS_H
#define SF_CORE_JOBS_H

#include "job.h"
#include "names.h"

#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_jobs;

/* Finished operations that are remembered. */
#define SF_JOBS_KEPT 64

enum sf_operation { SF_OP_CREATE, SF_OP_DELETE, SF_OP_RENAME, SF_OP_REVERT, SF_OP_EDIT };
#define SF_OPERATIONS 5

const char *sf_operation_name(enum sf_operation op);

struct sf_job_counts {
	uint64_t ok[SF_OPERATIONS];
	uint64_t failed[SF_OPERATIONS];
	uint64_t running;
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
void sf_jobs_end(struct sf_jobs *jobs, uint64_t number, enum sf_operation op, int rc, const char *text);

struct sf_job_counts sf_jobs_counts(struct sf_jobs *jobs);
/* Allocated text; NULL when out of memory. */
char *sf_jobs_json(struct sf_jobs *jobs);

#endif

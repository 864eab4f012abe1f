/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One running operation as others see it: how far it is, and whether its user has given up. The engine owns
 * it; backends advance it and ask it. All members are atomic: any thread may call at any time. A NULL job is
 * accepted everywhere: it never is cancelled and counts nothing.
 */
#ifndef SF_CORE_CONTRACT_JOB_H
#define SF_CORE_CONTRACT_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sf_job {
	atomic_bool cancelled;
	_Atomic uint64_t done_bytes;
	_Atomic uint64_t total_bytes; /* what is known of it so far; 0: unknown */
	char note[256]; /* what its user should know beside success; written by its own thread */
};

/*
 * Adds a sentence for the user of an operation that succeeds all the same: shown in jobs.json, and logged. It
 * comes behind what is there already; what does not fit is cut. Only by the thread that runs the operation.
 */
void sf_job_note(struct sf_job *job, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Asks the operation to stop and undo what it did; it ends with -EINTR unless it was past the point of no
 * return.
 */
static inline void sf_job_cancel(struct sf_job *job)
{
	atomic_store(&job->cancelled, true);
}

static inline bool sf_job_cancelled(struct sf_job *job)
{
	return job && atomic_load(&job->cancelled);
}

static inline void sf_job_expect(struct sf_job *job, uint64_t bytes)
{
	if (job)
		atomic_fetch_add(&job->total_bytes, bytes);
}

static inline void sf_job_advance(struct sf_job *job, uint64_t bytes)
{
	if (job)
		atomic_fetch_add(&job->done_bytes, bytes);
}

#endif

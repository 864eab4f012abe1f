/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Progress and cancellation of one running operation. The engine owns the job; backends update its progress
 * and poll it for cancellation. All counters are atomic, so that any thread may call at any time. Every
 * function accepts a NULL job, which is never cancelled and counts nothing.
 */
#ifndef SF_CORE_CONTRACT_JOB_H
#define SF_CORE_CONTRACT_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_job {
	atomic_bool cancelled;
	atomic_bool committed;
	_Atomic pid_t interrupted; /* the thread that waits for the operation and has a signal; 0: none */
	_Atomic uint64_t done_bytes;
	_Atomic uint64_t total_bytes; /* as far as known; 0: unknown */
	char note[256]; /* remark for the user on success; only the job's own thread writes it */
};

/*
 * Adds a remark for the user of an operation that still succeeds; jobs.json and the log show it. It is
 * appended to earlier remarks; text that does not fit is truncated. Call only from the thread that runs the
 * operation.
 */
void sf_job_note(struct sf_job *job, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Asks the operation to stop and undo its work. It ends with -EINTR unless it is past the point of no return.
 */
static inline void sf_job_cancel(struct sf_job *job)
{
	atomic_store(&job->cancelled, true);
}

/*
 * A signal is pending for the thread caller, which waits for the operation. Most signals do not mean that it
 * should end, and the one that does may come later. So from now on every poll looks at the caller's signals
 * (base/signals.h), and cancels the job once one of them asks the caller to end.
 */
static inline void sf_job_interrupt(struct sf_job *job, pid_t caller)
{
	atomic_store(&job->interrupted, caller);
}

/* The operation has passed the point of no return: from now on sf_job_cancelled() is false. */
static inline void sf_job_commit(struct sf_job *job)
{
	if (job)
		atomic_store(&job->committed, true);
}

/* Polls. After sf_job_interrupt() this reads a file in /proc; poll once for each MiB or so, not more often.
 */
bool sf_job_cancelled(struct sf_job *job);

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

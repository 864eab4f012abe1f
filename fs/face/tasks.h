/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs long operations, each on a thread of its own: a guest that takes a minute to save its RAM must not
 * occupy a thread that serves reads and look-ups. Knows nothing of FUSE.
 */
#ifndef SF_FACE_TASKS_H
#define SF_FACE_TASKS_H

#include "core/contract/job.h"

#include <pthread.h>
#include <stdbool.h>

struct sf_task;

/* All running tasks. */
struct sf_tasks {
	pthread_mutex_t lock; /* guards the rest, and the links of each task */
	pthread_cond_t ended;
	struct sf_task *first;
	bool stopping;
};

/* One operation. Embed it as the first member of a heap object, which is freed once run has returned. */
struct sf_task {
	struct sf_job job;
	void (*run)(struct sf_task *task);
	struct sf_tasks *set;
	struct sf_task *next, *prev;
};

void sf_tasks_init(struct sf_tasks *set);

/*
 * Runs task->run on a new thread. Zero the task but for run and, if need be, a job that is already cancelled.
 * -ESHUTDOWN once stopping; -EAGAIN when there is no thread. On failure the caller still owns the task.
 */
int sf_tasks_start(struct sf_tasks *set, struct sf_task *task);

/* Refuses new tasks, cancels the running ones and waits until all have ended. */
void sf_tasks_stop(struct sf_tasks *set);

/* No task may be running. */
void sf_tasks_fini(struct sf_tasks *set);

#endif

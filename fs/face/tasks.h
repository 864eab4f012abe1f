/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Long operations, each on a thread of its own: those that serve reads and look-ups must never be used up by
 * guests that take a minute to save their RAM. Knows nothing of FUSE.
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

/* One operation: embedded first in heap memory, which is freed once run has returned. */
struct sf_task {
	struct sf_job job;
	void (*run)(struct sf_task *task);
	struct sf_tasks *set;
	struct sf_task *next, *prev;
};

void sf_tasks_init(struct sf_tasks *set);

/*
 * Runs task->run on a new thread. The task arrives zeroed but for run, and its job may be cancelled already.
 * -ESHUTDOWN once stopping, -EAGAIN when there is no thread; the task is the caller's again then.
 */
int sf_tasks_start(struct sf_tasks *set, struct sf_task *task);

/* No new tasks; cancels the running ones and waits until all of them have ended. */
void sf_tasks_stop(struct sf_tasks *set);

/* Nothing may be running. */
void sf_tasks_fini(struct sf_tasks *set);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tasks.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void sf_tasks_init(struct sf_tasks *set)
{
	memset(set, 0, sizeof(*set));
	pthread_mutex_init(&set->lock, NULL);
	pthread_cond_init(&set->ended, NULL);
}

void sf_tasks_fini(struct sf_tasks *set)
{
	pthread_cond_destroy(&set->ended);
	pthread_mutex_destroy(&set->lock);
}

static int add(struct sf_tasks *set, struct sf_task *task)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&set->lock);

	if (set->stopping)
		return -ESHUTDOWN;
	task->set = set;
	task->prev = NULL;
	task->next = set->first;
	if (set->first)
		set->first->prev = task;
	set->first = task;
	return 0;
}

static void drop(struct sf_task *task)
{
	struct sf_tasks *set = task->set;
	auto_unlock pthread_mutex_t *held = sf_lock(&set->lock);

	if (task->prev)
		task->prev->next = task->next;
	else
		set->first = task->next;
	if (task->next)
		task->next->prev = task->prev;
	pthread_cond_broadcast(&set->ended);
}

static void *run_task(void *arg)
{
	struct sf_task *task = arg;

	task->run(task);
	drop(task);
	free(task);
	return NULL;
}

int sf_tasks_start(struct sf_tasks *set, struct sf_task *task)
{
	pthread_t thread;
	int rc = add(set, task);

	if (rc < 0)
		return rc;
	rc = pthread_create(&thread, NULL, run_task, task);
	if (rc != 0) {
		drop(task);
		return -rc;
	}
	pthread_detach(thread);
	return 0;
}

void sf_tasks_stop(struct sf_tasks *set)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&set->lock);

	set->stopping = true;
	for (struct sf_task *task = set->first; task; task = task->next)
		sf_job_cancel(&task->job);
	while (set->first)
		pthread_cond_wait(&set->ended, &set->lock);
}

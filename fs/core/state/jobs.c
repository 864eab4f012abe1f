/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "jobs.h"

#include "base/json.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t number; /* 0: free */
	enum sf_operation op;
	char vm[SF_NAME_MAX + 1];
	char snapshot[SF_NAME_MAX + 1];
	struct sf_job *job; /* NULL once finished */
	bool running;
	int rc;
	uint64_t begun_ns, ended_ns, done_bytes, total_bytes;
	char text[SF_ERR_TEXT];
	char note[sizeof(((struct sf_job *)0)->note)];
};

struct sf_jobs {
	pthread_mutex_t lock; /* guards everything below */
	uint64_t last_number;
	struct sf_job_counts counts;
	struct entry list[2 * SF_JOBS_KEPT];
};

const char *sf_operation_name(enum sf_operation op)
{
	static const char *const names[] = {"create", "delete", "rename", "revert", "edit"};

	return names[op];
}

/* From the time of a thin snapshot in LVM to that of copying a large image. */
const uint64_t sf_job_bounds_ms[SF_JOB_BOUNDS] = {10,    100,   500,   1000,   5000,
						  10000, 30000, 60000, 300000, 1800000};

static const int errnos[SF_JOB_ERRORS - 1] = {ENOSPC, EEXIST, ENAMETOOLONG, EINVAL, ENOENT,
					      EBUSY,  EINTR,  ETIMEDOUT,    EAGAIN, ESTALE,
					      EIO,    EPROTO, EOPNOTSUPP,   EPERM,  ENOMEM};

const char *sf_job_error_name(size_t index)
{
	return index < SF_JOB_ERRORS - 1 ? sf_errno_name(errnos[index]) : "other";
}

int sf_jobs_new(struct sf_jobs **ret)
{
	struct sf_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	pthread_mutex_init(&jobs->lock, NULL);
	*ret = jobs;
	return 0;
}

void sf_jobs_free(struct sf_jobs *jobs)
{
	if (!jobs)
		return;
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}

/* A free entry, or that of the oldest finished operation; NULL when all are running. */
static struct entry *place(struct sf_jobs *jobs)
{
	struct entry *oldest = NULL;

	for (size_t i = 0; i < sizeof(jobs->list) / sizeof(jobs->list[0]); i++) {
		struct entry *entry = &jobs->list[i];

		if (entry->number == 0)
			return entry;
		if (!entry->running && (!oldest || entry->number < oldest->number))
			oldest = entry;
	}
	return oldest;
}

static struct entry *find(struct sf_jobs *jobs, uint64_t number)
{
	for (size_t i = 0; number && i < sizeof(jobs->list) / sizeof(jobs->list[0]); i++)
		if (jobs->list[i].number == number)
			return &jobs->list[i];
	return NULL;
}

uint64_t sf_jobs_begin(struct sf_jobs *jobs, enum sf_operation op, const char *vm, const char *snapshot,
		       struct sf_job *job)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&jobs->lock);
	struct entry *entry = place(jobs);

	jobs->counts.running++;
	if (!entry)
		return 0;
	memset(entry, 0, sizeof(*entry));
	entry->number = ++jobs->last_number;
	entry->op = op;
	(void)snprintf(entry->vm, sizeof(entry->vm), "%s", vm);
	(void)snprintf(entry->snapshot, sizeof(entry->snapshot), "%s", snapshot);
	entry->job = job;
	entry->running = true;
	entry->begun_ns = sf_clock_real_ns();
	return entry->number;
}

void sf_jobs_name(struct sf_jobs *jobs, uint64_t number, const char *snapshot)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&jobs->lock);
	struct entry *entry = find(jobs, number);

	if (entry)
		(void)snprintf(entry->snapshot, sizeof(entry->snapshot), "%s", snapshot);
}

static void sample(struct entry *entry)
{
	if (!entry->job)
		return;
	entry->done_bytes = atomic_load(&entry->job->done_bytes);
	entry->total_bytes = atomic_load(&entry->job->total_bytes);
}

static void count(struct sf_job_counts *counts, enum sf_operation op, int rc, uint64_t took_ms)
{
	size_t i = 0;

	counts->running--;
	if (rc < 0) {
		while (i < SF_JOB_ERRORS - 1 && errnos[i] != -rc)
			i++;
		counts->failed[op]++;
		counts->errors[i]++;
		return;
	}
	while (i < SF_JOB_BOUNDS && took_ms > sf_job_bounds_ms[i])
		i++;
	counts->ok[op]++;
	counts->took[op][i]++;
	counts->took_ms[op] += took_ms;
}

void sf_jobs_end(struct sf_jobs *jobs, uint64_t number, enum sf_operation op, int rc, uint64_t took_ms,
		 const char *text)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&jobs->lock);
	struct entry *entry = find(jobs, number);

	count(&jobs->counts, op, rc, took_ms);
	if (!entry)
		return;
	sample(entry);
	if (rc == 0 && entry->job)
		memcpy(entry->note, entry->job->note, sizeof(entry->note));
	entry->job = NULL;
	entry->running = false;
	entry->rc = rc;
	entry->ended_ns = sf_clock_real_ns();
	(void)snprintf(entry->text, sizeof(entry->text), "%s", rc < 0 ? text : "");
}

struct sf_job_counts sf_jobs_counts(struct sf_jobs *jobs)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&jobs->lock);

	return jobs->counts;
}

static json_t *entry_json(struct entry *entry)
{
	char begun[SF_TIME_TEXT], ended[SF_TIME_TEXT];
	json_t *item;

	sample(entry);
	sf_time_format(entry->begun_ns, begun);
	sf_time_format(entry->ended_ns, ended);
	item = json_pack("{s:I, s:s, s:o, s:o, s:s, s:s, s:I, s:I}", "number", (json_int_t)entry->number,
			 "operation", sf_operation_name(entry->op), "vm", sf_json_lossy(entry->vm),
			 "snapshot", sf_json_lossy(entry->snapshot), "state",
			 entry->running  ? "running"
			 : entry->rc < 0 ? "failed"
					 : "done",
			 "begun", begun, "done_bytes", (json_int_t)entry->done_bytes, "total_bytes",
			 (json_int_t)entry->total_bytes);
	if (item && !entry->running)
		json_object_set_new(item, "ended", json_string(ended));
	if (item && *entry->note)
		json_object_set_new(item, "note", sf_json_lossy(entry->note));
	if (item && entry->rc < 0) {
		json_object_set_new(item, "errno", json_string(sf_errno_name(entry->rc)));
		json_object_set_new(item, "error", sf_json_lossy(entry->text));
	}
	return item;
}

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	return x->number < y->number ? 1 : x->number > y->number ? -1 : 0;
}

char *sf_jobs_json(struct sf_jobs *jobs)
{
	struct entry *sorted[2 * SF_JOBS_KEPT];
	auto_json json_t *root = json_object();
	json_t *list = json_array();
	size_t n = 0;

	{
		auto_unlock pthread_mutex_t *held = sf_lock(&jobs->lock);

		for (size_t i = 0; i < sizeof(jobs->list) / sizeof(jobs->list[0]); i++)
			if (jobs->list[i].number)
				sorted[n++] = &jobs->list[i];
		qsort(sorted, n, sizeof(struct entry *), newest_first);
		for (size_t i = 0; i < n; i++)
			json_array_append_new(list, entry_json(sorted[i]));
	}
	if (json_object_set_new(root, "jobs", list) < 0)
		return NULL;
	return sf_json_text(root, NULL);
}

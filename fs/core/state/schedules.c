/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "schedules.h"

#include "health.h"
#include "base/json.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS_SCHEMA 1
/* Enough for SF_RUNS_MAX schedules whose name and text have every byte escaped. */
#define RUNS_BYTES_MAX (1024 * 1024)
/* At most this many unreadable files are set aside. */
#define ASIDES_MAX 100
#define ASIDE_BASE ".aside-schedules.json"
/* Room for a hyphen, a number up to ASIDES_MAX and the NUL. */
#define ASIDE_NAME (sizeof(ASIDE_BASE) + 4)

struct sf_runs {
	int dir;
	struct sf_health *health;
	pthread_mutex_t changes; /* held for a change and its write; taken before lock. Guards: */
	bool found;              /* runs that an earlier daemon left; their failure is not written yet */
	struct sf_err unread;    /* why the existing file could not be read; it is then never replaced */

	pthread_mutex_t lock;     /* guards the table */
	struct sf_schedule *list; /* by name */
	size_t n;
};

/* --- the table; callers hold its lock --- */

/* The index of name, or where to insert it; *ret_found says which. */
static size_t position(const struct sf_runs *runs, const char *name, bool *ret_found)
{
	size_t at = 0;

	while (at < runs->n && strcmp(runs->list[at].name, name) < 0)
		at++;
	*ret_found = at < runs->n && strcmp(runs->list[at].name, name) == 0;
	return at;
}

static struct sf_schedule *find(struct sf_runs *runs, const char *name)
{
	bool found;
	size_t at = position(runs, name, &found);

	return found ? &runs->list[at] : NULL;
}

static struct sf_schedule *find_owned(struct sf_runs *runs, const void *owner)
{
	for (size_t i = 0; i < runs->n; i++)
		if (runs->list[i].owner == owner)
			return &runs->list[i];
	return NULL;
}

/* Adds the schedule, or replaces the one of the same name. */
static int put(struct sf_runs *runs, const struct sf_schedule *schedule)
{
	struct sf_schedule *list;
	bool found;
	size_t at = position(runs, schedule->name, &found);

	if (!found) {
		list = realloc(runs->list, (runs->n + 1) * sizeof(*list));
		if (!list)
			return -ENOMEM;
		memmove(list + at + 1, list + at, (runs->n - at) * sizeof(*list));
		runs->list = list;
		runs->n++;
	}
	runs->list[at] = *schedule;
	return 0;
}

static void drop(struct sf_runs *runs, const char *name)
{
	bool found;
	size_t at = position(runs, name, &found);

	if (!found)
		return;
	runs->n--;
	memmove(runs->list + at, runs->list + at + 1, (runs->n - at) * sizeof(*runs->list));
}

/* --- as JSON --- */

/* NULL when out of memory. */
static json_t *list_json(struct sf_runs *runs)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&runs->lock);
	json_t *list = json_array();

	for (size_t i = 0; i < runs->n; i++) {
		if (json_array_append_new(list, sf_schedule_json(&runs->list[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

char *sf_runs_json(struct sf_runs *runs)
{
	auto_json json_t *root = json_object();

	return json_object_set_new(root, "schedules", list_json(runs)) < 0 ? NULL : sf_json_text(root, NULL);
}

void sf_runs_each(struct sf_runs *runs, sf_schedule_fn *fn, void *arg)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&runs->lock);

	for (size_t i = 0; i < runs->n; i++)
		fn(arg, &runs->list[i]);
}

static char *format_file(struct sf_runs *runs, size_t *ret_len)
{
	auto_json json_t *root = json_pack("{s:i}", "schema", RUNS_SCHEMA);

	return json_object_set_new(root, "schedules", list_json(runs)) < 0 ? NULL
									   : sf_json_text(root, ret_len);
}

static int add_parsed(struct sf_runs *runs, const json_t *item, struct sf_err *err)
{
	struct sf_schedule schedule = {.owner = NULL};
	int rc = sf_schedule_parse(item, &schedule, err);

	if (rc < 0)
		return rc;
	if (find(runs, schedule.name))
		return sf_fail(err, -EINVAL, "schedule '%s' is listed twice", schedule.name);
	return put(runs, &schedule) < 0 ? sf_fail(err, -ENOMEM, "out of memory") : 0;
}

static int parse_file(struct sf_runs *runs, const char *text, size_t len, struct sf_err *err)
{
	struct sf_err why = {0};
	auto_json json_t *root = sf_json_parse_object(text, len, SF_RUNS_FILE, &why);
	const json_t *list = json_object_get(root, "schedules");
	int rc = root ? sf_json_schema(root, RUNS_SCHEMA, &why) : why.code;

	if (rc == 0 && (!json_is_array(list) || json_array_size(list) > SF_RUNS_MAX))
		rc = sf_fail(&why, -EINVAL, "\"schedules\" is not a list of at most %d", SF_RUNS_MAX);
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
		rc = add_parsed(runs, json_array_get(list, i), &why);
	if (rc < 0)
		runs->n = 0; /* all or nothing */
	return rc < 0 ? sf_fail(err, rc, "%s", why.text) : 0;
}

/* --- on disk and in health.json; callers hold changes --- */

static int save(struct sf_runs *runs, struct sf_err *err)
{
	struct sf_err why = {0};
	size_t len;
	auto_free char *text = NULL;
	int rc;

	if (runs->unread.code < 0)
		return 0; /* health.json reports it meanwhile */
	text = format_file(runs, &len);
	rc = text ? sf_durable_write(runs->dir, SF_RUNS_FILE, text, len, &why)
		  : sf_fail(&why, -ENOMEM, "out of memory");

	if (rc < 0) {
		sf_health_set(runs->health, "state", SF_RUNS_FILE, "cannot be written: %s", why.text);
		return sf_fail(err, rc, "%s", why.text);
	}
	sf_health_clear(runs->health, "state", SF_RUNS_FILE);
	return 0;
}

/* A problem stays until a later run is ok. */
static void report(struct sf_runs *runs, const char *name, const struct sf_run_result *result)
{
	if (result->state == SF_RUN_OK)
		sf_health_clear(runs->health, "schedule", name);
	else if (result->state != SF_RUN_RUNNING)
		sf_health_set(runs->health, "schedule", name, "its last run %s%s%s",
			      result->state == SF_RUN_PARTLY ? "succeeded only in part" : "failed",
			      *result->text ? ": " : "", result->text);
}

static void conclude(struct sf_schedule *schedule, const struct sf_run_result *result)
{
	schedule->owner = NULL;
	schedule->last = *result;
	schedule->result = result->state;
	schedule->ended_ns = sf_clock_real_ns();
	if (result->state == SF_RUN_OK)
		schedule->last_ok_ns = schedule->ended_ns;
}

/* --- at start --- */

static void aside_name(int number, char name[static ASIDE_NAME])
{
	if (number > 1)
		(void)snprintf(name, ASIDE_NAME, ASIDE_BASE "-%d", number);
	else
		(void)snprintf(name, ASIDE_NAME, ASIDE_BASE);
}

static bool is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void report_asides(const struct sf_runs *runs)
{
	char name[ASIDE_NAME];

	for (int i = 1; i <= ASIDES_MAX; i++) {
		aside_name(i, name);
		if (is_there(runs->dir, name))
			sf_health_set(runs->health, "set-aside", name,
				      "this run history of schedules could not be read and was set aside");
	}
}

static int set_aside(const struct sf_runs *runs, const char *why, struct sf_err *err)
{
	char name[ASIDE_NAME];
	int rc = -EEXIST;

	for (int i = 1; i <= ASIDES_MAX && rc == -EEXIST; i++) {
		aside_name(i, name);
		rc = sf_durable_rename(runs->dir, SF_RUNS_FILE, runs->dir, name, err);
	}
	if (rc == 0)
		sf_health_set(runs->health, "set-aside", name,
			      "the run history of schedules cannot be read: %s", why);
	return rc;
}

/*
 * The owners of these runs died with the previous daemon. sf_runs_settle() writes that later: guests that
 * were left paused wait for this start.
 */
static void end_found(struct sf_runs *runs)
{
	const struct sf_run_result died = {.state = SF_RUN_FAILED, .text = "snapfs exited during the run"};

	for (size_t i = 0; i < runs->n; i++) {
		struct sf_schedule *schedule = &runs->list[i];

		if (schedule->last.state == SF_RUN_RUNNING) {
			conclude(schedule, &died);
			runs->found = true;
		}
		report(runs, schedule->name, &schedule->last);
	}
}

static void load(struct sf_runs *runs)
{
	auto_free char *text = NULL;
	struct sf_err why = {0}, unmoved = {0};
	size_t len;
	int rc = sf_durable_read(runs->dir, SF_RUNS_FILE, RUNS_BYTES_MAX, &text, &len, &why);

	(void)unlinkat(runs->dir, "." SF_RUNS_FILE SF_DURABLE_TMP_SUFFIX, 0); /* usually absent */
	report_asides(runs);
	if (rc == -ENOENT)
		return;
	if (rc == 0)
		rc = parse_file(runs, text, len, &why);
	if (rc == 0)
		end_found(runs);
	else if (rc != -EINVAL && rc != -EFBIG && rc != -ELOOP)
		runs->unread = why;
	else if (set_aside(runs, why.text, &unmoved) < 0)
		runs->unread = unmoved;
	if (runs->unread.code == -EOPNOTSUPP)
		sf_health_set(
			runs->health, "newer", SF_RUNS_FILE,
			"a newer version of snapfs wrote it (%s): it is left in place, and new runs are not "
			"kept",
			runs->unread.text);
	else if (runs->unread.code < 0)
		sf_health_set(runs->health, "state", SF_RUNS_FILE, "cannot be read: %s", runs->unread.text);
}

int sf_runs_new(int dir, struct sf_health *health, struct sf_runs **ret, struct sf_err *err)
{
	struct sf_runs *runs = calloc(1, sizeof(*runs));

	if (!runs)
		return sf_fail(err, -ENOMEM, "out of memory");
	runs->dir = dir;
	runs->health = health;
	pthread_mutex_init(&runs->changes, NULL);
	pthread_mutex_init(&runs->lock, NULL);
	load(runs);
	*ret = runs;
	return 0;
}

void sf_runs_settle(struct sf_runs *runs)
{
	auto_unlock pthread_mutex_t *changing = sf_lock(&runs->changes);

	if (runs->found)
		runs->found = save(runs, NULL) < 0; /* save() reported it; the next change writes it */
}

void sf_runs_free(struct sf_runs *runs)
{
	if (!runs)
		return;
	pthread_mutex_destroy(&runs->changes);
	pthread_mutex_destroy(&runs->lock);
	free(runs->list);
	free(runs);
}

/* --- changes --- */

static int refuse_running(const struct sf_schedule *schedule, struct sf_err *err)
{
	char since[SF_TIME_TEXT];

	sf_time_format(schedule->began_ns, since);
	return sf_fail(err, -EBUSY, "schedule '%s' has been running since %s", schedule->name, since);
}

/* *ret_before: the schedule's former state; began_ns is 0 when it is new. */
static int note_begin(struct sf_runs *runs, const struct sf_run_request *request, const void *owner,
		      struct sf_schedule *ret_before, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&runs->lock);
	const struct sf_schedule *known = find(runs, request->schedule), *other = find_owned(runs, owner);
	struct sf_schedule next = {.owner = owner, .due_ns = request->due_ns, .began_ns = sf_clock_real_ns()};

	if (known && known->last.state == SF_RUN_RUNNING && known != other)
		return refuse_running(known, err);
	if (request->due_ns && known && known->due_ns >= request->due_ns && known->began_ns <= next.began_ns)
		return sf_fail(err, -EALREADY, "schedule '%s' has already run for that time", known->name);
	if (other)
		return sf_fail(err, -EINVAL, "a run of schedule '%s' has no result yet", other->name);
	if (!known && runs->n == SF_RUNS_MAX)
		return sf_fail(err, -ENOSPC, "%d schedules are known, which is the limit: forget some",
			       SF_RUNS_MAX);
	memset(ret_before, 0, sizeof(*ret_before));
	if (known) {
		*ret_before = *known;
		next.last_ok_ns = known->last_ok_ns;
		next.result = known->result;
	}
	memcpy(next.name, request->schedule, sizeof(next.name));
	return put(runs, &next) < 0 ? sf_fail(err, -ENOMEM, "out of memory") : 0;
}

static void take_back(struct sf_runs *runs, const char *name, const struct sf_schedule *before)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&runs->lock);

	if (before->began_ns == 0)
		drop(runs, name);
	else
		(void)put(runs, before); /* replaces an entry: needs no memory */
}

int sf_runs_begin(struct sf_runs *runs, const struct sf_run_request *request, const void *owner,
		  struct sf_err *err)
{
	auto_unlock pthread_mutex_t *changing = sf_lock(&runs->changes);
	struct sf_schedule before;
	int rc = note_begin(runs, request, owner, &before, err);

	if (rc < 0)
		return rc;
	rc = save(runs, err);
	if (rc < 0)
		take_back(runs, request->schedule, &before);
	else
		sf_log(SF_LOG_INFO, "schedule '%s': run started", request->schedule);
	return rc;
}

/* -EINVAL when the owner has no run. */
static int note_end(struct sf_runs *runs, const struct sf_run_result *result, const void *owner,
		    char ret_name[static SF_NAME_MAX + 1], struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&runs->lock);
	struct sf_schedule *schedule = find_owned(runs, owner);

	if (!schedule)
		return sf_fail(err, -EINVAL, "no run has begun on this open file");
	conclude(schedule, result);
	memcpy(ret_name, schedule->name, sizeof(schedule->name));
	return 0;
}

int sf_runs_end(struct sf_runs *runs, const struct sf_run_result *result, const void *owner,
		struct sf_err *err)
{
	auto_unlock pthread_mutex_t *changing = sf_lock(&runs->changes);
	char name[SF_NAME_MAX + 1];
	int rc = note_end(runs, result, owner, name, err);

	if (rc < 0)
		return rc;
	sf_log(SF_LOG_INFO, "schedule '%s': run ended: %s", name, sf_run_state_name(result->state));
	report(runs, name, result);
	return save(runs, err);
}

void sf_runs_abandon(struct sf_runs *runs, const void *owner, const char *why)
{
	struct sf_run_result gone = {.state = SF_RUN_FAILED};

	(void)snprintf(gone.text, sizeof(gone.text), "%s", why);
	(void)sf_runs_end(runs, &gone, owner, NULL); /* there is no run, or it is reported */
}

static int take_out(struct sf_runs *runs, const char *name, struct sf_schedule *ret, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&runs->lock);
	const struct sf_schedule *known = find(runs, name);

	if (!known)
		return sf_fail(err, -ENOENT, "schedule '%s' is not known", name);
	if (known->last.state == SF_RUN_RUNNING)
		return refuse_running(known, err);
	*ret = *known;
	drop(runs, name);
	return 0;
}

int sf_runs_forget(struct sf_runs *runs, const char *name, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *changing = sf_lock(&runs->changes);
	struct sf_schedule known;
	int rc = take_out(runs, name, &known, err);

	if (rc < 0)
		return rc;
	rc = save(runs, err);
	if (rc < 0)
		take_back(runs, name, &known);
	else
		sf_health_clear(runs->health, "schedule", name);
	return rc;
}

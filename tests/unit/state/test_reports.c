/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists behind jobs.json and health.json, and the JSON helpers that they share with the records. */
#include "base/err.h"
#include "core/state/health.h"
#include "core/state/jobs.h"
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Parses text and frees it. */
static json_t *parsed(char *text)
{
	json_t *root;

	assert_non_null(text);
	root = sf_json_parse_object(text, strlen(text), "report", NULL);
	assert_non_null(root);
	free(text);
	return root;
}

static void a_running_job_shows_its_progress(void **state)
{
	struct sf_job job = {.cancelled = false};
	struct sf_jobs *jobs;
	uint64_t number;

	(void)state;
	assert_int_equal(sf_jobs_new(&jobs), 0);
	number = sf_jobs_begin(jobs, SF_OP_CREATE, "web", "a", &job);
	sf_job_expect(&job, 100);
	sf_job_advance(&job, 40);
	{
		auto_json json_t *root = parsed(sf_jobs_json(jobs));
		const json_t *item = json_array_get(json_object_get(root, "jobs"), 0);

		assert_string_equal(json_string_value(json_object_get(item, "state")), "running");
		assert_int_equal(json_integer_value(json_object_get(item, "done_bytes")), 40);
		assert_int_equal(json_integer_value(json_object_get(item, "total_bytes")), 100);
	}
	sf_jobs_end(jobs, number, SF_OP_CREATE, -ENOSPC, 5, "full");
	{
		auto_json json_t *root = parsed(sf_jobs_json(jobs));
		const json_t *item = json_array_get(json_object_get(root, "jobs"), 0);

		assert_string_equal(json_string_value(json_object_get(item, "errno")), "ENOSPC");
		assert_string_equal(json_string_value(json_object_get(item, "error")), "full");
	}
	assert_int_equal(sf_jobs_counts(jobs).failed[SF_OP_CREATE], 1);
	assert_int_equal(sf_jobs_counts(jobs).running, 0);
	sf_jobs_free(jobs);
}

static void notes_come_one_behind_the_other_and_are_cut(void **state)
{
	struct sf_job job = {.cancelled = false};
	char expected[sizeof(job.note)];

	(void)state;
	sf_job_note(NULL, "nobody reads %s", "this");
	sf_job_note(&job, "%s is %d", "one", 1);
	assert_string_equal(job.note, "one is 1");
	sf_job_note(&job, "two");
	assert_string_equal(job.note, "one is 1; two");
	for (int i = 0; i < 100; i++)
		sf_job_note(&job, "four");
	(void)snprintf(expected, sizeof(expected), "%s", "one is 1; two");
	for (size_t at = strlen(expected); at < sizeof(expected) - 1; at += strlen("; four"))
		(void)snprintf(expected + at, sizeof(expected) - at, "; four");
	assert_string_equal(job.note, expected);
	assert_int_equal(strlen(job.note), sizeof(job.note) - 1);
}

/* The "note" of the newest operation that ended with rc; NULL if it has none. */
static char *note_of(struct sf_job *job, int rc)
{
	auto_json json_t *root = NULL;
	struct sf_jobs *jobs;
	const char *note;
	uint64_t number;

	assert_int_equal(sf_jobs_new(&jobs), 0);
	number = sf_jobs_begin(jobs, SF_OP_REVERT, "web", "a", job);
	sf_jobs_end(jobs, number, SF_OP_REVERT, rc, 5, "full");
	root = parsed(sf_jobs_json(jobs));
	sf_jobs_free(jobs);
	note = json_string_value(json_object_get(json_array_get(json_object_get(root, "jobs"), 0), "note"));
	return note ? strdup(note) : NULL;
}

static void a_note_is_shown_when_the_job_is_done(void **state)
{
	struct sf_job job = {.cancelled = false};
	char *note;

	(void)state;
	assert_null(note_of(&job, 0));
	assert_null(note_of(NULL, 0));
	sf_job_note(&job, "the disk is larger now");
	assert_null(note_of(&job, -ENOSPC));
	note = note_of(&job, 0);
	assert_string_equal(note, "the disk is larger now");
	free(note);
}

static void the_oldest_finished_job_makes_room(void **state)
{
	struct sf_jobs *jobs;
	uint64_t first;

	(void)state;
	assert_int_equal(sf_jobs_new(&jobs), 0);
	first = sf_jobs_begin(jobs, SF_OP_REVERT, "web", "running", NULL);
	for (int i = 0; i < 1000; i++) {
		uint64_t number = sf_jobs_begin(jobs, SF_OP_DELETE, "web", "x", NULL);

		assert_int_not_equal(number, 0);
		sf_jobs_end(jobs, number, SF_OP_DELETE, 0, 5, "");
	}
	{
		auto_json json_t *root = parsed(sf_jobs_json(jobs));
		const json_t *list = json_object_get(root, "jobs");
		size_t n = json_array_size(list);

		assert_true(n >= SF_JOBS_KEPT && n <= 2 * SF_JOBS_KEPT);
		assert_int_equal(json_integer_value(json_object_get(json_array_get(list, n - 1), "number")),
				 first);
	}
	assert_int_equal(sf_jobs_counts(jobs).ok[SF_OP_DELETE], 1000);
	assert_int_equal(sf_jobs_counts(jobs).running, 1);
	sf_jobs_free(jobs);
}

static void ended(struct sf_jobs *jobs, int rc, uint64_t took_ms)
{
	uint64_t number = sf_jobs_begin(jobs, SF_OP_CREATE, "web", "a", NULL);

	sf_jobs_end(jobs, number, SF_OP_CREATE, rc, took_ms, "");
}

static void durations_are_counted_at_their_bounds(void **state)
{
	struct sf_job_counts counts;
	struct sf_jobs *jobs;

	(void)state;
	for (size_t i = 1; i < SF_JOB_BOUNDS; i++)
		assert_true(sf_job_bounds_ms[i - 1] < sf_job_bounds_ms[i]);
	assert_int_equal(sf_jobs_new(&jobs), 0);
	ended(jobs, 0, 0);
	ended(jobs, 0, 10);
	ended(jobs, 0, 11);
	ended(jobs, 0, 1800000);
	ended(jobs, 0, 1800001);
	ended(jobs, -EIO, 7); /* failures do not count for durations */
	counts = sf_jobs_counts(jobs);
	assert_int_equal(counts.took[SF_OP_CREATE][0], 2);
	assert_int_equal(counts.took[SF_OP_CREATE][1], 1);
	assert_int_equal(counts.took[SF_OP_CREATE][SF_JOB_BOUNDS - 1], 1);
	assert_int_equal(counts.took[SF_OP_CREATE][SF_JOB_BOUNDS], 1);
	assert_int_equal(counts.took_ms[SF_OP_CREATE], 3600022);
	assert_int_equal(counts.ok[SF_OP_CREATE], 5);
	assert_int_equal(counts.took_ms[SF_OP_REVERT], 0);
	sf_jobs_free(jobs);
}

static void failures_are_counted_by_errno(void **state)
{
	struct sf_job_counts counts;
	struct sf_jobs *jobs;

	(void)state;
	assert_int_equal(sf_jobs_new(&jobs), 0);
	ended(jobs, -ENOSPC, 0);
	ended(jobs, -ENOSPC, 0);
	ended(jobs, -EXDEV, 0); /* an errno without a label of its own */
	ended(jobs, 0, 0);
	counts = sf_jobs_counts(jobs);
	for (size_t i = 0; i < SF_JOB_ERRORS; i++) {
		const char *name = sf_job_error_name(i);

		assert_int_equal(counts.errors[i], strcmp(name, "ENOSPC") == 0  ? 2
						   : strcmp(name, "other") == 0 ? 1
										: 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name, sf_job_error_name(j));
	}
	assert_string_equal(sf_job_error_name(SF_JOB_ERRORS - 1), "other");
	assert_int_equal(counts.failed[SF_OP_CREATE], 3);
	sf_jobs_free(jobs);
}

static void a_problem_is_one_for_its_kind_and_subject(void **state)
{
	struct sf_health *health;

	(void)state;
	assert_int_equal(sf_health_new(&health), 0);
	sf_health_set(health, "broken", "web/a", "first");
	sf_health_set(health, "broken", "web/a", "second");
	sf_health_set(health, "orphan", "web/a", "bytes that are no text: %s", "\xff\xfe");
	assert_int_equal(sf_health_count(health), 2);
	{
		auto_json json_t *root = parsed(sf_health_json(health, "/var/lib/snapfs"));
		const json_t *item = json_array_get(json_object_get(root, "problems"), 0);

		assert_true(json_is_false(json_object_get(root, "ok")));
		assert_string_equal(json_string_value(json_object_get(item, "text")), "second");
	}
	sf_health_clear(health, "broken", "web/a");
	sf_health_clear(health, "orphan", "web/a");
	sf_health_clear(health, "orphan", "never there");
	{
		auto_json json_t *root = parsed(sf_health_json(health, "/var/lib/snapfs"));

		assert_true(json_is_true(json_object_get(root, "ok")));
	}
	sf_health_free(health);
}

static void problems_beyond_the_cap_are_counted(void **state)
{
	struct sf_health *health;
	char subject[32];

	(void)state;
	assert_int_equal(sf_health_new(&health), 0);
	for (int i = 0; i < SF_HEALTH_MAX + 5; i++) {
		(void)snprintf(subject, sizeof(subject), "vm%d", i);
		sf_health_set(health, "disk", subject, "gone");
	}
	assert_int_equal(sf_health_count(health), SF_HEALTH_MAX + 5);
	{
		auto_json json_t *root = parsed(sf_health_json(health, "/var/lib/snapfs"));

		assert_int_equal(json_integer_value(json_object_get(root, "unlisted")), 5);
		assert_int_equal(json_array_size(json_object_get(root, "problems")), SF_HEALTH_MAX);
	}
	sf_health_free(health);
}

static void members_of_the_wrong_kind_are_named(void **state)
{
	static const char text[] =
		"{\"s\": \"long text\", \"n\": -1, \"b\": 0, \"i\": \"zz\", \"t\": \"today\"}";
	auto_json json_t *root = sf_json_parse_object(text, strlen(text), "x", NULL);
	struct sf_err err = {0};
	char small[4];
	struct sf_id id;
	uint64_t n;
	bool b;

	(void)state;
	assert_int_equal(sf_json_string(root, "s", small, sizeof(small), &err), -EINVAL);
	assert_string_equal(err.text, "\"s\" is longer than 3 bytes");
	assert_int_equal(sf_json_u64(root, "n", &n, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"n\""));
	assert_int_equal(sf_json_bool(root, "b", &b, &err), -EINVAL);
	assert_int_equal(sf_json_id(root, "i", &id, &err), -EINVAL);
	assert_non_null(strstr(err.text, "32 hex digits"));
	assert_int_equal(sf_json_time(root, "t", &n, &err), -EINVAL);
	assert_int_equal(sf_json_u64(root, "none", &n, &err), -EINVAL);
	assert_null(sf_json_parse_object("[]", 2, "list", &err));
	assert_string_equal(err.text, "list is not a JSON object");
	assert_null(sf_json_parse_object("{} {}", 5, "two", &err));
	assert_non_null(strstr(err.text, "two is not valid JSON"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_job_shows_its_progress),
		cmocka_unit_test(notes_come_one_behind_the_other_and_are_cut),
		cmocka_unit_test(a_note_is_shown_when_the_job_is_done),
		cmocka_unit_test(the_oldest_finished_job_makes_room),
		cmocka_unit_test(durations_are_counted_at_their_bounds),
		cmocka_unit_test(failures_are_counted_by_errno),
		cmocka_unit_test(a_problem_is_one_for_its_kind_and_subject),
		cmocka_unit_test(problems_beyond_the_cap_are_counted),
		cmocka_unit_test(members_of_the_wrong_kind_are_named),
	};

	return cmocka_run_group_tests_name("reports", tests, NULL, NULL);
}

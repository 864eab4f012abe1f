/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of schedules as their clients see them. */
#include "schedules_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define GONE "the client exited without reporting a result"

static void a_run_begins_and_ends(void **state)
{
	struct fixture *f = *state;

	assert_false(is_there(f, SF_RUNS_FILE));
	assert_int_equal(begin_due(f, "nightly", 1700000000ULL * 1000000000, &f->a, NULL), 0);
	shows(f, "nightly", "state", "running");
	shows(f, "nightly", "due", "2023-11-14T22:13:20.000000000Z");
	shows(f, "nightly", "ended", "null");
	shows(f, "nightly", "last_ok", "null");
	shows(f, "nightly", "created", "0");
	assert_int_equal(end(f, SF_RUN_OK, "all is well", &f->a, NULL), 0);
	shows(f, "nightly", "state", "ok");
	shows(f, "nightly", "text", "all is well");
	shows(f, "nightly", "created", "3");
	shows(f, "nightly", "deleted", "2");
	shows(f, "nightly", "failed", "1");
	assert_true(strcmp(shown(f, "nightly", "ended"), "null") != 0);
	troubled(f, NULL, NULL, NULL);
}

static void a_schedule_runs_once_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	assert_int_equal(begin(f, "nightly", &f->b, &err), -EBUSY);
	says(&err, "schedule 'nightly' has been running since 2");
	says(&err, shown(f, "nightly", "began"));
	assert_int_equal(begin(f, "hourly", &f->b, &err), 0);
	assert_int_equal(end(f, SF_RUN_OK, "", &f->a, NULL), 0);
	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
}

static void an_owner_has_one_run(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(end(f, SF_RUN_OK, "", &f->a, &err), -EINVAL);
	says(&err, "no run has begun");
	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	assert_int_equal(begin(f, "nightly", &f->a, &err), -EINVAL);
	says(&err, "a run of schedule 'nightly' has no result yet");
	assert_int_equal(begin(f, "hourly", &f->a, &err), -EINVAL);
	says(&err, "a run of schedule 'nightly' has no result yet");
	shows(f, "hourly", "state", "absent");
	assert_int_equal(end(f, SF_RUN_OK, "", &f->b, NULL), -EINVAL);
	shows(f, "nightly", "state", "running");
	assert_int_equal(end(f, SF_RUN_OK, "", &f->a, NULL), 0);
	assert_int_equal(end(f, SF_RUN_FAILED, "", &f->a, NULL), -EINVAL);
	shows(f, "nightly", "state", "ok");
}

static void a_due_instant_has_one_run(void **state)
{
	const uint64_t due = 1700000000ULL * 1000000000;
	struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(begin_due(f, "nightly", due, &f->a, NULL), 0);
	assert_int_equal(end(f, SF_RUN_FAILED, "no room", &f->a, NULL), 0);
	assert_int_equal(begin_due(f, "nightly", due, &f->b, &err), -EALREADY);
	says(&err, "has already run for that time");
	assert_int_equal(begin_due(f, "nightly", due - 1, &f->b, NULL), -EALREADY);
	shows(f, "nightly", "text", "no room");
	assert_int_equal(begin_due(f, "nightly", due + 1, &f->b, NULL), 0);
	assert_int_equal(end(f, SF_RUN_OK, "", &f->b, NULL), 0);
	assert_int_equal(begin(f, "nightly", &f->b, NULL), 0); /* a run by hand is never too early */
}

static void a_run_without_a_result_has_failed(void **state)
{
	struct fixture *f = *state;

	sf_runs_abandon(f->runs, &f->a, GONE); /* owns no run */
	troubled(f, NULL, NULL, NULL);
	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	sf_runs_abandon(f->runs, &f->b, GONE);
	shows(f, "nightly", "state", "running");
	sf_runs_abandon(f->runs, &f->a, GONE);
	shows(f, "nightly", "state", "failed");
	shows(f, "nightly", "text", "the client exited without reporting a result");
	troubled(f, "schedule", "nightly",
		 "its last run failed: the client exited without reporting a result");
	assert_int_equal(begin(f, "nightly", &f->b, NULL), 0);
}

static void a_problem_lasts_until_a_later_run_is_ok(void **state)
{
	struct fixture *f = *state;

	run(f, "nightly", SF_RUN_PARTLY, "web: no space");
	troubled(f, "schedule", "nightly", "its last run succeeded only in part: web: no space");
	run(f, "nightly", SF_RUN_FAILED, "");
	troubled(f, "schedule", "nightly", "its last run failed");
	restart(f);
	troubled(f, "schedule", "nightly", "its last run failed");
	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	troubled(f, "schedule", "nightly", "its last run failed");
	assert_int_equal(end(f, SF_RUN_OK, "", &f->a, NULL), 0);
	troubled(f, NULL, NULL, NULL);
	restart(f);
	troubled(f, NULL, NULL, NULL);
}

static void the_last_success_outlives_failures_and_restarts(void **state)
{
	struct fixture *f = *state;
	char last[SF_RUN_TEXT_MAX];

	run(f, "größe \"1\" \\", SF_RUN_OK, "");
	(void)snprintf(last, sizeof(last), "%s", shown(f, "größe \"1\" \\", "ended"));
	run(f, "größe \"1\" \\", SF_RUN_FAILED, "später \"mehr\"");
	shows(f, "größe \"1\" \\", "last_ok", last);
	restart(f);
	shows(f, "größe \"1\" \\", "last_ok", last);
	shows(f, "größe \"1\" \\", "state", "failed");
	shows(f, "größe \"1\" \\", "text", "später \"mehr\"");
	shows(f, "größe \"1\" \\", "created", "3");
}

static void a_daemon_that_dies_fails_the_run(void **state)
{
	struct fixture *f = *state;
	char ended[SF_RUN_TEXT_MAX];

	run(f, "nightly", SF_RUN_OK, "");
	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	restart(f);
	shows(f, "nightly", "state", "failed");
	shows(f, "nightly", "text", "snapfs exited during the run");
	assert_true(strcmp(shown(f, "nightly", "last_ok"), "null") != 0);
	troubled(f, "schedule", "nightly", "snapfs exited during the run");
	assert_int_equal(end(f, SF_RUN_OK, "", &f->a, NULL), -EINVAL);
	(void)snprintf(ended, sizeof(ended), "%s", shown(f, "nightly", "ended"));
	restart(f);
	shows(f, "nightly", "ended", ended);
}

static void what_is_forgotten_is_gone(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(sf_runs_forget(f->runs, "nightly", &err), -ENOENT);
	says(&err, "schedule 'nightly' is not known");
	run(f, "hourly", SF_RUN_OK, "");
	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	assert_int_equal(sf_runs_forget(f->runs, "nightly", &err), -EBUSY);
	assert_int_equal(end(f, SF_RUN_FAILED, "", &f->a, NULL), 0);
	assert_int_equal(sf_runs_forget(f->runs, "nightly", &err), 0);
	shows(f, "nightly", "state", "absent");
	shows(f, "hourly", "state", "ok");
	troubled(f, NULL, NULL, NULL);
	restart(f);
	shows(f, "nightly", "state", "absent");
	shows(f, "hourly", "state", "ok");
}

static void add_name(void *arg, const struct sf_schedule *schedule)
{
	char *text = arg;

	(void)snprintf(text + strlen(text), 200 - strlen(text), "%s %s %s\n", schedule->name,
		       sf_run_state_name(schedule->last.state), sf_run_state_name(schedule->result));
}

/* Checks for each schedule its state and the result of its last ended run; "running" for none. */
static void the_last_result_stands_while_the_next_run_goes_on(void **state)
{
	struct fixture *f = *state;
	char text[200] = "";

	run(f, "b", SF_RUN_PARTLY, "");
	assert_int_equal(begin(f, "a", &f->a, NULL), 0);
	assert_int_equal(begin(f, "b", &f->b, NULL), 0);
	sf_runs_each(f->runs, add_name, text);
	assert_string_equal(text, "a running running\nb running partly\n");
	restart(f);
	text[0] = '\0';
	sf_runs_each(f->runs, add_name, text);
	assert_string_equal(text, "a failed failed\nb failed failed\n");
	run(f, "a", SF_RUN_OK, "");
	restart(f);
	text[0] = '\0';
	sf_runs_each(f->runs, add_name, text);
	assert_string_equal(text, "a ok ok\nb failed failed\n");
}

static void they_are_shown_by_name(void **state)
{
	static const char *const sorted[] = {"a", "b", "c", "ö"};
	struct fixture *f = *state;
	auto_json json_t *root = NULL;

	run(f, "c", SF_RUN_OK, "");
	run(f, "a", SF_RUN_OK, "");
	run(f, "ö", SF_RUN_OK, "");
	run(f, "b", SF_RUN_OK, "");
	restart(f);
	root = document(sf_runs_json(f->runs));
	for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
		const json_t *item = json_array_get(json_object_get(root, "schedules"), i);

		assert_string_equal(json_string_value(json_object_get(item, "name")), sorted[i]);
	}
}

static void a_text_is_one_line(void **state)
{
	struct sf_err err = {0};
	char text[SF_RUN_TEXT_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(sf_run_text_check(text, &err), -E2BIG);
	says(&err, "longer than 1000 bytes");
	assert_int_equal(sf_run_text_check(text + 1, NULL), 0);
	assert_int_equal(sf_run_text_check("", NULL), 0);
	assert_int_equal(sf_run_text_check("größe", NULL), 0);
	assert_int_equal(sf_run_text_check("two\nlines", &err), -EINVAL);
	says(&err, "not one line");
	assert_int_equal(sf_run_text_check("a\ttab", NULL), -EINVAL);
	assert_int_equal(sf_run_text_check("\x1b[2J", NULL), -EINVAL);
	assert_int_equal(sf_run_text_check("\xff", NULL), -EINVAL);
}

struct racer {
	struct fixture *f;
	pthread_barrier_t *start;
	atomic_int *nbegun, *nbusy;
	pthread_t thread;
};

static void *race(void *arg)
{
	const struct racer *racer = arg;
	int rc;

	(void)pthread_barrier_wait(racer->start);
	rc = begin(racer->f, "nightly", racer, NULL);
	if (rc == 0)
		atomic_fetch_add(racer->nbegun, 1);
	else if (rc == -EBUSY)
		atomic_fetch_add(racer->nbusy, 1);
	free(sf_runs_json(racer->f->runs));
	return NULL;
}

static void of_many_at_once_one_begins(void **state)
{
	struct racer racers[8];
	pthread_barrier_t start;
	atomic_int nbegun = 0, nbusy = 0;

	pthread_barrier_init(&start, NULL, 8);
	for (int i = 0; i < 8; i++) {
		racers[i] = (struct racer){.f = *state, .start = &start, .nbegun = &nbegun, .nbusy = &nbusy};
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
	assert_int_equal(nbegun, 1);
	assert_int_equal(nbusy, 7);
	pthread_barrier_destroy(&start);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_run_begins_and_ends),
		CASE(a_schedule_runs_once_at_a_time),
		CASE(an_owner_has_one_run),
		CASE(a_due_instant_has_one_run),
		CASE(a_run_without_a_result_has_failed),
		CASE(a_problem_lasts_until_a_later_run_is_ok),
		CASE(the_last_success_outlives_failures_and_restarts),
		CASE(a_daemon_that_dies_fails_the_run),
		CASE(what_is_forgotten_is_gone),
		CASE(the_last_result_stands_while_the_next_run_goes_on),
		CASE(they_are_shown_by_name),
		CASE(a_text_is_one_line),
		CASE(of_many_at_once_one_begins),
	};

	return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}

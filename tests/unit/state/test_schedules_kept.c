/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that stores the records of schedules: how much it holds, damaged ones, and failing writes. */
#include "schedules_fixture.h"

#include "base/durable.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define TMP "." SF_RUNS_FILE SF_DURABLE_TMP_SUFFIX

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	assert_int_equal(sf_durable_write(f->fd, name, text, strlen(text), NULL), 0);
}

/* Restarts with n schedules named prefix and three digits, from 000 on, all equal to the given one. */
static void restart_with(struct fixture *f, int n, const char *prefix, const struct sf_schedule *like)
{
	auto_json json_t *root = json_pack("{s:i, s:[]}", "schema", 1, "schedules");
	struct sf_schedule schedule = *like;
	char *text;

	for (int i = 0; i < n; i++) {
		(void)snprintf(schedule.name, sizeof(schedule.name), "%s%03d", prefix, i);
		assert_int_equal(json_array_append_new(json_object_get(root, "schedules"),
						       sf_schedule_json(&schedule)),
				 0);
	}
	text = sf_json_text(root, NULL);
	assert_non_null(text);
	write_file(f, SF_RUNS_FILE, text);
	free(text);
	restart(f);
	troubled(f, NULL, NULL, NULL);
}

static size_t count_shown(struct fixture *f)
{
	auto_json json_t *root = document(sf_runs_json(f->runs));

	return json_array_size(json_object_get(root, "schedules"));
}

static void there_is_room_for_256(void **state)
{
	const struct sf_schedule like = {.began_ns = 1, .ended_ns = 2, .last = {.state = SF_RUN_OK}};
	struct fixture *f = *state;
	struct sf_err err = {0};

	restart_with(f, SF_RUNS_MAX - 1, "s", &like);
	run(f, "one more", SF_RUN_OK, "");
	assert_int_equal(begin(f, "too many", &f->a, &err), -ENOSPC);
	says(&err, "256 schedules are known");
	assert_int_equal(begin(f, "s007", &f->a, &err), 0);
	restart(f);
	assert_int_equal(count_shown(f), SF_RUNS_MAX);
	assert_int_equal(sf_runs_forget(f->runs, "s100", NULL), 0);
	assert_int_equal(begin(f, "too many", &f->a, &err), 0);
}

/* Even the largest possible file can be read again. */
static void all_of_the_longest_can_be_kept(void **state)
{
	const uint64_t latest_ns = 13569465599ULL * 1000000000;
	struct sf_schedule like = {
		.began_ns = latest_ns,
		.ended_ns = latest_ns,
		.due_ns = latest_ns,
		.last_ok_ns = latest_ns,
		.last = {
			.state = SF_RUN_OK, .created = INT64_MAX, .deleted = INT64_MAX, .failed = INT64_MAX}};
	char prefix[SF_NAME_MAX - 2];
	struct fixture *f = *state;

	memset(prefix, '"', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	memset(like.last.text, '"', SF_RUN_TEXT_MAX);
	restart_with(f, SF_RUNS_MAX, prefix, &like);
	assert_int_equal(count_shown(f), SF_RUNS_MAX);
}

#define ITEM                                                                                                 \
	"{\"name\": \"n\", \"state\": \"ok\", \"began\": \"2026-01-01T00:00:00.000000000Z\", \"ended\": "    \
	"null, "                                                                                             \
	"\"due\": null, \"last_ok\": null, \"text\": \"\", \"created\": 0, \"deleted\": 0, \"failed\": 0}"

static void what_makes_no_sense_is_set_aside(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "not valid JSON"},
		{"{\"schema\": 1, \"schedules\": [" ITEM, "not valid JSON"},
		{"{\"schema\": 0, \"schedules\": []}", "\"schema\" is 0, this version reads 1"},
		{"{\"schema\": 1}", "\"schedules\" is not a list"},
		{"{\"schema\": 1, \"schedules\": [" ITEM ", " ITEM "]}", "schedule 'n' is listed twice"},
		{"{\"schema\": 1, \"schedules\": [7]}", "\"name\""},
		{"{\"schema\": 1, \"schedules\": [{\"name\": \"../x\"}]}", "the name starts with '.'"},
		{"{\"schema\": 1, \"schedules\": [{\"name\": \"n\", \"began\": null}]}", "\"began\""},
	};
	struct fixture *f = *state;

	write_file(f, SF_RUNS_FILE, "{\"schema\": 1, \"schedules\": [" ITEM "]}");
	restart(f);
	troubled(f, NULL, NULL, NULL);
	shows(f, "n", "state", "ok");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(f, SF_RUNS_FILE, cases[i].text);
		restart(f);
		troubled(f, "set-aside", ".aside-schedules.json", cases[i].why);
		shows(f, "n", "state", "absent");
		assert_false(is_there(f, SF_RUNS_FILE));
		assert_int_equal(unlinkat(f->fd, ".aside-schedules.json", 0), 0);
	}
}

static void what_a_newer_version_wrote_is_kept(void **state)
{
	static const char newer[] = "{\"schema\": 2, \"plans\": []}";
	const struct sf_run_request request = {.schedule = "n"};
	struct fixture *f = *state;
	char *text;
	size_t len;

	write_file(f, SF_RUNS_FILE, newer);
	restart(f);
	troubled(f, "newer", SF_RUNS_FILE, "\"schema\" is 2, this version reads 1");
	assert_int_equal(sf_runs_begin(f->runs, &request, f, NULL), 0);
	assert_int_equal(sf_durable_read(f->fd, SF_RUNS_FILE, 1000, &text, &len, NULL), 0);
	assert_string_equal(text, newer);
	free(text);
}

static void what_lies_aside_is_told_of_and_kept(void **state)
{
	struct fixture *f = *state;

	write_file(f, SF_RUNS_FILE, "first");
	restart(f);
	run(f, "nightly", SF_RUN_OK, "");
	restart(f);
	troubled(f, "set-aside", ".aside-schedules.json", "could not be read and was set aside");
	shows(f, "nightly", "state", "ok");
	write_file(f, SF_RUNS_FILE, "second");
	restart(f);
	assert_int_equal(sf_health_count(f->health), 2);
	assert_true(is_there(f, ".aside-schedules.json") && is_there(f, ".aside-schedules.json-2"));
}

static void what_cannot_be_read_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sf_err err = {0};

	/* open(2) of a socket fails with ENXIO, which says nothing about its content. */
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s/" SF_RUNS_FILE, f->dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	restart(f);
	troubled(f, "state", SF_RUNS_FILE, "cannot be read: open " SF_RUNS_FILE);
	/* A run does not fail because its history cannot be stored; it stays in memory. */
	assert_int_equal(begin(f, "nightly", &f->a, &err), 0);
	shows(f, "nightly", "state", "running");
	sf_runs_abandon(f->runs, &f->a, "it is gone");
	assert_int_equal(sf_runs_forget(f->runs, "nightly", &err), 0);
	troubled(f, "state", SF_RUNS_FILE, "cannot be read: open " SF_RUNS_FILE);
	restart(f);
	troubled(f, "state", SF_RUNS_FILE, "cannot be read: open " SF_RUNS_FILE);
	(void)close(fd);
}

static void what_cannot_be_written_has_not_begun(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	run(f, "nightly", SF_RUN_OK, "as ever");
	assert_int_equal(mkdirat(f->fd, TMP, 0700), 0);
	assert_int_equal(begin(f, "nightly", &f->a, &err), -EISDIR);
	assert_int_equal(begin(f, "new", &f->a, &err), -EISDIR);
	shows(f, "nightly", "text", "as ever");
	shows(f, "new", "state", "absent");
	troubled(f, "state", SF_RUNS_FILE, "cannot be written: create " TMP);
	assert_int_equal(sf_runs_forget(f->runs, "nightly", &err), -EISDIR);
	shows(f, "nightly", "text", "as ever");
	assert_int_equal(unlinkat(f->fd, TMP, AT_REMOVEDIR), 0);
	run(f, "nightly", SF_RUN_OK, "again");
	troubled(f, NULL, NULL, NULL);
}

static void a_result_that_cannot_be_written_counts(void **state)
{
	struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(begin(f, "nightly", &f->a, NULL), 0);
	assert_int_equal(mkdirat(f->fd, TMP, 0700), 0);
	assert_int_equal(end(f, SF_RUN_OK, "done", &f->a, &err), -EISDIR);
	shows(f, "nightly", "state", "ok");
	assert_int_equal(unlinkat(f->fd, TMP, AT_REMOVEDIR), 0);
	run(f, "hourly", SF_RUN_OK, "");
	restart(f);
	shows(f, "nightly", "text", "done");
}

static void a_half_written_file_is_removed(void **state)
{
	struct fixture *f = *state;

	write_file(f, TMP, "{\"sch");
	restart(f);
	assert_false(is_there(f, TMP));
	troubled(f, NULL, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(there_is_room_for_256),
		CASE(all_of_the_longest_can_be_kept),
		CASE(what_makes_no_sense_is_set_aside),
		CASE(what_a_newer_version_wrote_is_kept),
		CASE(what_lies_aside_is_told_of_and_kept),
		CASE(what_cannot_be_read_is_not_replaced),
		CASE(what_cannot_be_written_has_not_begun),
		CASE(a_result_that_cannot_be_written_counts),
		CASE(a_half_written_file_is_removed),
	};

	return cmocka_run_group_tests_name("runs_kept", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixture for the records of schedules, in a temporary directory: begin, end and show runs, and restart the
 * daemon.
 */
#ifndef SF_TESTS_UNIT_RUNS_FIXTURE_H
#define SF_TESTS_UNIT_RUNS_FIXTURE_H

#include "core/state/health.h"
#include "core/state/schedules.h"
#include "lib/tmpdir.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[100];
	int fd;
	struct sf_health *health;
	struct sf_runs *runs;
	int a, b; /* only their addresses matter: they identify owners */
};

static inline void open_runs(struct fixture *f)
{
	assert_int_equal(sf_health_new(&f->health), 0);
	assert_int_equal(sf_runs_new(f->fd, f->health, &f->runs, NULL), 0);
	sf_runs_settle(f->runs);
}

static inline void close_runs(struct fixture *f)
{
	sf_runs_free(f->runs);
	sf_health_free(f->health);
}

/* Reopens the records as the daemon does after it was killed. */
static inline void restart(struct fixture *f)
{
	close_runs(f);
	open_runs(f);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "runs"));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	open_runs(f);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;
	char command[160];

	close_runs(f);
	(void)close(f->fd);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static inline int begin_due(struct fixture *f, const char *name, uint64_t due_ns, const void *owner,
			    struct sf_err *err)
{
	struct sf_run_request request = {.due_ns = due_ns};

	(void)snprintf(request.schedule, sizeof(request.schedule), "%s", name);
	return sf_runs_begin(f->runs, &request, owner, err);
}

static inline int begin(struct fixture *f, const char *name, const void *owner, struct sf_err *err)
{
	return begin_due(f, name, 0, owner, err);
}

static inline int end(struct fixture *f, enum sf_run_state state, const char *text, const void *owner,
		      struct sf_err *err)
{
	struct sf_run_result result = {.state = state, .created = 3, .deleted = 2, .failed = 1};

	(void)snprintf(result.text, sizeof(result.text), "%s", text);
	return sf_runs_end(f->runs, &result, owner, err);
}

/* Records a complete run; every step must succeed. */
static inline void run(struct fixture *f, const char *name, enum sf_run_state state, const char *text)
{
	assert_int_equal(begin(f, name, f, NULL), 0);
	assert_int_equal(end(f, state, text, f, NULL), 0);
}

static inline json_t *document(char *text)
{
	json_t *root = text ? sf_json_parse_object(text, strlen(text), "a document", NULL) : NULL;

	assert_non_null(root);
	free(text);
	return root;
}

/* A member of a schedule in schedules.json, as text; "absent" if there is no such schedule. Static memory. */
static inline const char *shown(struct fixture *f, const char *name, const char *key)
{
	auto_json json_t *root = document(sf_runs_json(f->runs));
	const json_t *list = json_object_get(root, "schedules");
	static char text[1100];

	(void)snprintf(text, sizeof(text), "absent");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i), *value = json_object_get(item, key);

		if (strcmp(json_string_value(json_object_get(item, "name")), name) != 0)
			continue;
		assert_non_null(value);
		if (json_is_integer(value))
			(void)snprintf(text, sizeof(text), "%d", (int)json_integer_value(value));
		else
			(void)snprintf(text, sizeof(text), "%s",
				       json_is_null(value) ? "null" : json_string_value(value));
	}
	return text;
}

static inline void shows(struct fixture *f, const char *name, const char *key, const char *value)
{
	assert_string_equal(shown(f, name, key), value);
}

static inline void says(const struct sf_err *err, const char *why)
{
	if (!strstr(err->text, why))
		fail_msg("'%s' does not say '%s'", err->text, why);
}

/* Asserts that health.json has exactly this one problem; kind NULL: no problem. */
static inline void troubled(struct fixture *f, const char *kind, const char *subject, const char *text)
{
	auto_json json_t *root = document(sf_health_json(f->health, "/var/lib/snapfs"));
	const json_t *list = json_object_get(root, "problems"), *item = json_array_get(list, 0);

	assert_int_equal(json_array_size(list), kind ? 1 : 0);
	if (!kind)
		return;
	assert_string_equal(json_string_value(json_object_get(item, "kind")), kind);
	assert_string_equal(json_string_value(json_object_get(item, "subject")), subject);
	if (!strstr(json_string_value(json_object_get(item, "text")), text))
		fail_msg("'%s' does not say '%s'", json_string_value(json_object_get(item, "text")), text);
}

static inline bool is_there(const struct fixture *f, const char *name)
{
	return faccessat(f->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

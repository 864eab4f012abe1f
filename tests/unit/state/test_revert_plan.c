/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/state/revert_plan.h"

#include "base/durable.h"
#include "base/err.h"
#include "core/state/state.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A plan in the original form of schema 1. Later versions must read it. */
static const char schema_1[] =
	"{\"schema\": 1, \"phase\": \"switching\", \"snapshot\": \"00112233445566778899aabbccddeeff\",\n"
	" \"safety\": \"ffeeddccbbaa99887766554433221100\", \"guest\": \"running\", \"power\": \"paused\",\n"
	" \"memory\": true, \"back\": false}\n";

static char path[128];
static int dir;

static int setup(void **state)
{
	(void)state;
	assert_non_null(test_tmpdir(path, sizeof(path), "plan"));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(sf_plan_drop(dir, NULL), 0);
	close(dir);
	return rmdir(path);
}

static void write_text(const char *text)
{
	assert_int_equal(sf_durable_write(dir, SF_STATE_PLAN, text, strlen(text), NULL), 0);
}

static void schema_1_is_read(void **state)
{
	struct sf_plan plan;

	(void)state;
	write_text(schema_1);
	assert_int_equal(sf_plan_read(dir, &plan, NULL), 0);
	assert_int_equal(plan.phase, SF_LIFE_SWITCHING);
	assert_true(plan.has_safety);
	assert_int_equal(plan.safety.bytes[0], 0xff);
	assert_int_equal(plan.guest, SF_POWER_RUNNING);
	assert_int_equal(plan.power, SF_POWER_PAUSED);
	assert_true(plan.memory);
	assert_false(plan.back);
}

static void every_phase_is_written_and_read(void **state)
{
	(void)state;
	for (enum sf_life phase = SF_LIFE_PREPARED; phase <= SF_LIFE_POWERING; phase++) {
		struct sf_plan plan = {.phase = phase,
				       .snapshot = sf_id_new(),
				       .guest = SF_POWER_OFF,
				       .back = true},
			       again;

		assert_int_equal(sf_plan_write(dir, &plan, NULL), 0);
		assert_int_equal(sf_plan_read(dir, &again, NULL), 0);
		assert_int_equal(again.phase, phase);
		assert_true(sf_id_equal(&again.snapshot, &plan.snapshot));
		assert_false(again.has_safety);
		assert_true(again.back);
	}
}

static void refused(const char *piece, const char *instead, const char *why)
{
	const char *at = strstr(schema_1, piece);
	struct sf_plan plan;
	struct sf_err err = {0};
	char text[1024];

	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - schema_1), schema_1, instead,
		       at + strlen(piece));
	write_text(text);
	assert_int_equal(sf_plan_read(dir, &plan, &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void hostile_plans_are_refused_by_member(void **state)
{
	(void)state;
	refused("\"schema\": 1", "\"schema\": 0", "\"schema\" is 0");
	refused("switching", "creating", "\"phase\" has the unknown value 'creating'");
	refused("00112233", "0011223", "\"snapshot\"");
	refused("\"ffeeddccbbaa99887766554433221100\"", "7", "\"safety\"");
	refused("running", "walking", "\"guest\"");
	refused("true", "1", "\"memory\"");
	refused("{", "[", "not valid JSON");
}

static void no_plan_is_told_apart(void **state)
{
	struct sf_plan plan;
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(sf_plan_drop(dir, NULL), 0);
	assert_int_equal(sf_plan_read(dir, &plan, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_1_is_read),
		cmocka_unit_test(every_phase_is_written_and_read),
		cmocka_unit_test(hostile_plans_are_refused_by_member),
		cmocka_unit_test(no_plan_is_told_apart),
	};

	return cmocka_run_group_tests_name("plan", tests, setup, teardown);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest modules of base: err, clock, id. */
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_level_adds_what_it_was_doing(void **state)
{
	struct sf_err err = {0};
	int rc = sf_fail(&err, -EIO, "read %s", "sector 7");

	(void)state;
	rc = sf_wrap(&err, rc, "disk %s", "vda");
	assert_int_equal(rc, -EIO);
	assert_int_equal(err.code, -EIO);
	assert_string_equal(err.text, "disk vda: read sector 7");
}

static void an_error_nobody_wants_is_fine(void **state)
{
	(void)state;
	errno = ENOENT;
	assert_int_equal(sf_fail(NULL, -EIO, "x"), -EIO);
	assert_int_equal(sf_wrap(NULL, -EIO, "x"), -EIO);
	assert_int_equal(errno, ENOENT);
}

static void an_overlong_sentence_is_cut(void **state)
{
	struct sf_err err = {0};
	char name[2 * SF_ERR_TEXT];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	sf_fail(&err, -EIO, "%s", name);
	assert_int_equal(strlen(err.text), SF_ERR_TEXT - 1);
	sf_wrap(&err, -EIO, "%s", name);
	assert_int_equal(strlen(err.text), SF_ERR_TEXT - 1);
}

static void errnos_have_names(void **state)
{
	(void)state;
	assert_string_equal(sf_errno_name(-ENOSPC), "ENOSPC");
	assert_string_equal(sf_errno_name(EBUSY), "EBUSY");
	assert_string_equal(sf_errno_name(-9999), "E?");
}

static void instants_are_read_as_they_are_written(void **state)
{
	static const uint64_t instants[] = {
		0, 1, 999999999, 1000000000, 951782399999999999, 1764000000123456789};
	char text[SF_TIME_TEXT];
	uint64_t again;

	(void)state;
	for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
		sf_time_format(instants[i], text);
		assert_int_equal(sf_time_parse(text, &again), 0);
		assert_int_equal(again, instants[i]);
	}
	sf_time_format(951782400000000000, text);
	assert_string_equal(text, "2000-02-29T00:00:00.000000000Z");
}

static void other_spellings_of_an_instant_are_refused(void **state)
{
	static const char *const texts[] = {"",
					    "now",
					    "2026-11-22",
					    "2026-11-22T16:39:00Z",
					    "2026-11-22T16:39:00.1Z",
					    "2026-11-22T16:39:00.123456789",
					    "2026-11-22T16:39:00.123456789Zx",
					    "2026-02-30T00:00:00.000000000Z",
					    "1969-12-31T23:59:59.000000000Z",
					    " 2026-11-22T16:39:00.123456789Z",
					    "9999-11-22T16:39:00.123456789Z"};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (sf_time_parse(texts[i], &ns) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
}

static void ids_are_random_and_strictly_spelled(void **state)
{
	struct sf_id a = sf_id_new(), b = sf_id_new(), again;
	char text[SF_ID_TEXT];

	(void)state;
	assert_false(sf_id_equal(&a, &b));
	sf_id_format(&a, text);
	assert_int_equal(sf_id_parse(text, &again), 0);
	assert_true(sf_id_equal(&a, &again));
	assert_int_equal(sf_id_parse("00112233445566778899AABBCCDDEEFF", &again), -EINVAL);
	assert_int_equal(sf_id_parse("00112233445566778899aabbccddeef", &again), -EINVAL);
	assert_int_equal(sf_id_parse("00112233445566778899aabbccddeeff0", &again), -EINVAL);
	assert_int_equal(sf_id_parse("", &again), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_level_adds_what_it_was_doing),
		cmocka_unit_test(an_error_nobody_wants_is_fine),
		cmocka_unit_test(an_overlong_sentence_is_cut),
		cmocka_unit_test(errnos_have_names),
		cmocka_unit_test(instants_are_read_as_they_are_written),
		cmocka_unit_test(other_spellings_of_an_instant_are_refused),
		cmocka_unit_test(ids_are_random_and_strictly_spelled),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

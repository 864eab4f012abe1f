/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/calendar/duration.h"

#include "core/calendar/zone.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define S 1000000000ULL

static struct sf_duration parsed(const char *text)
{
	struct sf_duration duration = {0};
	struct sf_err err = {0};

	if (sf_duration_parse(text, &duration, &err) < 0)
		fail_msg("%s", err.text);
	return duration;
}

static void each_unit_has_one_meaning(void **state)
{
	const struct sf_duration all = parsed("1y2mo3w4d5h6min7s");
	const struct sf_duration some = parsed("99999h0y"), zero = parsed("0d0s");

	(void)state;
	assert_int_equal(all.years, 1);
	assert_int_equal(all.months, 2);
	assert_int_equal(all.weeks, 3);
	assert_int_equal(all.days, 4);
	assert_int_equal(all.hours, 5);
	assert_int_equal(all.minutes, 6);
	assert_int_equal(all.seconds, 7);
	assert_int_equal(some.years, 0);
	assert_int_equal(some.hours, 99999);
	assert_true(sf_duration_is_zero(&zero));
	assert_false(sf_duration_is_zero(&some));
}

static void a_bare_m_is_refused_with_advice(void **state)
{
	static const char *const texts[] = {"30m", "1y30m", "30m1h"};
	struct sf_duration duration = {.days = 5};
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(sf_duration_parse(texts[i], &duration, &err), -EINVAL);
		assert_non_null(strstr(err.text, texts[i]));
		assert_non_null(strstr(err.text, "m could be minutes or months: write 30min or 30mo"));
		assert_int_equal(duration.days, 5);
	}
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = {"",     "5",        "d",        "1dd", "-1d", "1d ",
					  "1d1d", "1D",       "100000d",  "2d5", "1 d", "99999999999d",
					  "1.5d", "1min1min", "unlimited"};
	struct sf_duration duration = {.days = 5};
	struct sf_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (sf_duration_parse(bad[i], &duration, &err) != -EINVAL)
			fail_msg("'%s' passes", bad[i]);
		assert_non_null(strstr(err.text, "': expected numbers with units, such as 1y6mo"));
		assert_int_equal(duration.days, 5);
	}
}

static void a_formatted_duration_is_parsed_again(void **state)
{
	static const char *const texts[] = {"1y2mo3w4d5h6min7s", "30min",
					    "99999y99999mo99999w99999d99999h99999min99999s"};
	char text[SF_DURATION_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct sf_duration duration = parsed(texts[i]);

		sf_duration_format(&duration, text);
		assert_string_equal(text, texts[i]);
	}
}

static void seconds_need_units_of_fixed_length(void **state)
{
	const struct sf_duration fixed = parsed("1w1d1h1min1s"), month = parsed("1mo"), year = parsed("1y1s");
	uint64_t seconds = 7;

	(void)state;
	assert_false(sf_duration_seconds(&month, &seconds));
	assert_false(sf_duration_seconds(&year, &seconds));
	assert_int_equal(seconds, 7);
	assert_true(sf_duration_seconds(&fixed, &seconds));
	assert_int_equal(seconds, 8 * 86400 + 3661);
}

static void days_before_follow_the_calendar(void **state)
{
	const uint64_t noon =
		1774778400 * S; /* 2026-03-29 12:00 in Berlin, 11 hours after the clocks changed */
	const struct sf_duration day = parsed("1d"), hours = parsed("24h"), age = parsed("300y");
	struct sf_zone zone = {0};

	(void)state;
	assert_int_equal(sf_zone_enter(&zone, "Europe/Berlin", NULL), 0);
	assert_true(sf_duration_before(&day, noon + 5) == noon + 5 - 23 * 3600 * S);
	assert_true(sf_duration_before(&hours, noon) == noon - 24 * 3600 * S);
	assert_true(sf_duration_before(&age, noon) == 0);
	sf_zone_leave(&zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_unit_has_one_meaning),
		cmocka_unit_test(a_bare_m_is_refused_with_advice),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(a_formatted_duration_is_parsed_again),
		cmocka_unit_test(seconds_need_units_of_fixed_length),
		cmocka_unit_test(days_before_follow_the_calendar),
	};

	return cmocka_run_group_tests_name("duration", tests, NULL, NULL);
}

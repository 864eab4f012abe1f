/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/calendar/when.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NS_PER_S 1000000000ULL
#define TEXT_MAX 32

static uint64_t ns(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%d %H:%M", &tm);

	assert_non_null(end);
	if (*end)
		assert_non_null(strptime(end, ":%S", &tm));
	return (uint64_t)timegm(&tm) * NS_PER_S;
}

static void spell(uint64_t at_ns, char text[TEXT_MAX])
{
	time_t seconds = (time_t)(at_ns / NS_PER_S);
	struct tm tm;

	assert_int_equal(at_ns % NS_PER_S, 0);
	gmtime_r(&seconds, &tm);
	(void)strftime(text, TEXT_MAX, tm.tm_sec ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
}

static struct sf_when parsed(const char *text)
{
	struct sf_when when;
	struct sf_err err = {0};

	if (sf_when_parse(text, &when, &err) < 0)
		fail_msg("%s", err.text);
	return when;
}

/* All instants in UTC. */
static void due(const char *zone, const char *text, const char *now, const char *previous, const char *next)
{
	struct sf_when when = parsed(text);
	char got[2][TEXT_MAX];
	uint64_t at;

	assert_int_equal(sf_when_previous(&when, zone, ns(now), &at, NULL), 0);
	spell(at, got[0]);
	assert_int_equal(sf_when_next(&when, zone, ns(now), &at, NULL), 0);
	spell(at, got[1]);
	if (strcmp(got[0], previous) != 0 || strcmp(got[1], next) != 0)
		fail_msg("%s, at %s: %s and %s, not %s and %s", text, now, got[0], got[1], previous, next);
}

static void hourly_is_at_minute_0_or_at_those_named(void **state)
{
	(void)state;
	due("UTC", "hourly", "2026-11-22 16:39", "2026-11-22 16:00", "2026-11-22 17:00");
	due("UTC", "hourly :15", "2026-11-22 16:14:59", "2026-11-22 15:15", "2026-11-22 16:15");
	due("UTC", "hourly :45, :00", "2026-12-31 23:50", "2026-12-31 23:45", "2027-01-01 00:00");
	due("Asia/Kolkata", "hourly", "2026-11-22 16:39", "2026-11-22 16:30", "2026-11-22 17:30");
}

static void every_divides_the_hour_or_the_day(void **state)
{
	(void)state;
	due("UTC", "every 15min", "2026-11-22 16:39", "2026-11-22 16:30", "2026-11-22 16:45");
	due("UTC", "every 4h", "2026-11-22 16:39", "2026-11-22 16:00", "2026-11-22 20:00");
	due("UTC", "every 12h :10", "2026-11-22 00:09", "2026-11-21 12:10", "2026-11-22 00:10");
	due("UTC", "every 1h", "2026-11-22 16:39", "2026-11-22 16:00", "2026-11-22 17:00");
	due("Europe/Berlin", "every 8h", "2026-07-22 16:39", "2026-07-22 14:00", "2026-07-22 22:00");
}

static void daily_is_at_midnight_or_at_those_named(void **state)
{
	(void)state;
	due("UTC", "daily", "2026-11-22 16:39", "2026-11-22 00:00", "2026-11-23 00:00");
	due("UTC", "daily 02:30", "2026-11-22 02:29:59", "2026-11-21 02:30", "2026-11-22 02:30");
	due("UTC", "Daily 14:30, 2:30", "2026-11-22 14:29", "2026-11-22 02:30", "2026-11-22 14:30");
	due("Europe/Berlin", "daily 02:30", "2026-11-22 01:30", "2026-11-22 01:30", "2026-11-23 01:30");
}

static void the_very_instant_is_previous_not_next(void **state)
{
	struct sf_when when = parsed("daily 02:30");
	uint64_t at;

	(void)state;
	due("UTC", "daily 02:30", "2026-11-22 02:30", "2026-11-22 02:30", "2026-11-23 02:30");
	due("UTC", "hourly", "2026-11-22 02:00", "2026-11-22 02:00", "2026-11-22 03:00");
	assert_int_equal(sf_when_next(&when, "UTC", ns("2026-11-22 02:30") - 1, &at, NULL), 0);
	assert_int_equal(at, ns("2026-11-22 02:30"));
	assert_int_equal(sf_when_previous(&when, "UTC", ns("2026-11-22 02:30") - 1, &at, NULL), 0);
	assert_int_equal(at, ns("2026-11-21 02:30"));
}

/* 22 November 2026 is a Sunday. */
static void days_of_the_week_stand_alone_in_lists_and_ranges(void **state)
{
	(void)state;
	due("UTC", "weekly Sun 03:00", "2026-11-22 02:00", "2026-11-15 03:00", "2026-11-22 03:00");
	due("UTC", "sunday", "2026-11-22 02:00", "2026-11-22 00:00", "2026-11-29 00:00");
	due("UTC", "Mon..Fri 22:00", "2026-11-22 12:00", "2026-11-20 22:00", "2026-11-23 22:00");
	due("UTC", "Mon-Fri 22:00", "2026-11-23 23:00", "2026-11-23 22:00", "2026-11-24 22:00");
	due("UTC", "Mon,Thu 22:00", "2026-11-22 12:00", "2026-11-19 22:00", "2026-11-23 22:00");
	due("UTC", "weekly TUE, Sat..Mon, 6:00 18:00", "2026-11-24 12:00", "2026-11-24 06:00",
	    "2026-11-24 18:00");
	due("UTC", "Sat..Mon 6:00", "2026-11-24 12:00", "2026-11-23 06:00", "2026-11-28 06:00");
}

static void days_are_those_of_the_zone(void **state)
{
	(void)state;
	due("Pacific/Kiritimati", "Mon 08:00", "2026-11-22 12:00", "2026-11-15 18:00", "2026-11-22 18:00");
	due("America/Los_Angeles", "monthly 1 20:00", "2026-12-02 03:59", "2026-11-02 04:00",
	    "2026-12-02 04:00");
}

static void monthly_is_on_the_first_or_on_those_named(void **state)
{
	(void)state;
	due("UTC", "monthly", "2026-11-22 16:39", "2026-11-01 00:00", "2026-12-01 00:00");
	due("UTC", "monthly 04:00", "2026-11-22 16:39", "2026-11-01 04:00", "2026-12-01 04:00");
	due("UTC", "monthly 1, 15 04:00", "2026-11-22 16:39", "2026-11-15 04:00", "2026-12-01 04:00");
	due("UTC", "monthly 15,1 04:00,05:00", "2027-01-01 04:30", "2027-01-01 04:00", "2027-01-01 05:00");
}

static void months_without_that_day_have_it_on_their_last(void **state)
{
	(void)state;
	due("UTC", "monthly 31 04:00", "2026-04-15 00:00", "2026-03-31 04:00", "2026-04-30 04:00");
	due("UTC", "monthly last 04:00", "2026-02-15 00:00", "2026-01-31 04:00", "2026-02-28 04:00");
	due("UTC", "monthly 30 04:00", "2026-02-15 00:00", "2026-01-30 04:00", "2026-02-28 04:00");
	due("UTC", "monthly 30 04:00", "2026-02-28 12:00", "2026-02-28 04:00", "2026-03-30 04:00");
	due("UTC", "monthly 29,30,31 04:00", "2026-02-28 12:00", "2026-02-28 04:00", "2026-03-29 04:00");
	due("UTC", "monthly 30 04:00", "2026-03-30 12:00", "2026-03-30 04:00", "2026-04-30 04:00");
}

static void leap_years_have_a_29th(void **state)
{
	(void)state;
	due("UTC", "monthly 29 04:00", "2028-02-28 12:00", "2028-01-29 04:00", "2028-02-29 04:00");
	due("UTC", "monthly last", "2028-02-29 00:00", "2028-02-29 00:00", "2028-03-31 00:00");
	due("UTC", "monthly 31", "2100-02-28 12:00", "2100-02-28 00:00", "2100-03-31 00:00");
	due("UTC", "daily", "2028-02-28 12:00", "2028-02-28 00:00", "2028-02-29 00:00");
}

/* 29 March 2026: clocks skip 02:00 to 03:00 at 01:00 UTC. */
static void a_time_that_clocks_skip_is_due_when_they_do(void **state)
{
	(void)state;
	due("Europe/Berlin", "daily 02:30", "2026-03-29 00:59", "2026-03-28 01:30", "2026-03-29 01:00");
	due("Europe/Berlin", "daily 02:30", "2026-03-29 01:00", "2026-03-29 01:00", "2026-03-30 00:30");
	due("Europe/Berlin", "daily 02:00, 02:30, 03:00, 03:30", "2026-03-29 01:00", "2026-03-29 01:00",
	    "2026-03-29 01:30");
	due("America/Sao_Paulo", "daily", "2018-11-04 02:00", "2018-11-03 03:00", "2018-11-04 03:00");
	due("Pacific/Apia", "daily 12:00", "2011-12-30 09:59", "2011-12-29 22:00", "2011-12-30 10:00");
}

/* 25 October 2026: clocks go back from 03:00 to 02:00 at 01:00 UTC. */
static void a_time_that_occurs_twice_is_due_once(void **state)
{
	(void)state;
	due("Europe/Berlin", "daily 02:30", "2026-10-25 00:29", "2026-10-24 00:30", "2026-10-25 00:30");
	due("Europe/Berlin", "daily 02:30", "2026-10-25 01:45", "2026-10-25 00:30", "2026-10-26 01:30");
	due("Europe/Berlin", "every 2h", "2026-10-25 01:45", "2026-10-25 00:00", "2026-10-25 03:00");
	/* St John's: Sunday began, then it was 23:01 on Saturday again. */
	due("America/St_Johns", "daily", "2010-11-07 03:00", "2010-11-07 02:30", "2010-11-08 03:30");
	due("America/St_Johns", "daily 23:30", "2010-11-07 03:15", "2010-11-07 02:00", "2010-11-08 03:00");
}

static void what_goes_by_the_hour_is_due_in_each_that_passes(void **state)
{
	(void)state;
	due("Europe/Berlin", "hourly", "2026-10-25 00:30", "2026-10-25 00:00", "2026-10-25 01:00");
	due("Europe/Berlin", "every 1h", "2026-10-25 01:30", "2026-10-25 01:00", "2026-10-25 02:00");
	due("Europe/Berlin", "every 30min", "2026-10-25 00:45", "2026-10-25 00:30", "2026-10-25 01:00");
	due("Europe/Berlin", "hourly :15", "2026-03-29 00:30", "2026-03-29 00:15", "2026-03-29 01:15");
	/* Lord Howe: 02:00 becomes 02:30, so there is no 02:15. */
	due("Australia/Lord_Howe", "hourly :15", "2026-10-03 15:40", "2026-10-03 14:45", "2026-10-03 16:15");
}

static void the_hosts_zone_is_that_of_tz(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
	due(NULL, "daily 12:00", "2026-11-22 06:00", "2026-11-21 06:30", "2026-11-22 06:30");
	due("UTC", "daily 12:00", "2026-11-22 06:00", "2026-11-21 12:00", "2026-11-22 12:00");
	assert_string_equal(getenv("TZ"), "Asia/Kolkata");
	assert_int_equal(unsetenv("TZ"), 0);
}

static void what_cannot_be_told_is_an_error(void **state)
{
	struct sf_when when = parsed("daily 02:30");
	struct sf_err err = {0};
	uint64_t at = 7;

	(void)state;
	assert_int_equal(sf_when_next(&when, "Mars/Base", 0, &at, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no time zone 'Mars/Base'"));
	assert_int_equal(sf_when_previous(&when, "UTC", NS_PER_S, &at, &err), -ERANGE);
	assert_non_null(strstr(err.text, "not due between 1970 and this time"));
	assert_int_equal(at, 7);
}

/* A text, and the expected reason. */
static const char *const bad_words[][2] = {
	{"", "'' is neither hourly, every, daily, weekly, monthly nor a day of the week"},
	{"yearly", "'yearly' is neither"},
	{"02:30", "'02:30' is neither"},
	{"* 2 * * *", "'*' is neither"},
	{"hourly 15", "'15' is not a minute from :00 to :59"},
	{"hourly :60", "':60' is not a minute"},
	{"hourly :5", "':5' is not a minute"},
	{"hourly :005", "':005' is not a minute"},
	{"hourly 3:15", "'3:15' is not a minute"},
	{"every", "every '': not 5, 10"},
	{"every 15m", "every '15m': m could be minutes or months: write every 15min"},
	{"every 7min", "every '7min': not 5, 10, 15, 20 or 30min, nor 1, 2, 3, 4, 6, 8 or 12h"},
	{"every 24h", "every '24h'"},
	{"every 4", "every '4'"},
	{"every 15min :05", "unexpected ':05'"},
	{"every 4h 00:15", "'00:15' is not a minute"},
	{"daily 24:00", "'24:00' is not a time of day from 00:00 to 23:59"},
	{"daily 12:60", "'12:60' is not a time"},
	{"daily 12:5", "'12:5' is not a time"},
	{"daily 12", "'12' is not a time"},
	{"daily 12:", "'12:' is not a time"},
	{"daily :30", "':30' is not a time"},
	{"daily 002:30", "'002:30' is not a time"},
	{"daily 12:30:00", "'12:30:00' is not a time"},
	{"daily 2.30", "'2.30' is not a time"},
	{"daily -1:30", "'-1:30' is not a time"},
	{"daily 02:30 Mon", "'Mon' is not a time"},
	{"weekly", "weekly without a day, such as Sun"},
	{"weekly 02:30", "weekly without a day"},
	{"weekly 7", "weekly without a day"},
	{"weekly Foo", "'Foo' is not a day of the week, or Mon..Fri"},
	{"Mon Foo", "'Foo' is not a day"},
	{"Mon.Fri 22:00", "'Mon.Fri' is neither"},
	{"Mon.. 22:00", "'Mon..' is neither"},
	{"Mon..Foo 22:00", "'Mon..Foo' is neither"},
	{"weekly Mon..Wed..Fri", "'Mon..Wed..Fri' is not a day"},
	{"Mo 22:00", "'Mo' is neither"},
	{"Mond 22:00", "'Mond' is neither"},
	{"monthly 0", "'0' is not a day from 1 to 31, or last"},
	{"monthly 32", "'32' is not a day"},
	{"monthly 001", "'001' is not a day"},
	{"monthly first", "'first' is not a day"},
	{"monthly Mon", "'Mon' is not a day from 1 to 31"},
	{"monthly 04:00 1", "'1' is not a time"},
	{"daily 02:30,", "a comma that is not between two items"},
	{"daily 02:30,,03:30", "a comma that is not between two items"},
	{",daily", "a comma that is not between two items"},
};

static void words_are_refused_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_words) / sizeof(bad_words[0]); i++) {
		struct sf_when when = {.nminutes = 7};
		struct sf_err err = {0};

		if (sf_when_parse(bad_words[i][0], &when, &err) != -EINVAL)
			fail_msg("'%s' passes", bad_words[i][0]);
		if (!strstr(err.text, bad_words[i][1]))
			fail_msg("'%s' does not say '%s'", err.text, bad_words[i][1]);
		assert_int_equal(when.nminutes, 7);
	}
}

static void lists_have_an_end(void **state)
{
	char text[SF_WHEN_TEXT_MAX] = "every 2h";
	struct sf_when when;
	struct sf_err err = {0};

	(void)state;
	for (int i = 0; i < SF_WHEN_LIST_MAX; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " :%02d", i);
	when = parsed(text);
	assert_int_equal(when.nminutes, 12 * SF_WHEN_LIST_MAX);
	assert_int_equal(when.minutes[12 * SF_WHEN_LIST_MAX - 1], 22 * 60 + SF_WHEN_LIST_MAX - 1);
	(void)strcat(text, " :59");
	assert_int_equal(sf_when_parse(text, &when, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 24 times"));
}

static void a_long_text_is_refused(void **state)
{
	char text[SF_WHEN_TEXT_MAX + 1];
	struct sf_when when;
	struct sf_err err = {0};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(sf_when_parse(text, &when, &err), -EINVAL);
	assert_non_null(strstr(err.text, "longer than 199 bytes"));
	assert_int_equal(sf_when_parse(text + 1, &when, &err), -EINVAL);
	assert_non_null(strstr(err.text, "xxx' is neither"));
}

static void a_time_that_is_named_twice_counts_once(void **state)
{
	struct sf_when when = parsed("daily 02:30 2:30 01:00 02:30");

	(void)state;
	assert_int_equal(when.nminutes, 2);
	assert_int_equal(when.minutes[0], 60);
	assert_int_equal(when.minutes[1], 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hourly_is_at_minute_0_or_at_those_named),
		cmocka_unit_test(every_divides_the_hour_or_the_day),
		cmocka_unit_test(daily_is_at_midnight_or_at_those_named),
		cmocka_unit_test(the_very_instant_is_previous_not_next),
		cmocka_unit_test(days_of_the_week_stand_alone_in_lists_and_ranges),
		cmocka_unit_test(days_are_those_of_the_zone),
		cmocka_unit_test(monthly_is_on_the_first_or_on_those_named),
		cmocka_unit_test(months_without_that_day_have_it_on_their_last),
		cmocka_unit_test(leap_years_have_a_29th),
		cmocka_unit_test(a_time_that_clocks_skip_is_due_when_they_do),
		cmocka_unit_test(a_time_that_occurs_twice_is_due_once),
		cmocka_unit_test(what_goes_by_the_hour_is_due_in_each_that_passes),
		cmocka_unit_test(the_hosts_zone_is_that_of_tz),
		cmocka_unit_test(what_cannot_be_told_is_an_error),
		cmocka_unit_test(words_are_refused_by_name),
		cmocka_unit_test(lists_have_an_end),
		cmocka_unit_test(a_long_text_is_refused),
		cmocka_unit_test(a_time_that_is_named_twice_counts_once),
	};

	(void)unsetenv("TZ");
	return cmocka_run_group_tests_name("when", tests, NULL, NULL);
}

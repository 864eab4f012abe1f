/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/calendar/retention.h"

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
#define ROWS_MAX 32
#define LATER    "2030-01-01 00:00"

/*
 * One snapshot and the expected reasons to keep it; "": it is not kept. A row without a time ends the list.
 */
struct row {
	const char *taken; /* "2026-11-22 16:39", UTC; seconds are optional */
	const char *reasons;
	const char *exempt;
};

static uint64_t ns(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%d %H:%M", &tm);

	assert_non_null(end);
	if (*end)
		assert_non_null(strptime(end, ":%S", &tm));
	return (uint64_t)timegm(&tm) * NS_PER_S;
}

static void check_at(const char *now, const char *zone, const struct sf_keep_rules *rules,
		     const struct row *rows)
{
	struct sf_kept items[ROWS_MAX] = {0};
	char text[SF_KEEP_TEXT];
	struct sf_err err = {0};
	size_t n = 0;

	for (; rows[n].taken; n++) {
		assert_true(n < ROWS_MAX);
		items[n] = (struct sf_kept){.taken_ns = ns(rows[n].taken), .exempt = rows[n].exempt};
	}
	if (sf_retention_apply(rules, zone, ns(now), items, n, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < n; i++) {
		sf_retention_reasons(rules, &items[i], text);
		if (strcmp(text, rows[i].reasons) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].taken, text, rows[i].reasons);
		assert_int_equal(items[i].keep, *text != '\0');
	}
}

static void check(const char *zone, const struct sf_keep_rules *rules, const struct row *rows)
{
	check_at(LATER, zone, rules, rows);
}

static void last_counts_snapshots(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_LAST] = 2}},
	      (struct row[]){{"2026-11-22 16:39", "last 1", NULL},
			     {"2026-11-22 16:38", "last 2", NULL},
			     {"2026-11-22 16:37", "", NULL},
			     {"2026-11-20 16:37", "", NULL},
			     {0}});
}

static void daily_keeps_the_newest_of_each_day_that_has_any(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_DAILY] = 3}},
	      (struct row[]){{"2026-11-22 23:59:59", "daily 1", NULL},
			     {"2026-11-22 00:00", "", NULL},
			     {"2026-11-21 23:59:59", "daily 2", NULL},
			     {"2026-11-21 12:00", "", NULL},
			     {"2026-09-01 12:00", "daily 3", NULL},
			     {"2026-08-31 12:00", "", NULL},
			     {"2025-01-01 00:00", "", NULL},
			     {0}});
}

static void weeks_begin_on_monday_and_cross_new_year(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_WEEKLY] = 3}},
	      (struct row[]){{"2025-01-06 00:00", "weekly 1", NULL},    /* Monday */
			     {"2025-01-05 23:59:59", "weekly 2", NULL}, /* Sunday */
			     {"2025-01-01 12:00", "", NULL},
			     {"2024-12-30 00:00", "", NULL}, /* Monday, of the same week */
			     {"2024-12-29 23:59", "weekly 3", NULL},
			     {"2024-12-23 00:00", "", NULL},
			     {0}});
}

static void months_and_years_are_the_calendars(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_MONTHLY] = 3, [SF_KEEP_YEARLY] = 2}},
	      (struct row[]){{"2024-03-01 00:00", "monthly 1, yearly 1", NULL},
			     {"2024-02-29 23:59:59", "monthly 2", NULL},
			     {"2024-02-01 00:00", "", NULL},
			     {"2023-03-31 00:00", "monthly 3, yearly 2", NULL},
			     {"2023-01-01 00:00", "", NULL},
			     {"2022-12-31 23:59", "", NULL},
			     {0}});
}

static void the_oldest_is_kept_while_counts_are_left(void **state)
{
	static const struct row rows[] = {{"2026-11-22 12:00", "daily 1, monthly 1", NULL},
					  {"2026-11-21 12:00", "daily 2", NULL},
					  {"2026-11-21 11:00", "", NULL},
					  {"2026-11-21 10:00", "oldest daily, oldest monthly", NULL},
					  {0}};

	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_DAILY] = 3, [SF_KEEP_MONTHLY] = 2}}, rows);
	check("UTC",
	      &(struct sf_keep_rules){
		      .count = {[SF_KEEP_DAILY] = SF_KEEP_ALL, [SF_KEEP_MONTHLY] = SF_KEEP_ALL}},
	      rows);
}

static void the_oldest_gives_way_when_none_is_left(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_DAILY] = 2}},
	      (struct row[]){{"2026-11-22 12:00", "daily 1", NULL},
			     {"2026-11-21 12:00", "daily 2", NULL},
			     {"2026-11-21 11:00", "", NULL},
			     {0}});
}

static void unlimited_is_all_buckets_not_all_snapshots(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_YEARLY] = SF_KEEP_ALL}},
	      (struct row[]){{"2026-11-22 12:00", "yearly 1", NULL},
			     {"2026-01-21 12:00", "", NULL},
			     {"2001-11-21 12:00", "yearly 2", NULL},
			     {"1970-01-02 12:00", "yearly 3", NULL},
			     {0}});
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_LAST] = SF_KEEP_ALL}},
	      (struct row[]){
		      {"2026-11-22 12:00", "last 1", NULL}, {"2026-11-22 12:00", "last 2", NULL}, {0}});
}

/* The manual's example: a backup each Sunday for twelve weeks, and --keep-daily 4. */
static void twelve_sundays_are_as_in_restics_manual(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_DAILY] = 4}},
	      (struct row[]){{"2019-09-01 11:00", "", NULL},
			     {"2019-09-08 11:00", "", NULL},
			     {"2019-09-15 11:00", "", NULL},
			     {"2019-09-22 11:00", "", NULL},
			     {"2019-09-29 11:00", "", NULL},
			     {"2019-10-06 11:00", "", NULL},
			     {"2019-10-13 11:00", "", NULL},
			     {"2019-10-20 11:00", "", NULL},
			     {"2019-10-27 11:00", "daily 4", NULL},
			     {"2019-11-03 11:00", "daily 3", NULL},
			     {"2019-11-10 11:00", "daily 2", NULL},
			     {"2019-11-17 11:00", "daily 1", NULL},
			     {0}});
}

static void days_are_those_of_the_zone(void **state)
{
	const struct sf_keep_rules rules = {.count = {[SF_KEEP_DAILY] = 9}};

	(void)state;
	check("Europe/Berlin", &rules,
	      (struct row[]){{"2026-11-22 23:30", "daily 1", NULL},
			     {"2026-11-22 22:30", "daily 2", NULL},
			     {"2026-11-21 23:00", "oldest daily", NULL},
			     {0}});
	check("UTC", &rules,
	      (struct row[]){{"2026-11-22 23:30", "daily 1", NULL},
			     {"2026-11-22 22:30", "", NULL},
			     {"2026-11-21 23:00", "daily 2", NULL},
			     {0}});
}

static void the_hosts_zone_is_that_of_tz(void **state)
{
	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
	check(NULL, &(struct sf_keep_rules){.count = {[SF_KEEP_DAILY] = 9}},
	      (struct row[]){{"2026-11-22 18:30", "daily 1", NULL},
			     {"2026-11-22 18:29", "daily 2", NULL},
			     {"2026-11-21 18:30", "oldest daily", NULL},
			     {0}});
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_LAST] = 1}}, (struct row[]){{0}});
	assert_string_equal(getenv("TZ"), "Asia/Kolkata");
	assert_int_equal(unsetenv("TZ"), 0);
}

/* 25 October 2026: 02:00 to 03:00 occurs twice, from 00:00 UTC and from 01:00 UTC. */
static void the_hour_that_occurs_twice_counts_twice(void **state)
{
	(void)state;
	check("Europe/Berlin", &(struct sf_keep_rules){.count = {[SF_KEEP_HOURLY] = 5, [SF_KEEP_DAILY] = 1}},
	      (struct row[]){{"2026-10-25 02:10", "hourly 1, daily 1", NULL},
			     {"2026-10-25 01:50", "hourly 2", NULL},
			     {"2026-10-25 01:00", "", NULL},
			     {"2026-10-25 00:50", "hourly 3", NULL},
			     {"2026-10-25 00:00", "", NULL},
			     {"2026-10-24 23:59:59", "hourly 4", NULL},
			     {"2026-10-24 22:10", "hourly 5", NULL},
			     {"2026-10-24 21:10", "", NULL},
			     {0}});
}

static void hours_of_half_hour_zones_are_the_clocks(void **state)
{
	(void)state;
	check("Asia/Kolkata", &(struct sf_keep_rules){.count = {[SF_KEEP_HOURLY] = 9}},
	      (struct row[]){{"2026-10-25 02:29", "hourly 1", NULL}, /* 07:59 */
			     {"2026-10-25 01:30", "", NULL},         /* 07:00 */
			     {"2026-10-25 01:29", "hourly 2", NULL}, /* 06:59 */
			     {0}});
}

/* St John's, 7 November 2010: at 00:01 on Sunday (02:31 UTC) clocks went back to 23:01 on Saturday. */
static void clocks_that_go_back_over_midnight_make_no_new_day(void **state)
{
	(void)state;
	check("America/St_Johns", &(struct sf_keep_rules){.count = {[SF_KEEP_DAILY] = 9}},
	      (struct row[]){{"2010-11-07 03:30", "daily 1", NULL}, /* Sunday 00:00 */
			     {"2010-11-07 03:00", "daily 2", NULL}, /* Saturday 23:30 */
			     {"2010-11-07 02:30:30", "", NULL},     /* Sunday 00:00:30 */
			     {"2010-11-07 02:29", "", NULL},        /* Saturday 23:59 */
			     {"2010-11-06 02:29", "daily 3", NULL},
			     {0}});
}

static void within_counts_from_the_newest_not_from_now(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.within = {.days = 2}},
	      (struct row[]){{"2019-11-22 12:00", "within 2d", NULL},
			     {"2019-11-20 12:00:01", "within 2d", NULL},
			     {"2019-11-20 12:00", "", NULL},
			     {0}});
}

static void within_goes_back_by_the_calendar_and_then_by_hours(void **state)
{
	(void)state;
	check("Europe/Berlin",
	      &(struct sf_keep_rules){.within = {.years = 1, .months = 2, .days = 3, .hours = 4}},
	      (struct row[]){
		      {"2026-06-20 10:00", "within 1y2mo3d4h", NULL}, /* 12:00 in summer; 17 April 08:00 */
		      {"2025-04-17 06:00:01", "within 1y2mo3d4h", NULL},
		      {"2025-04-17 06:00", "", NULL},
		      {0}});
	check("Europe/Berlin", &(struct sf_keep_rules){.within = {.days = 1}},
	      (struct row[]){
		      {"2026-03-29 10:00", "within 1d", NULL}, /* 12:00; the day before, 12:00 was at 11 */
		      {"2026-03-28 11:00:01", "within 1d", NULL},
		      {"2026-03-28 11:00", "", NULL},
		      {0}});
}

/* restic (and Go) define it so: a month before 31 March is 31 February, which is 3 March. */
static void a_date_that_is_not_is_carried_into_the_next_month(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.within = {.months = 1}},
	      (struct row[]){{"2026-03-31 12:00", "within 1mo", NULL},
			     {"2026-03-03 12:00:01", "within 1mo", NULL},
			     {"2026-03-03 12:00", "", NULL},
			     {0}});
}

static void hours_within_are_real_ones(void **state)
{
	(void)state;
	check("Europe/Berlin", &(struct sf_keep_rules){.within = {.hours = 1}},
	      (struct row[]){{"2026-10-25 01:30", "within 1h", NULL}, /* the second 02:30 */
			     {"2026-10-25 00:30:01", "within 1h", NULL},
			     {"2026-10-25 00:30", "", NULL}, /* the first */
			     {0}});
}

static void within_may_be_longer_than_time(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.within = {.years = 9999, .months = 9999}},
	      (struct row[]){{"2026-10-25 01:30", "within 9999y9999mo", NULL},
			     {"1970-01-01 00:00", "within 9999y9999mo", NULL},
			     {0}});
}

static void exempt_snapshots_are_kept_and_stand_for_nothing(void **state)
{
	(void)state;
	check("UTC",
	      &(struct sf_keep_rules){
		      .count = {[SF_KEEP_LAST] = 1, [SF_KEEP_DAILY] = 3, [SF_KEEP_MONTHLY] = 2},
		      .within.hours = 1},
	      (struct row[]){{"2026-11-23 12:00", "broken", "broken"},
			     {"2026-11-22 13:00", "held", "held"},
			     {"2026-11-22 12:00", "last 1, daily 1, monthly 1, within 1h", NULL},
			     {"2026-11-21 13:00", "pre-revert", "pre-revert"},
			     {"2026-11-21 12:00", "daily 2", NULL},
			     {"2026-11-21 11:30", "", NULL},
			     {"2026-11-21 11:00", "oldest daily, oldest monthly", NULL},
			     {"2026-11-20 11:00", "held", "held"},
			     {0}});
}

static bool decide(const struct sf_keep_rules *rules, struct sf_kept *items, size_t n)
{
	return sf_retention_apply(rules, "Europe/Berlin", ns(LATER), items, n, NULL) == 0;
}

static void holding_a_snapshot_removes_no_other(void **state)
{
	const struct sf_keep_rules rules = {.count = {2, 4, 3, 2, 2, 1}, .within.days = 1};
	struct sf_kept before[30] = {0}, after[30] = {0};

	(void)state;
	for (size_t i = 0; i < 30; i++)
		before[i].taken_ns = ns("2026-10-27 12:00") - i * 4 * 3600 * NS_PER_S;
	assert_true(decide(&rules, before, 30));
	for (size_t held = 0; held < 30; held++) {
		memcpy(after, before, sizeof(after));
		after[held].exempt = "held";
		assert_true(decide(&rules, after, 30));
		assert_true(after[held].keep);
		for (size_t i = 0; i < 30; i++)
			assert_true(after[i].keep || !before[i].keep);
	}
}

static void the_future_is_kept_and_stands_for_nothing(void **state)
{
	(void)state;
	check_at("2026-11-22 16:00", "UTC",
		 &(struct sf_keep_rules){.count = {[SF_KEEP_LAST] = 1, [SF_KEEP_DAILY] = 2},
					 .within.hours = 1},
		 (struct row[]){{"2040-01-01 12:00", "in the future", NULL},
				{"2040-01-01 11:00", "held, in the future", "held"},
				{"2026-11-22 16:00:01", "in the future", NULL},
				{"2026-11-22 16:00", "last 1, daily 1, within 1h", NULL},
				{"2026-11-22 15:30", "within 1h", NULL},
				{"2026-11-22 15:00", "", NULL},
				{"2026-11-21 12:00", "daily 2", NULL},
				{0}});
}

static void nothing_but_the_future_is_all_kept(void **state)
{
	(void)state;
	check_at("1970-01-01 00:00", "UTC",
		 &(struct sf_keep_rules){.count = {[SF_KEEP_LAST] = 1}, .within.hours = 1},
		 (struct row[]){{"2026-11-22 12:00", "in the future", NULL},
				{"2026-11-21 12:00", "in the future", NULL},
				{0}});
}

static void any_order_will_do_and_the_first_of_equals_is_newer(void **state)
{
	(void)state;
	check("UTC", &(struct sf_keep_rules){.count = {[SF_KEEP_LAST] = 2, [SF_KEEP_DAILY] = 2}},
	      (struct row[]){{"2026-11-20 12:00", "", NULL},
			     {"2026-11-22 12:00", "last 1, daily 1", NULL},
			     {"2026-11-21 12:00", "daily 2", NULL},
			     {"2026-11-22 12:00", "last 2", NULL},
			     {0}});
}

static void what_was_decided_before_is_forgotten(void **state)
{
	struct sf_kept item = {.taken_ns = ns("2026-11-20 12:00"), .keep = false, .nth = {5, 5, 5}};

	(void)state;
	assert_true(decide(&(struct sf_keep_rules){.count = {[SF_KEEP_YEARLY] = 1}}, &item, 1));
	assert_true(item.keep);
	assert_int_equal(item.nth[SF_KEEP_LAST], 0);
	assert_int_equal(item.nth[SF_KEEP_DAILY], 0);
	assert_int_equal(item.nth[SF_KEEP_YEARLY], 1);
}

static void bad_rules_are_refused(void **state)
{
	const struct {
		struct sf_keep_rules rules;
		const char *zone, *why;
	} cases[] = {{{.count = {0}}, "UTC", "no rule says what to keep"},
		     {{.count = {[SF_KEEP_DAILY] = -2}}, "UTC", "-2 daily snapshots cannot be kept"},
		     {{.count = {100001}}, "UTC", "100001 last snapshots"},
		     {{.count = {1}}, "Mars/Base", "no time zone 'Mars/Base'"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sf_kept item = {.taken_ns = 1};
		struct sf_err err = {0};

		assert_int_equal(sf_retention_apply(&cases[i].rules, cases[i].zone, 2, &item, 1, &err),
				 -EINVAL);
		if (!strstr(err.text, cases[i].why))
			fail_msg("'%s' does not say '%s'", err.text, cases[i].why);
	}
}

static void counts_are_numbers_or_unlimited(void **state)
{
	static const char *const bad[] = {"",   "0",  "-2",          "100001", "7d",
					  "+7", " 7", "99999999999", "all",    "0x7"};
	struct sf_err err = {0};
	int count = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(sf_keep_count_parse(bad[i], &count, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is neither a number from 1 to 100000 nor unlimited"));
		assert_int_equal(count, 5);
	}
	assert_int_equal(sf_keep_count_parse("100000", &count, NULL), 0);
	assert_int_equal(count, 100000);
	assert_int_equal(sf_keep_count_parse("unlimited", &count, NULL), 0);
	assert_int_equal(count, SF_KEEP_ALL);
	assert_int_equal(sf_keep_count_parse("-1", &count, NULL), 0);
	assert_int_equal(count, SF_KEEP_ALL);
}

static void a_long_reason_is_cut(void **state)
{
	const struct sf_keep_rules rules = {.count = {1}};
	char exempt[SF_KEEP_TEXT * 2], text[SF_KEEP_TEXT];
	struct sf_kept item = {.taken_ns = ns(LATER) + 1, .exempt = exempt};

	(void)state;
	memset(exempt, 'x', sizeof(exempt) - 1);
	exempt[sizeof(exempt) - 1] = '\0';
	assert_true(decide(&rules, &item, 1));
	sf_retention_reasons(&rules, &item, text);
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_counts_snapshots),
		cmocka_unit_test(daily_keeps_the_newest_of_each_day_that_has_any),
		cmocka_unit_test(weeks_begin_on_monday_and_cross_new_year),
		cmocka_unit_test(months_and_years_are_the_calendars),
		cmocka_unit_test(the_oldest_is_kept_while_counts_are_left),
		cmocka_unit_test(the_oldest_gives_way_when_none_is_left),
		cmocka_unit_test(unlimited_is_all_buckets_not_all_snapshots),
		cmocka_unit_test(twelve_sundays_are_as_in_restics_manual),
		cmocka_unit_test(days_are_those_of_the_zone),
		cmocka_unit_test(the_hosts_zone_is_that_of_tz),
		cmocka_unit_test(the_hour_that_occurs_twice_counts_twice),
		cmocka_unit_test(hours_of_half_hour_zones_are_the_clocks),
		cmocka_unit_test(clocks_that_go_back_over_midnight_make_no_new_day),
		cmocka_unit_test(within_counts_from_the_newest_not_from_now),
		cmocka_unit_test(within_goes_back_by_the_calendar_and_then_by_hours),
		cmocka_unit_test(a_date_that_is_not_is_carried_into_the_next_month),
		cmocka_unit_test(hours_within_are_real_ones),
		cmocka_unit_test(within_may_be_longer_than_time),
		cmocka_unit_test(exempt_snapshots_are_kept_and_stand_for_nothing),
		cmocka_unit_test(holding_a_snapshot_removes_no_other),
		cmocka_unit_test(the_future_is_kept_and_stands_for_nothing),
		cmocka_unit_test(nothing_but_the_future_is_all_kept),
		cmocka_unit_test(any_order_will_do_and_the_first_of_equals_is_newer),
		cmocka_unit_test(what_was_decided_before_is_forgotten),
		cmocka_unit_test(bad_rules_are_refused),
		cmocka_unit_test(counts_are_numbers_or_unlimited),
		cmocka_unit_test(a_long_reason_is_cut),
	};

	(void)unsetenv("TZ");
	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}

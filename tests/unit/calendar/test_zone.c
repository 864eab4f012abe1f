/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/calendar/zone.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sf_zone entered(const char *name)
{
	struct sf_zone zone;
	struct sf_err err = {0};

	if (sf_zone_enter(&zone, name, &err) < 0)
		fail_msg("%s", err.text);
	return zone;
}

static struct tm wall(int year, int month, int day, int hour, int minute)
{
	return (struct tm){.tm_year = year - 1900,
			   .tm_mon = month - 1,
			   .tm_mday = day,
			   .tm_hour = hour,
			   .tm_min = minute};
}

static void assert_instant(struct tm at, struct tm utc)
{
	assert_int_equal(sf_zone_instant(&at), timegm(&utc));
}

static void names_of_the_directory_pass(void **state)
{
	static const char *const names[] = {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires",
					    "America/Port-au-Prince", "Etc/GMT+5"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(sf_zone_check(names[i], NULL), 0);
}

static void all_else_is_refused(void **state)
{
	static const char *const names[][2] = {
		{"", "'' is not the name of a time zone"},
		{"/usr/share/zoneinfo/Europe/Berlin", "is not the name"},
		{"../zoneinfo/Europe/Berlin", "is not the name"},
		{"Europe/../Europe/Berlin", "is not the name"},
		{"Europe/./Berlin", "is not the name"},
		{"Europe//Berlin", "is not the name"},
		{"Europe/", "is not the name"},
		{"Europe/Berlin ", "is not the name"},
		{":Europe/Berlin", "is not the name"},
		{"CET-1CEST,M3.5.0,M10.5.0/3", "is not the name"},
		{"-", "is not the name"},
		{"Europe", "no time zone 'Europe' in /usr/share/zoneinfo/"},
		{"Europe/berlin", "no time zone 'Europe/berlin'"},
		{"zone1970", "no time zone"},
		{"UTC0", "no time zone 'UTC0'"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "is not the name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sf_err err = {0};

		assert_int_equal(sf_zone_check(names[i][0], &err), -EINVAL);
		if (!strstr(err.text, names[i][1]))
			fail_msg("'%s' does not say '%s'", err.text, names[i][1]);
	}
}

static void a_file_that_is_no_zone_is_refused(void **state)
{
	(void)state;
	assert_int_equal(sf_zone_check("leapseconds", NULL), -EINVAL);
}

static void leaving_puts_tz_back(void **state)
{
	struct sf_zone zone;

	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
	zone = entered("America/New_York");
	assert_int_equal(sf_zone_local(0).tm_hour, 19);
	sf_zone_leave(&zone);
	assert_string_equal(getenv("TZ"), "Asia/Kolkata");
	assert_int_equal(sf_zone_local(0).tm_hour, 5);
	sf_zone_leave(&zone); /* a second call is harmless */
	assert_string_equal(getenv("TZ"), "Asia/Kolkata");
	assert_int_equal(unsetenv("TZ"), 0);
	zone = entered("UTC");
	sf_zone_leave(&zone);
	assert_null(getenv("TZ"));
}

static void no_name_is_the_hosts_zone(void **state)
{
	struct sf_zone zone;

	(void)state;
	assert_int_equal(setenv("TZ", "America/New_York", 1), 0);
	zone = entered(NULL);
	assert_int_equal(sf_zone_local(0).tm_hour, 19);
	sf_zone_leave(&zone);
	assert_string_equal(getenv("TZ"), "America/New_York");
	assert_int_equal(unsetenv("TZ"), 0);
}

static void an_unknown_zone_changes_nothing(void **state)
{
	struct sf_zone zone;
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
	assert_int_equal(sf_zone_enter(&zone, "Mars/Base", &err), -EINVAL);
	assert_non_null(strstr(err.text, "no time zone 'Mars/Base'"));
	sf_zone_leave(&zone);
	assert_string_equal(getenv("TZ"), "Asia/Kolkata");
	assert_int_equal(unsetenv("TZ"), 0);
}

static void another_directory_of_zones_is_not_asked(void **state)
{
	struct sf_zone zone;

	(void)state;
	assert_int_equal(setenv("TZDIR", "/nonexistent", 1), 0);
	zone = entered("Asia/Kolkata");
	assert_int_equal(sf_zone_local(0).tm_hour, 5);
	sf_zone_leave(&zone);
	assert_int_equal(unsetenv("TZDIR"), 0);
}

static void ordinary_times_are_found(void **state)
{
	struct sf_zone zone = entered("Europe/Berlin");

	(void)state;
	assert_instant(wall(2026, 7, 1, 12, 0), wall(2026, 7, 1, 10, 0));
	assert_instant(wall(2026, 12, 1, 0, 30), wall(2026, 11, 30, 23, 30));
	assert_instant(wall(2026, 3, 29, 1, 59), wall(2026, 3, 29, 0, 59));
	assert_instant(wall(2026, 3, 29, 3, 0), wall(2026, 3, 29, 1, 0));
	assert_instant(wall(2026, 10, 25, 3, 0), wall(2026, 10, 25, 2, 0));
	sf_zone_leave(&zone);
}

static void a_time_that_clocks_skip_is_when_they_do(void **state)
{
	struct sf_zone zone = entered("Europe/Berlin");

	(void)state;
	assert_instant(wall(2026, 3, 29, 2, 0), wall(2026, 3, 29, 1, 0));
	assert_instant(wall(2026, 3, 29, 2, 59), wall(2026, 3, 29, 1, 0));
	sf_zone_leave(&zone);
	zone = entered("Pacific/Apia"); /* skipped 30 December 2011 */
	assert_instant(wall(2011, 12, 30, 12, 0), wall(2011, 12, 30, 10, 0));
	assert_instant(wall(2011, 12, 31, 0, 0), wall(2011, 12, 30, 10, 0));
	sf_zone_leave(&zone);
}

static void a_time_that_occurs_twice_is_the_first(void **state)
{
	struct sf_zone zone = entered("Europe/Berlin");

	(void)state;
	assert_instant(wall(2026, 10, 25, 2, 0), wall(2026, 10, 25, 0, 0));
	assert_instant(wall(2026, 10, 25, 2, 59), wall(2026, 10, 25, 0, 59));
	sf_zone_leave(&zone);
	zone = entered("Australia/Lord_Howe"); /* changes by half an hour */
	assert_instant(wall(2026, 4, 5, 1, 45), wall(2026, 4, 4, 14, 45));
	sf_zone_leave(&zone);
}

static void fields_out_of_range_are_carried(void **state)
{
	struct sf_zone zone = entered("Europe/Berlin");

	(void)state;
	assert_instant(wall(2026, 2, 31, 12, 0), wall(2026, 3, 3, 11, 0));
	assert_instant(wall(2026, 0, 0, 12, 0), wall(2025, 11, 30, 11, 0));
	sf_zone_leave(&zone);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_the_directory_pass),
		cmocka_unit_test(all_else_is_refused),
		cmocka_unit_test(a_file_that_is_no_zone_is_refused),
		cmocka_unit_test(leaving_puts_tz_back),
		cmocka_unit_test(no_name_is_the_hosts_zone),
		cmocka_unit_test(an_unknown_zone_changes_nothing),
		cmocka_unit_test(another_directory_of_zones_is_not_asked),
		cmocka_unit_test(ordinary_times_are_found),
		cmocka_unit_test(a_time_that_clocks_skip_is_when_they_do),
		cmocka_unit_test(a_time_that_occurs_twice_is_the_first),
		cmocka_unit_test(fields_out_of_range_are_carried),
	};

	/* The tests themselves use TZ. */
	(void)unsetenv("TZ");
	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}

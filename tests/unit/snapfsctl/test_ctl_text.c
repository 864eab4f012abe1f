/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/snapfsctl/show/text.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define S 1000000000ULL

static void sizes_have_one_decimal_below_ten(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{0, "0"},
		{1023, "1023"},
		{1024, "1.0K"},
		{1536, "1.5K"},
		{10 * 1024, "10K"},
		{1024 * 1024 - 1, "1023K"},
		{UINT64_C(5) << 30, "5.0G"},
		{UINT64_MAX, "15E"},
	};
	char text[SF_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sf_text_bytes(sizes[i].bytes, text);
		assert_string_equal(text, sizes[i].text);
	}
}

static void spans_have_two_units(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} spans[] = {{0, "0s"},         {59, "59s"},      {60, "1m 00s"},
		     {3599, "59m 59s"}, {7500, "2h 05m"}, {90000, "1d 1h"}};
	char text[SF_TEXT_SPAN];

	(void)state;
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		sf_text_span(spans[i].seconds, text);
		assert_string_equal(text, spans[i].text);
	}
}

static void since_takes_spans_and_dates(void **state)
{
	const uint64_t now = 1767225600 * S; /* 2026-01-01 00:00 UTC */
	uint64_t at = 0;

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	assert_int_equal(sf_text_since("30min", now, &at, NULL), 0);
	assert_true(at == now - 1800 * S);
	assert_int_equal(sf_text_since("2w", now, &at, NULL), 0);
	assert_true(at == now - 14 * 86400 * S);
	assert_int_equal(sf_text_since("2mo", now, &at, NULL), 0);
	assert_true(at == now - 61 * 86400 * S);
	assert_int_equal(sf_text_since("8000w", now, &at, NULL), 0);
	assert_true(at == 0);
	assert_int_equal(sf_text_since("2025-12-31", now, &at, NULL), 0);
	assert_true(at == now - 86400 * S);
	assert_int_equal(sf_text_since("2025-12-31 23:59:59", now, &at, NULL), 0);
	assert_true(at == now - S);
}

static void since_refuses_the_rest(void **state)
{
	static const char *const texts[] = {"",           "2",         "d",          "-1d",
					    "2d ",        "2x",        "30m",        "99999999999999999999d",
					    "50000000w",  "yesterday", "2025-13-01", "2025-12-31 25:00",
					    "9999-01-01", "1969-01-01"};
	struct sf_err err = {0};
	uint64_t at = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(sf_text_since(texts[i], 1767225600 * S, &at, &err), -EINVAL);
		assert_true(at == 7);
	}
	assert_int_equal(sf_text_since("30m", 1767225600 * S, &at, &err), -EINVAL);
	assert_non_null(strstr(err.text, "m could be minutes or months"));
	assert_int_equal(sf_text_since("0d", 1767225600 * S, &at, &err), -EINVAL);
	assert_string_equal(err.text, "'0d': an age of zero");
	assert_int_equal(sf_text_since("yesterday", 1767225600 * S, &at, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nor a date"));
}

static void what_a_terminal_would_obey_is_replaced(void **state)
{
	char buf[16];

	(void)state;
	sf_text_printable("a\nb\x1b[1m\x7f", buf, sizeof(buf));
	assert_string_equal(buf, "a?b?[1m?");
	sf_text_printable("x\xc2\x9bY\xc3\xbc", buf, sizeof(buf));
	assert_string_equal(buf, "x?Y\xc3\xbc");
	sf_text_printable("x\x9bY\xff", buf, sizeof(buf));
	assert_string_equal(buf, "x?Y?");
	sf_text_printable("0123456789abcdefgh", buf, sizeof(buf));
	assert_string_equal(buf, "0123456789ab...");
	sf_text_printable("0123456789a\xc3\xbc\xc3\xbc\xc3\xbc", buf, sizeof(buf));
	assert_string_equal(buf, "0123456789a...");
}

static void distance_counts_mistakes(void **state)
{
	(void)state;
	assert_int_equal(sf_text_distance("web", "web"), 0);
	assert_int_equal(sf_text_distance("web", "wbe"), 1);
	assert_int_equal(sf_text_distance("web", "wep"), 1);
	assert_int_equal(sf_text_distance("web", "wb"), 1);
	assert_int_equal(sf_text_distance("", "web"), 3);
	assert_int_equal(sf_text_distance("kitten", "sitting"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_one_decimal_below_ten),
		cmocka_unit_test(spans_have_two_units),
		cmocka_unit_test(since_takes_spans_and_dates),
		cmocka_unit_test(since_refuses_the_rest),
		cmocka_unit_test(what_a_terminal_would_obey_is_replaced),
		cmocka_unit_test(distance_counts_mistakes),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

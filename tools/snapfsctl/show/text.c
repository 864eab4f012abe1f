/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include "core/calendar/duration.h"

#include "base/err.h"
#include "base/names.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ULL

void sf_text_bytes(uint64_t bytes, char text[static SF_TEXT_BYTES])
{
	static const char units[] = "BKMGTPE";
	uint64_t whole = bytes, rest = 0;
	size_t unit = 0;

	while (whole >= 1024) {
		rest = whole % 1024;
		whole /= 1024;
		unit++;
	}
	if (unit == 0)
		(void)snprintf(text, SF_TEXT_BYTES, "%" PRIu64, whole);
	else if (whole < 10)
		(void)snprintf(text, SF_TEXT_BYTES, "%" PRIu64 ".%" PRIu64 "%c", whole, rest * 10 / 1024,
			       units[unit]);
	else
		(void)snprintf(text, SF_TEXT_BYTES, "%" PRIu64 "%c", whole, units[unit]);
}

void sf_text_time(uint64_t real_ns, char text[static SF_TEXT_TIME])
{
	time_t seconds = (time_t)(real_ns / NS_PER_S);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || strftime(text, SF_TEXT_TIME, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(text, SF_TEXT_TIME, "?");
}

void sf_text_span(uint64_t seconds, char text[static SF_TEXT_SPAN])
{
	if (seconds < 60)
		(void)snprintf(text, SF_TEXT_SPAN, "%" PRIu64 "s", seconds);
	else if (seconds < 3600)
		(void)snprintf(text, SF_TEXT_SPAN, "%" PRIu64 "m %02" PRIu64 "s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		(void)snprintf(text, SF_TEXT_SPAN, "%" PRIu64 "h %02" PRIu64 "m", seconds / 3600,
			       seconds / 60 % 60);
	else
		(void)snprintf(text, SF_TEXT_SPAN, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400,
			       seconds / 3600 % 24);
}

static int parse_date(const char *text, uint64_t *ret)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
					    "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		time_t seconds;

		if (!end || *end)
			continue;
		tm.tm_isdst = -1;
		seconds = mktime(&tm);
		if (seconds < 0 || (uint64_t)seconds > UINT64_MAX / NS_PER_S)
			return -EINVAL;
		*ret = (uint64_t)seconds * NS_PER_S;
		return 0;
	}
	return -EINVAL;
}

int sf_text_since(const char *text, uint64_t now_ns, uint64_t *ret_real_ns, struct sf_err *err)
{
	struct sf_duration age;
	struct sf_err why = {0};
	size_t digits = strspn(text, "0123456789");
	char shown[64];
	int rc = sf_duration_parse(text, &age, &why);

	if (rc == 0 && sf_duration_is_zero(&age))
		return sf_fail(err, -EINVAL, "'%s': an age of zero", text);
	if (rc == 0) {
		*ret_real_ns = sf_duration_before(&age, now_ns);
		return 0;
	}
	if (parse_date(text, ret_real_ns) == 0)
		return 0;
	if (digits > 0 && islower((unsigned char)text[digits])) /* not meant as a date */
		return sf_fail(err, rc, "%s", why.text);
	sf_text_printable(text, shown, sizeof(shown));
	return sf_fail(err, -EINVAL,
		       "'%s' is neither an age (30min, 12h, 2d, 3w, 6mo) nor a date (2026-01-31 or "
		       "'2026-01-31 22:00')",
		       shown);
}

void sf_text_printable(const char *text, char *buf, size_t size)
{
	size_t len = 0, dots = 0, n;
	bool safe;

	for (; *text; text += n) {
		n = sf_char_len(text, &safe);
		if (len + n >= size)
			break;
		memcpy(buf + len, safe ? text : "?", safe ? n : 1);
		len += safe ? n : 1;
		if (len + 4 <= size)
			dots = len;
	}
	buf[len] = '\0';
	if (*text && size >= 4)
		memcpy(buf + dots, "...", 4);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Longer words are not mistyped names. Three rows of the distance table are enough. */
#define WORD_MAX 300

size_t sf_text_distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return na + nb;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			row[j] =
				least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], two[j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "duration.h"

#include "zone.h"

#include "base/err.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000

static const struct part {
	const char *unit;
	size_t offset;    /* of an int in struct sf_duration */
	uint64_t seconds; /* 0: depends on the date */
} parts[] = {
	{"y", offsetof(struct sf_duration, years), 0},
	{"mo", offsetof(struct sf_duration, months), 0},
	{"w", offsetof(struct sf_duration, weeks), 7 * 86400},
	{"d", offsetof(struct sf_duration, days), 86400},
	{"h", offsetof(struct sf_duration, hours), 3600},
	{"min", offsetof(struct sf_duration, minutes), 60},
	{"s", offsetof(struct sf_duration, seconds), 1},
};
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

static int number_of(const struct sf_duration *duration, const struct part *part)
{
	return *(const int *)(const void *)((const char *)duration + part->offset);
}

bool sf_duration_is_zero(const struct sf_duration *duration)
{
	for (size_t i = 0; i < NPARTS; i++)
		if (number_of(duration, &parts[i]) != 0)
			return false;
	return true;
}

/* The index of the unit at text, which has len bytes; NPARTS if there is none. */
static size_t find_unit(const char *text, size_t len)
{
	size_t i = 0;

	while (i < NPARTS && (strlen(parts[i].unit) != len || strncmp(parts[i].unit, text, len) != 0))
		i++;
	return i;
}

/* Parses one number and its unit. seen: bit mask of the units so far. */
static int parse_part(const char **text, struct sf_duration *duration, unsigned *seen, struct sf_err *err)
{
	size_t digits = strspn(*text, "0123456789");
	const char *unit = *text + digits;
	size_t len = strspn(unit, "abcdefghijklmnopqrstuvwxyz");
	size_t i = find_unit(unit, len);
	long number = digits > 0 && digits < 9 ? strtol(*text, NULL, 10) : -1;

	if (number >= 0 && len == 1 && *unit == 'm')
		return sf_fail(err, -EINVAL, "%ldm: m could be minutes or months: write %ldmin or %ldmo",
			       number, number, number);
	if (i == NPARTS || *seen & 1U << i || number < 0 || number > SF_DURATION_MAX)
		return sf_fail(err, -EINVAL,
			       "expected numbers with units, such as 1y6mo, 2w, 7d12h or 30min");
	*(int *)(void *)((char *)duration + parts[i].offset) = (int)number;
	*seen |= 1U << i;
	*text = unit + len;
	return 0;
}

int sf_duration_parse(const char *text, struct sf_duration *ret, struct sf_err *err)
{
	struct sf_duration duration = {0};
	const char *at = text;
	unsigned seen = 0;
	int rc;

	do
		rc = parse_part(&at, &duration, &seen, err);
	while (rc == 0 && *at);
	if (rc < 0)
		return sf_wrap(err, rc, "'%s'", text);
	*ret = duration;
	return 0;
}

void sf_duration_format(const struct sf_duration *duration, char text[static SF_DURATION_TEXT])
{
	size_t len = 0;

	*text = '\0';
	for (size_t i = 0; i < NPARTS; i++)
		if (number_of(duration, &parts[i]) > 0 && len < SF_DURATION_TEXT)
			len += (size_t)snprintf(text + len, SF_DURATION_TEXT - len, "%d%s",
						number_of(duration, &parts[i]), parts[i].unit);
}

bool sf_duration_seconds(const struct sf_duration *duration, uint64_t *ret)
{
	uint64_t seconds = 0;

	for (size_t i = 0; i < NPARTS; i++) {
		if (parts[i].seconds == 0 && number_of(duration, &parts[i]) > 0)
			return false;
		seconds += (uint64_t)number_of(duration, &parts[i]) * parts[i].seconds;
	}
	*ret = seconds;
	return true;
}

uint64_t sf_duration_before(const struct sf_duration *duration, uint64_t ns)
{
	int64_t instant = (int64_t)(ns / NS_PER_S);
	struct tm tm = sf_zone_local(instant);
	const int days = duration->weeks * 7 + duration->days;

	/* Only if needed: a time of day that occurs twice would become the first of the two. */
	if (duration->years > 0 || duration->months > 0 || days > 0) {
		tm.tm_year -= duration->years;
		tm.tm_mon -= duration->months;
		tm.tm_mday -= days;
		instant = sf_zone_instant(&tm);
	}
	instant -= (int64_t)duration->hours * 3600 + (int64_t)duration->minutes * 60 + duration->seconds;
	return instant < 0 ? 0 : (uint64_t)instant * NS_PER_S + ns % NS_PER_S;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durations as people write them: "90s", "1h30min", "2d", "1y6mo". The configuration, retention and
 * `snapfsctl list --since` use the same grammar. A bare m is refused, because it could be minutes or months.
 */
#ifndef SF_CORE_CALENDAR_DURATION_H
#define SF_CORE_CALENDAR_DURATION_H

#include <stdbool.h>
#include <stdint.h>

struct sf_err;

#define SF_DURATION_MAX 99999 /* of each unit */
/* Size of the text, with its NUL. */
#define SF_DURATION_TEXT 64

/* Years to days follow the calendar; the rest is elapsed time. All 0: none. */
struct sf_duration {
	int years, months, weeks, days, hours, minutes, seconds; /* 0 to SF_DURATION_MAX each */
};

bool sf_duration_is_zero(const struct sf_duration *duration);

/* Parses numbers with units: y, mo, w, d, h, min, s, each at most once. -EINVAL. */
int sf_duration_parse(const char *text, struct sf_duration *ret, struct sf_err *err);

void sf_duration_format(const struct sf_duration *duration, char text[static SF_DURATION_TEXT]);

/* In seconds, a day being 24 hours. False if years or months make the length depend on the date. */
bool sf_duration_seconds(const struct sf_duration *duration, uint64_t *ret);

/*
 * The time that is the duration before ns (since the epoch); 0 if that is before 1970. Years, months, weeks
 * and days follow the calendar of the entered zone, or the host's if none is entered, see zone.h.
 */
uint64_t sf_duration_before(const struct sf_duration *duration, uint64_t ns);

#endif

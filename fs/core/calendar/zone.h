/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local time in a named time zone, by what the C library has: TZ in the environment, which is the whole
 * process's. So everything here but sf_zone_check() is for programs with one thread (snapfsctl); the daemon
 * checks names only.
 */
#ifndef SF_CORE_CALENDAR_ZONE_H
#define SF_CORE_CALENDAR_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct sf_err;

/* "America/Argentina/ComodRivadavia" is 32; with the NUL. */
#define SF_ZONE_MAX 64

/*
 * A name of the zoneinfo directory ("Europe/Berlin"), or "UTC", which needs no file. -EINVAL for any other:
 * glibc would take it for UTC without a word. The empty name is not one; the host's zone is NULL where a name
 * is taken.
 */
int sf_zone_check(const char *name, struct sf_err *err);

struct sf_zone {
	bool entered;
	char *before; /* what TZ was; NULL: not set */
};

/*
 * Local time is that of the named zone, or of the host for NULL, until sf_zone_leave(), which puts TZ back
 * (and accepts one that was not entered). -EINVAL as above, -ENOMEM; nothing is changed then.
 */
int sf_zone_enter(struct sf_zone *zone, const char *name, struct sf_err *err);
void sf_zone_leave(struct sf_zone *zone);

/* What clocks in the zone that was entered show at an instant: seconds since the epoch. */
struct tm sf_zone_local(int64_t instant);

/*
 * The first instant at which they show this date and time or, where they skip it, a later one: 02:30 in the
 * night when clocks go from 02:00 to 03:00 is the instant of that change, and 02:30 in the night when they go
 * back is the first of the two. Only the six fields from tm_year to tm_sec count; they may be out of range,
 * as for timegm(3).
 */
int64_t sf_zone_instant(const struct tm *wall);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local time in a named time zone. It uses the C library and hence TZ in the environment, which affects the
 * whole process. Everything here except sf_zone_check() is therefore for single-threaded programs
 * (snapfsctl); the daemon only checks names.
 */
#ifndef SF_CORE_CALENDAR_ZONE_H
#define SF_CORE_CALENDAR_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct sf_err;

/* Size of a zone name, with its NUL. "America/Argentina/ComodRivadavia" has 32 bytes. */
#define SF_ZONE_MAX 64

/*
 * Accepts a name in the zoneinfo directory ("Europe/Berlin"), and "UTC", which needs no file. -EINVAL for any
 * other name, which glibc would silently take for UTC. The empty name is invalid; NULL stands for the host's
 * zone where a function takes a name.
 */
int sf_zone_check(const char *name, struct sf_err *err);

struct sf_zone {
	bool entered;
	char *before; /* earlier value of TZ; NULL: was not set */
};

/*
 * Makes local time that of the named zone (NULL: the host's) until sf_zone_leave(), which restores TZ.
 * sf_zone_leave() accepts a zone that was not entered. -EINVAL as above, -ENOMEM; nothing is changed on
 * failure.
 */
int sf_zone_enter(struct sf_zone *zone, const char *name, struct sf_err *err);
void sf_zone_leave(struct sf_zone *zone);

/* What clocks in the entered zone show at an instant, in seconds since the epoch. */
struct tm sf_zone_local(int64_t instant);

/*
 * The first instant at which clocks in the entered zone show this date and time. If they skip it, the instant
 * of the change: 02:30 in the night when clocks go from 02:00 to 03:00. If they show it twice, the first of
 * the two. Only the six fields from tm_year to tm_sec count; they may be out of range, as for timegm(3).
 */
int64_t sf_zone_instant(const struct tm *wall);

#endif

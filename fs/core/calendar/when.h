/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a schedule is due. Parsing needs no clock and no time zone; the other functions are for
 * single-threaded programs only, see zone.h. The grammar, which ignores case:
 *
 *   hourly [:MM...]             at minute 00, or at these       hourly :15     hourly :00, :30
 *   every Nmin                  N: 5, 10, 15, 20, 30            every 15min    minutes 00, 15, 30, 45
 *   every Nh [:MM...]           N: 1, 2, 3, 4, 6, 8, 12         every 4h       00:00, 04:00, 08:00 and so on
 *   daily [HH:MM...]            at 00:00, or at these           daily 02:30, 14:30
 *   [weekly] DAYS [HH:MM...]    Mon, Tue, ... or a range        Mon..Fri 22:00      weekly Sun 03:00
 *   monthly [DAY...] [HH:MM...] on the 1st, or 1 to 31, last    monthly 1, 15 04:00
 *
 * Days of the week are Mon or Monday; ranges are Mon..Fri or Mon-Fri, and may wrap around Sunday. Commas or
 * blanks separate the items of a list.
 *
 * "monthly 31" and "monthly last" are due on the last day of every month, and "monthly 30" on the last day of
 * February, so that a monthly schedule runs twelve times a year. (cron and systemd skip months without such a
 * day.)
 *
 * A time of day that clocks skip in spring is due when they go forward; one that occurs twice in autumn is
 * due the first time only. Hourly schedules ("hourly", "every 15min", "every 1h") are due in every elapsed
 * hour, including the one that occurs twice.
 */
#ifndef SF_CORE_CALENDAR_WHEN_H
#define SF_CORE_CALENDAR_WHEN_H

#include <stdbool.h>
#include <stdint.h>

struct sf_err;

/* Most times in one list; use "every" for more. */
#define SF_WHEN_LIST_MAX 24
/* Size of the text, with its NUL: room for the longest list. */
#define SF_WHEN_TEXT_MAX 200

struct sf_when {
	bool by_hour;       /* minutes are within every elapsed hour; days do not matter */
	uint8_t weekdays;   /* bit 0: Sunday; 0: every day */
	uint32_t monthdays; /* bit 1: the 1st, ... bit 31: the last; 0: every day */
	unsigned nminutes;  /* at least 1 after parsing */
	uint16_t minutes[12 * SF_WHEN_LIST_MAX]; /* of the hour or of the day; ascending, no duplicates */
};

/* -EINVAL, quoting the invalid word; *ret is then untouched. */
int sf_when_parse(const char *text, struct sf_when *ret, struct sf_err *err);

/*
 * The last due time at or before now, and the first one after now, in a time zone (NULL: the host's).
 * Nanoseconds since the epoch, at whole seconds.
 *   -EINVAL  unknown zone
 *   -ERANGE  not due before now since 1970
 *   -ENOMEM
 */
int sf_when_previous(const struct sf_when *when, const char *zone_name, uint64_t now_ns, uint64_t *ret_ns,
		     struct sf_err *err);
int sf_when_next(const struct sf_when *when, const char *zone_name, uint64_t now_ns, uint64_t *ret_ns,
		 struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "when.h"

#include "zone.h"

#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NS_PER_S 1000000000U
#define DAY_S    86400
#define BLANKS   " \t\r\v\f"
/* A schedule by days is due at least once in this many days: a month and some margin. */
#define DAYS_MAX 40
/*
 * An hourly schedule is due at least once in this many minutes: an hour, plus the most that clocks can skip.
 */
#define MINUTES_MAX (26 * 60)

/* --- parsing --- */

struct scan {
	const char *at;
	struct sf_when when;
	unsigned nwords, nitems;     /* nitems: in the list of times */
	char word[SF_WHEN_TEXT_MAX]; /* empty after the last word */
	struct sf_err *err;
};

static int next_word(struct scan *scan)
{
	bool comma;
	size_t len;

	scan->at += strspn(scan->at, BLANKS);
	comma = *scan->at == ',';
	if (comma)
		scan->at += 1 + strspn(scan->at + 1, BLANKS);
	len = strcspn(scan->at, "," BLANKS);
	if (comma && (len == 0 || scan->nwords == 0))
		return sf_fail(scan->err, -EINVAL, "a comma that is not between two items");
	memcpy(scan->word, scan->at, len);
	scan->word[len] = '\0';
	scan->at += len;
	scan->nwords++;
	return 0;
}

/* Parses one or two digits, at most `most`; -1 for anything else. */
static int small_number(const char *text, size_t len, int most)
{
	int number = 0;

	if (len < 1 || len > 2)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return -1;
		number = number * 10 + (text[i] - '0');
	}
	return number <= most ? number : -1;
}

/* Inserts into the sorted array unless present. The array has room for everything that a list can produce. */
static void add_minute(struct sf_when *when, int minute)
{
	unsigned i = when->nminutes;

	while (i > 0 && when->minutes[i - 1] >= minute)
		i--;
	if (i < when->nminutes && when->minutes[i] == minute)
		return;
	memmove(&when->minutes[i + 1], &when->minutes[i], (when->nminutes - i) * sizeof(when->minutes[0]));
	when->minutes[i] = (uint16_t)minute;
	when->nminutes++;
}

static int count_item(struct scan *scan)
{
	if (++scan->nitems > SF_WHEN_LIST_MAX)
		return sf_fail(scan->err, -EINVAL, "more than %d times", SF_WHEN_LIST_MAX);
	return 0;
}

/* Parses times such as "02:30" to the end of the text; midnight if there are none. */
static int parse_times(struct scan *scan)
{
	int rc = 0;

	if (!*scan->word)
		add_minute(&scan->when, 0);
	while (rc == 0 && *scan->word) {
		size_t len = strcspn(scan->word, ":");
		const char *minute = scan->word + len + (scan->word[len] == ':');
		int h = small_number(scan->word, len, 23);
		int m = strlen(minute) == 2 ? small_number(minute, 2, 59) : -1;

		if (h < 0 || m < 0)
			return sf_fail(scan->err, -EINVAL, "'%s' is not a time of day from 00:00 to 23:59",
				       scan->word);
		add_minute(&scan->when, h * 60 + m);
		rc = count_item(scan);
		if (rc == 0)
			rc = next_word(scan);
	}
	return rc;
}

static void add_every(struct sf_when *when, int minute, int hours)
{
	for (int h = 0; h < (when->by_hour ? 1 : 24); h += hours)
		add_minute(when, h * 60 + minute);
}

/*
 * Parses minutes such as ":15" to the end of the text, for every hours-th hour; minute 0 if there are none.
 */
static int parse_minutes(struct scan *scan, int hours)
{
	int rc = 0;

	scan->when.by_hour = hours == 1;
	if (!*scan->word)
		add_every(&scan->when, 0, hours);
	while (rc == 0 && *scan->word) {
		int m = strlen(scan->word) == 3 ? small_number(scan->word + 1, 2, 59) : -1;

		if (*scan->word != ':' || m < 0)
			return sf_fail(scan->err, -EINVAL, "'%s' is not a minute from :00 to :59",
				       scan->word);
		add_every(&scan->when, m, hours);
		rc = count_item(scan);
		if (rc == 0)
			rc = next_word(scan);
	}
	return rc;
}

static int parse_hourly(struct scan *scan)
{
	return parse_minutes(scan, 1);
}

/* Only spans that divide an hour or a day, so that every hour or day is the same. */
static int parse_every(struct scan *scan)
{
	static const char *const spans[] = {"5min", "10min", "15min", "20min", "30min", "1h",
					    "2h",   "3h",    "4h",    "6h",    "8h",    "12h"};
	size_t digits = strspn(scan->word, "0123456789");
	int rc, number;

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		if (strcasecmp(scan->word, spans[i]) != 0)
			continue;
		number = small_number(spans[i], digits, 99);
		rc = next_word(scan);
		if (rc < 0 || i >= 5)
			return rc < 0 ? rc : parse_minutes(scan, number);
		scan->when.by_hour = true;
		for (int m = 0; m < 60; m += number)
			add_minute(&scan->when, m);
		return 0;
	}
	if (digits > 0 && strcasecmp(scan->word + digits, "m") == 0)
		return sf_fail(scan->err, -EINVAL,
			       "every '%s': m could be minutes or months: write every %.*smin", scan->word,
			       (int)digits, scan->word);
	return sf_fail(scan->err, -EINVAL,
		       "every '%s': not 5, 10, 15, 20 or 30min, nor 1, 2, 3, 4, 6, 8 or 12h", scan->word);
}

/* 0 for Sunday to 6; -1 unless "Mon" or "Monday". */
static int weekday_of(const char *text, size_t len)
{
	static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
					   "Thursday", "Friday", "Saturday"};

	for (int i = 0; i < 7; i++)
		if ((len == 3 || len == strlen(days[i])) && strncasecmp(text, days[i], len) == 0)
			return i;
	return -1;
}

/* Bit mask of "Mon", "Mon..Fri" or "Sat-Mon"; 0 for anything else. */
static uint8_t weekdays_of(const char *word)
{
	size_t len = strcspn(word, ".-");
	const char *end = word + len + (word[len] == '-' ? 1 : 2 * (strncmp(word + len, "..", 2) == 0));
	int first = weekday_of(word, len);
	int last = word[len] ? weekday_of(end, strlen(end)) : first;
	uint8_t bits = 0;

	if (first < 0 || last < 0)
		return 0;
	for (int day = first;; day = (day + 1) % 7) {
		bits = (uint8_t)(bits | 1U << day);
		if (day == last)
			return bits;
	}
}

static int parse_weekly(struct scan *scan)
{
	int rc = 0;

	while (rc == 0 && *scan->word && !isdigit((unsigned char)*scan->word)) {
		uint8_t bits = weekdays_of(scan->word);

		if (bits == 0)
			return sf_fail(scan->err, -EINVAL, "'%s' is not a day of the week, or Mon..Fri",
				       scan->word);
		scan->when.weekdays |= bits;
		rc = next_word(scan);
	}
	/* No default: cron would use Sunday, systemd Monday. */
	if (rc == 0 && scan->when.weekdays == 0)
		return sf_fail(scan->err, -EINVAL, "weekly without a day, such as Sun");
	return rc < 0 ? rc : parse_times(scan);
}

static int parse_monthly(struct scan *scan)
{
	int rc = 0;

	while (rc == 0 && *scan->word && !strchr(scan->word, ':')) {
		int day = strcasecmp(scan->word, "last") == 0
				  ? 31
				  : small_number(scan->word, strlen(scan->word), 31);

		if (day < 1)
			return sf_fail(scan->err, -EINVAL, "'%s' is not a day from 1 to 31, or last",
				       scan->word);
		scan->when.monthdays |= 1U << day;
		rc = next_word(scan);
	}
	if (scan->when.monthdays == 0)
		scan->when.monthdays = 1U << 1;
	return rc < 0 ? rc : parse_times(scan);
}

static int parse(struct scan *scan)
{
	static const struct {
		const char *word;
		int (*parse)(struct scan *scan);
	} kinds[] = {{"hourly", parse_hourly},
		     {"every", parse_every},
		     {"daily", parse_times},
		     {"weekly", parse_weekly},
		     {"monthly", parse_monthly}};
	int rc = next_word(scan);

	if (rc == 0 && weekdays_of(scan->word) != 0)
		return parse_weekly(scan);
	for (size_t i = 0; rc == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcasecmp(scan->word, kinds[i].word) != 0)
			continue;
		rc = next_word(scan);
		return rc < 0 ? rc : kinds[i].parse(scan);
	}
	return rc < 0 ? rc
		      : sf_fail(scan->err, -EINVAL,
				"'%s' is neither hourly, every, daily, weekly, monthly nor a day of the week",
				scan->word);
}

int sf_when_parse(const char *text, struct sf_when *ret, struct sf_err *err)
{
	struct scan scan = {.at = text, .err = err};
	int rc;

	if (strlen(text) >= SF_WHEN_TEXT_MAX)
		return sf_fail(err, -EINVAL, "longer than %d bytes", SF_WHEN_TEXT_MAX - 1);
	rc = parse(&scan);
	if (rc < 0)
		return rc;
	if (*scan.word)
		return sf_fail(err, -EINVAL, "unexpected '%s'", scan.word);
	*ret = scan.when;
	return 0;
}

/* --- evaluation, in the entered zone; times are seconds since the epoch --- */

/* Midnight, as if in UTC, of the date that clocks show, plus a number of days. */
static int64_t date_of(int64_t instant, int64_t days)
{
	int64_t shown = instant + sf_zone_local(instant).tm_gmtoff + days * DAY_S;

	/* Round down, even before 1970. */
	return shown - ((shown % DAY_S) + DAY_S) % DAY_S;
}

static struct tm utc(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct tm tm = {0};

	gmtime_r(&time, &tm);
	return tm;
}

static bool is_day(const struct sf_when *when, int64_t date)
{
	struct tm tm = utc(date);

	if (when->weekdays != 0)
		return when->weekdays >> tm.tm_wday & 1;
	if (when->monthdays == 0 || when->monthdays >> tm.tm_mday & 1)
		return true;
	/* The last day of the month stands in for days that the month lacks. */
	return utc(date + DAY_S).tm_mday == 1 && when->monthdays >> tm.tm_mday != 0;
}

static int64_t due_at(const struct sf_when *when, int64_t date, unsigned i)
{
	struct tm tm = utc(date + when->minutes[i] * 60);

	return sf_zone_instant(&tm);
}

static bool is_minute(const struct sf_when *when, int minute)
{
	for (unsigned i = 0; i < when->nminutes; i++)
		if (when->minutes[i] == minute)
			return true;
	return false;
}

/* Searches minute by minute from the one that clocks show; -1 if none is due. */
static int64_t find_minute(const struct sf_when *when, int64_t now, bool forward)
{
	int64_t instant = now - sf_zone_local(now).tm_sec + (forward ? 60 : 0);

	for (int i = 0; i < MINUTES_MAX; i++, instant += forward ? 60 : -60)
		if (is_minute(when, sf_zone_local(instant).tm_min))
			return instant;
	return -1;
}

/*
 * Due instants are in the order of the dates and times they come from, because each is the first at which
 * clocks show that time. Hence the first match is the nearest. The search backwards starts at tomorrow: where
 * clocks have gone back over midnight, tomorrow's times may lie in the past.
 */
static int64_t find_before(const struct sf_when *when, int64_t now)
{
	for (int days = 1; days > -DAYS_MAX; days--) {
		int64_t date = date_of(now, days);

		for (unsigned i = when->nminutes; is_day(when, date) && i-- > 0;) {
			int64_t instant = due_at(when, date, i);

			if (instant <= now)
				return instant;
		}
	}
	return -1;
}

static int64_t find_after(const struct sf_when *when, int64_t now)
{
	for (int days = 0; days < DAYS_MAX; days++) {
		int64_t date = date_of(now, days);

		for (unsigned i = 0; is_day(when, date) && i < when->nminutes; i++) {
			int64_t instant = due_at(when, date, i);

			if (instant > now)
				return instant;
		}
	}
	return -1;
}

static int find(const struct sf_when *when, const char *zone_name, uint64_t now_ns, bool forward,
		uint64_t *ret_ns, struct sf_err *err)
{
	int64_t now = (int64_t)(now_ns / NS_PER_S);
	struct sf_zone zone;
	int64_t instant;
	int rc = sf_zone_enter(&zone, zone_name, err);

	if (rc < 0)
		return rc;
	if (when->by_hour)
		instant = find_minute(when, now, forward);
	else
		instant = forward ? find_after(when, now) : find_before(when, now);
	sf_zone_leave(&zone);
	if (instant < 0)
		return sf_fail(err, -ERANGE, "not due between 1970 and this time");
	*ret_ns = (uint64_t)instant * NS_PER_S;
	return 0;
}

int sf_when_previous(const struct sf_when *when, const char *zone_name, uint64_t now_ns, uint64_t *ret_ns,
		     struct sf_err *err)
{
	return find(when, zone_name, now_ns, false, ret_ns, err);
}

int sf_when_next(const struct sf_when *when, const char *zone_name, uint64_t now_ns, uint64_t *ret_ns,
		 struct sf_err *err)
{
	return find(when, zone_name, now_ns, true, ret_ns, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "zone.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONEINFO "/usr/share/zoneinfo/"
#define LETTERS                                                                                              \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"                                               \
	"0123456789_+-"
#define DAY 86400

/*
 * Accepts parts of plain characters with single slashes between them: nothing that leads out of the
 * directory.
 */
static bool is_plain(const char *name)
{
	size_t len;

	if (strlen(name) >= SF_ZONE_MAX)
		return false;
	do {
		len = strspn(name, LETTERS);
		if (len == 0 || *name == '-' || *name == '+')
			return false;
		name += len;
	} while (*name++ == '/');
	return !name[-1];
}

/* See tzfile(5). */
static bool is_zone_file(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char magic[4];
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       read(fd, magic, sizeof(magic)) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, "TZif", sizeof(magic)) == 0;
}

int sf_zone_check(const char *name, struct sf_err *err)
{
	char path[sizeof(ZONEINFO) + SF_ZONE_MAX];

	if (strcmp(name, "UTC") == 0)
		return 0;
	if (!is_plain(name))
		return sf_fail(err, -EINVAL, "'%s' is not the name of a time zone, such as Europe/Berlin",
			       name);
	(void)snprintf(path, sizeof(path), ZONEINFO "%s", name);
	if (!is_zone_file(path))
		return sf_fail(err, -EINVAL, "no time zone '%s' in " ZONEINFO, name);
	return 0;
}

int sf_zone_enter(struct sf_zone *zone, const char *name, struct sf_err *err)
{
	char value[sizeof(ZONEINFO) + SF_ZONE_MAX] = "UTC0";
	const char *now = getenv("TZ");
	auto_free char *before = name && now ? strdup(now) : NULL;
	int rc;

	*zone = (struct sf_zone){0};
	if (name) {
		rc = sf_zone_check(name, err);
		if (rc < 0)
			return rc;
		/* Use the path, so that TZDIR cannot select another file than the one checked. */
		if (strcmp(name, "UTC") != 0)
			(void)snprintf(value, sizeof(value), ":" ZONEINFO "%s", name);
		if ((now && !before) || setenv("TZ", value, 1) < 0)
			return sf_fail(err, -ENOMEM, "out of memory");
		zone->entered = true;
		zone->before = sf_take_ptr(&before);
	}
	tzset();
	return 0;
}

void sf_zone_leave(struct sf_zone *zone)
{
	if (!zone->entered)
		return;
	/* setenv may fail when out of memory: the entered zone then stays in effect. */
	if (zone->before)
		(void)setenv("TZ", zone->before, 1);
	else
		(void)unsetenv("TZ");
	tzset();
	free(zone->before);
	*zone = (struct sf_zone){0};
}

struct tm sf_zone_local(int64_t instant)
{
	time_t seconds = (time_t)instant;
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	return tm;
}

static int64_t offset_at(int64_t instant)
{
	return sf_zone_local(instant).tm_gmtoff;
}

/* The first instant with another offset than at lo, given one change in (lo, hi]. */
static int64_t find_change(int64_t lo, int64_t hi)
{
	int64_t before = offset_at(lo);

	while (hi - lo > 1) {
		int64_t middle = lo + (hi - lo) / 2;

		if (offset_at(middle) == before)
			lo = middle;
		else
			hi = middle;
	}
	return hi;
}

int64_t sf_zone_instant(const struct tm *wall)
{
	struct tm copy = {.tm_year = wall->tm_year,
			  .tm_mon = wall->tm_mon,
			  .tm_mday = wall->tm_mday,
			  .tm_hour = wall->tm_hour,
			  .tm_min = wall->tm_min,
			  .tm_sec = wall->tm_sec};
	int64_t shown = timegm(&copy);
	/*
	 * No zone is a day off UTC, so the instant lies between these two, and so does any change that
	 * matters.
	 */
	int64_t before = offset_at(shown - DAY), after = offset_at(shown + DAY);
	int64_t first = shown - (before > after ? before : after);
	int64_t second = shown - (before > after ? after : before);

	if (first + offset_at(first) == shown)
		return first;
	if (second + offset_at(second) == shown)
		return second;
	return find_change(shown - DAY, shown + DAY);
}

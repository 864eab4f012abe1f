/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which snapshots of one VM are kept: grandfather, father, son, as `restic forget` does it (its manual,
 * "Removing snapshots according to a policy"). Knows times only; removes nothing. For programs with one
 * thread, see zone.h.
 *
 * Each counting rule goes from the newest snapshot to the oldest. "daily 7" keeps the newest one of each of
 * the last 7 days that have any; days without snapshots do not count. A rule that ends with counts left keeps
 * the oldest snapshot too, so that the history is as long as it can be; with new snapshots this one gives way
 * to the rule's own. "within 2d" keeps all that are younger than 2 days when the newest was taken: not when
 * the rules are applied, so a VM that is no longer snapshotted keeps what it has. What any rule keeps is
 * kept.
 *
 * Days, weeks (from Monday on), months and years are those of the calendar in a time zone. Hours are hours as
 * they pass: the hour that occurs twice when clocks go back counts twice (for restic it is one), so that of
 * hourly snapshots none is missing.
 *
 * The rules see neither exempt snapshots (held, pre-revert, broken) nor those of the future, which a clock
 * made that was wrong: both are kept, and what is decided about the others is the same as if they were not
 * there. A broken snapshot is no substitute for a day's good one; one that is held today is somebody's to
 * delete tomorrow, and three from the year 2040 are not the last three. (In restic, kept tags and snapshots
 * of the future count.) So holding a snapshot never removes another.
 */
#ifndef SF_CORE_CALENDAR_RETENTION_H
#define SF_CORE_CALENDAR_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

#define SF_KEEP_ALL       (-1) /* as a count: no limit */
#define SF_KEEP_COUNT_MAX 100000

enum sf_keep {
	SF_KEEP_LAST,
	SF_KEEP_HOURLY,
	SF_KEEP_DAILY,
	SF_KEEP_WEEKLY,
	SF_KEEP_MONTHLY,
	SF_KEEP_YEARLY,
	SF_NKEEPS
};

/* Calendar years, months and days back, then hours. All 0: none. */
struct sf_duration {
	int years, months, days, hours; /* 0 to 9999 each */
};

struct sf_keep_rules {
	int count[SF_NKEEPS]; /* by enum sf_keep: 1 to SF_KEEP_COUNT_MAX, SF_KEEP_ALL, or 0: no such rule */
	struct sf_duration within;
};

#define SF_KEEP_OLDEST (-1) /* kept as the oldest, as the rule had counts left */

struct sf_kept {
	uint64_t taken_ns;  /* in: since the epoch */
	const char *exempt; /* in: why the rules do not see it ("held"); NULL: they do */
	bool keep;          /* out, as all below */
	bool future;        /* kept, as it was taken after now */
	bool within;        /* kept by rules->within */
	int nth[SF_NKEEPS]; /* 1 for the first that the rule keeps, and so on; SF_KEEP_OLDEST; 0: not by it */
};

/* Longest text of reasons, with its NUL; a longer exempt is cut. */
#define SF_KEEP_TEXT 256

/* No rule at all: nothing would be kept. */
bool sf_keep_rules_empty(const struct sf_keep_rules *rules);

/* "7", or "unlimited" or "-1". -EINVAL for anything else, 0 included: a rule that is not wanted is left out.
 */
int sf_keep_count_parse(const char *text, int *ret, struct sf_err *err);

/* "1y5m7d2h": years, months, days and hours, each at most once and not all 0. -EINVAL. */
int sf_duration_parse(const char *text, struct sf_duration *ret, struct sf_err *err);

/*
 * Decides about n items in any order, which stay where they are; of two of the same instant, the first in the
 * array counts as the newer one. zone_name is NULL for the host's. -EINVAL for rules that are empty or out of
 * range and for an unknown time zone, -ENOMEM; the items' results are undefined then.
 */
int sf_retention_apply(const struct sf_keep_rules *rules, const char *zone_name, uint64_t now_ns,
		       struct sf_kept *items, size_t n, struct sf_err *err);

/* "last 1, hourly 3, oldest monthly, within 2d", "held", "in the future"; empty for one that is not kept. */
void sf_retention_reasons(const struct sf_keep_rules *rules, const struct sf_kept *item,
			  char text[static SF_KEEP_TEXT]);

#endif

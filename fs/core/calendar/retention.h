/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decides which snapshots of one VM to keep: grandfather-father-son retention, as in `restic forget` (its
 * manual, "Removing snapshots according to a policy"). Works on times only and removes nothing. For
 * single-threaded programs only, see zone.h.
 *
 * Each counting rule goes from the newest snapshot to the oldest. "daily 7" keeps the newest snapshot of each
 * of the last 7 days that have any; days without snapshots do not count. A rule that is not used up also
 * keeps the oldest snapshot, so that the history is as long as possible; as new snapshots arrive, they
 * replace it. "within 2d" keeps every snapshot taken less than 2 days before the newest one. Its reference is
 * not the time of pruning, so a VM that is no longer snapshotted keeps what it has. A snapshot is kept if any
 * rule keeps it.
 *
 * Days, weeks (starting on Monday), months and years follow the calendar in a time zone. Hours are elapsed
 * hours: the hour that occurs twice when clocks go back counts as two (restic counts one), so that no hourly
 * snapshot is lost.
 *
 * The rules ignore exempt snapshots (held, pre-revert, broken) and snapshots in the future, which stem from a
 * wrong clock. Both are kept and do not affect the others: a broken snapshot does not replace a day's good
 * one; a snapshot that is held today may be deleted by its owner tomorrow; three snapshots from the year 2040
 * are not the last three. (restic counts kept tags and future snapshots.) Hence holding a snapshot never
 * removes another.
 */
#ifndef SF_CORE_CALENDAR_RETENTION_H
#define SF_CORE_CALENDAR_RETENTION_H

#include "duration.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

#define SF_KEEP_ALL       (-1) /* as a count: unlimited */
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

struct sf_keep_rules {
	int count[SF_NKEEPS]; /* by enum sf_keep: 1 to SF_KEEP_COUNT_MAX, SF_KEEP_ALL, or 0: no such rule */
	struct sf_duration within;
};

#define SF_KEEP_OLDEST (-1) /* kept as the oldest, because the rule was not used up */

struct sf_kept {
	uint64_t taken_ns;  /* in: since the epoch */
	const char *exempt; /* in: why the rules ignore it ("held"); NULL: they do not */
	bool keep;          /* out, as all below */
	bool future;        /* kept because it was taken after now */
	bool within;        /* kept by rules->within */
	int nth[SF_NKEEPS]; /* from 1: its position among those the rule keeps; SF_KEEP_OLDEST; 0: not kept */
};

/* Size of the text of reasons, with its NUL; a longer exempt is truncated. */
#define SF_KEEP_TEXT 256

/* Whether there is no rule at all, so that nothing would be kept. */
bool sf_keep_rules_empty(const struct sf_keep_rules *rules);

/* Parses "7", "unlimited" or "-1". -EINVAL for anything else, including 0: an unwanted rule is left out. */
int sf_keep_count_parse(const char *text, int *ret, struct sf_err *err);
/* Parses the duration of keep-within. -EINVAL for anything else, including zero. */
int sf_keep_within_parse(const char *text, struct sf_duration *ret, struct sf_err *err);

/*
 * Fills in the results of n items, in any order; does not reorder them. Of two items with the same time, the
 * first in the array counts as newer. zone_name is NULL for the host's zone. -EINVAL for rules that are empty
 * or counts that are out of range or for an unknown zone, -ENOMEM. On failure the results are undefined.
 */
int sf_retention_apply(const struct sf_keep_rules *rules, const char *zone_name, uint64_t now_ns,
		       struct sf_kept *items, size_t n, struct sf_err *err);

/*
 * Formats why an item is kept: "last 1, hourly 3, oldest monthly, within 2d", "held", "in the future". Empty
 * if it is not kept.
 */
void sf_retention_reasons(const struct sf_keep_rules *rules, const struct sf_kept *item,
			  char text[static SF_KEEP_TEXT]);

#endif

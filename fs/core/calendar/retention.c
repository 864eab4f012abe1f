/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "retention.h"

#include "zone.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000

static const char *const names[SF_NKEEPS] = {"last", "hourly", "daily", "weekly", "monthly", "yearly"};

bool sf_keep_rules_empty(const struct sf_keep_rules *rules)
{
	for (int i = 0; i < SF_NKEEPS; i++)
		if (rules->count[i] != 0)
			return false;
	return sf_duration_is_zero(&rules->within);
}

/* --- as text --- */

int sf_keep_count_parse(const char *text, int *ret, struct sf_err *err)
{
	size_t len = strspn(text, "0123456789");
	long count = len > 0 && len < 9 && !text[len] ? strtol(text, NULL, 10) : 0;

	if (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0)
		count = SF_KEEP_ALL;
	else if (count < 1 || count > SF_KEEP_COUNT_MAX)
		return sf_fail(err, -EINVAL, "'%s' is neither a number from 1 to %d nor unlimited", text,
			       SF_KEEP_COUNT_MAX);
	*ret = (int)count;
	return 0;
}

int sf_keep_within_parse(const char *text, struct sf_duration *ret, struct sf_err *err)
{
	struct sf_duration within;
	int rc = sf_duration_parse(text, &within, err);

	if (rc < 0)
		return rc;
	if (sf_duration_is_zero(&within))
		return sf_fail(err, -EINVAL, "'%s': zero keeps nothing", text);
	*ret = within;
	return 0;
}

/* Appends an item, formatted as by printf(3), to a list in SF_KEEP_TEXT bytes. */
__attribute__((format(printf, 2, 3))) static void append(char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list args;

	if (len > 0 && len + 2 < SF_KEEP_TEXT) {
		memcpy(text + len, ", ", 3);
		len += 2;
	}
	va_start(args, fmt);
	(void)vsnprintf(text + len, SF_KEEP_TEXT - len, fmt, args);
	va_end(args);
}

void sf_retention_reasons(const struct sf_keep_rules *rules, const struct sf_kept *item,
			  char text[static SF_KEEP_TEXT])
{
	char duration[SF_DURATION_TEXT];

	*text = '\0';
	if (item->exempt)
		append(text, "%s", item->exempt);
	if (item->future)
		append(text, "in the future");
	for (int i = 0; i < SF_NKEEPS; i++)
		if (item->nth[i] == SF_KEEP_OLDEST)
			append(text, "oldest %s", names[i]);
		else if (item->nth[i] > 0)
			append(text, "%s %d", names[i], item->nth[i]);
	if (item->within) {
		sf_duration_format(&rules->within, duration);
		append(text, "within %s", duration);
	}
}

/* --- the rules --- */

static int check_rules(const struct sf_keep_rules *rules, struct sf_err *err)
{
	for (int i = 0; i < SF_NKEEPS; i++)
		if (rules->count[i] < SF_KEEP_ALL || rules->count[i] > SF_KEEP_COUNT_MAX)
			return sf_fail(err, -EINVAL, "%d %s snapshots cannot be kept", rules->count[i],
				       names[i]);
	if (sf_keep_rules_empty(rules))
		return sf_fail(err, -EINVAL, "no rule says what to keep");
	return 0;
}

/*
 * The number of the day, week and so on that contains an instant. A day has the number of its date, a week
 * that of its Monday. An hour has the instant at which clocks would have shown its minute 0, so that the two
 * hours of the same name in autumn differ.
 */
static int64_t bucket_of(enum sf_keep rule, int64_t instant, const struct tm *tm)
{
	int64_t day =
		timegm(&(struct tm){.tm_year = tm->tm_year, .tm_mon = tm->tm_mon, .tm_mday = tm->tm_mday}) /
		86400;

	switch (rule) {
	case SF_KEEP_HOURLY:
		return instant - tm->tm_min * 60 - tm->tm_sec;
	case SF_KEEP_DAILY:
		return day;
	case SF_KEEP_WEEKLY:
		return day - (tm->tm_wday + 6) % 7;
	case SF_KEEP_MONTHLY:
		return tm->tm_year * 12 + tm->tm_mon;
	case SF_KEEP_YEARLY:
		return tm->tm_year;
	case SF_KEEP_LAST:
	case SF_NKEEPS:
		break;
	}
	return 0;
}

/*
 * The progress of a rule. It remembers two buckets, because clocks have gone back over midnight shortly after
 * it (America/St_Johns until 2011): Sunday, Saturday, Sunday.
 */
struct progress {
	int used;
	int64_t seen[2];
};

/* The position at which the rule keeps this snapshot; SF_KEEP_OLDEST; 0 if it does not keep it. */
static int use_rule(struct progress *at, int count, int64_t bucket, bool oldest)
{
	bool known = (at->used > 0 && at->seen[0] == bucket) || (at->used > 1 && at->seen[1] == bucket);

	if (count == 0 || at->used == count)
		return 0;
	if (known)
		return oldest ? SF_KEEP_OLDEST : 0;
	at->seen[1] = at->seen[0];
	at->seen[0] = bucket;
	return ++at->used;
}

/* Applies the rules to the n items that they see, newest first. */
static void apply(const struct sf_keep_rules *rules, struct sf_kept **items, size_t n)
{
	struct progress at[SF_NKEEPS] = {0};
	bool within = !sf_duration_is_zero(&rules->within);
	uint64_t since = within && n > 0 ? sf_duration_before(&rules->within, items[0]->taken_ns) : 0;

	for (size_t i = 0; i < n; i++) {
		struct sf_kept *item = items[i];
		int64_t instant = (int64_t)(item->taken_ns / NS_PER_S);
		struct tm tm = sf_zone_local(instant);

		item->within = within && (since == 0 || item->taken_ns > since);
		item->keep = item->within;
		for (enum sf_keep rule = 0; rule < SF_NKEEPS; rule++) {
			int64_t bucket = rule == SF_KEEP_LAST ? (int64_t)i : bucket_of(rule, instant, &tm);

			item->nth[rule] = use_rule(&at[rule], rules->count[rule], bucket, i == n - 1);
			item->keep = item->keep || item->nth[rule] != 0;
		}
	}
}

static int by_age(const void *a, const void *b)
{
	const struct sf_kept *left = *(struct sf_kept *const *)a, *right = *(struct sf_kept *const *)b;

	if (left->taken_ns != right->taken_ns)
		return left->taken_ns > right->taken_ns ? -1 : 1;
	return left < right ? -1 : left > right;
}

int sf_retention_apply(const struct sf_keep_rules *rules, const char *zone_name, uint64_t now_ns,
		       struct sf_kept *items, size_t n, struct sf_err *err)
{
	auto_free struct sf_kept **seen = calloc(n + 1, sizeof(struct sf_kept *));
	struct sf_zone zone;
	size_t nseen = 0;
	int rc = check_rules(rules, err);

	if (rc < 0)
		return rc;
	if (!seen)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_zone_enter(&zone, zone_name, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *exempt = items[i].exempt;
		bool future = items[i].taken_ns > now_ns;

		items[i] = (struct sf_kept){
			.taken_ns = items[i].taken_ns, .exempt = exempt, .future = future, .keep = true};
		if (!exempt && !future)
			seen[nseen++] = &items[i];
	}
	qsort(seen, nseen, sizeof(*seen), by_age);
	apply(rules, seen, nseen);
	sf_zone_leave(&zone);
	return 0;
}

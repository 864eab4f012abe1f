/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers the questions of check-rules, one a line on stdin, with one line each on stdout:
 *   keep ZONE NOW LAST HOURLY DAILY WEEKLY MONTHLY YEARLY WITHIN [TAKEN[!]]...
 *                                           the reasons of each snapshot, separated by ;
 *   when ZONE NOW TEXT...                   PREVIOUS NEXT
 * Times are nanoseconds since the epoch. The zone "-" is the host's. WITHIN "-" means none. A ! marks a
 * snapshot as exempt.
 */
#include "core/calendar/retention.h"
#include "core/calendar/when.h"

#include "base/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 4096

static const char *word(char **rest)
{
	const char *found = strsep(rest, " ");

	if (!found) {
		(void)fprintf(stderr, "a word is missing\n");
		exit(2);
	}
	return found;
}

static const char *zone_of(const char *name)
{
	return strcmp(name, "-") == 0 ? NULL : name;
}

static int keep(const char *zone, uint64_t now, char *rest, struct sf_err *err)
{
	static struct sf_kept items[ITEMS_MAX];
	struct sf_keep_rules rules = {0};
	char text[SF_KEEP_TEXT];
	const char *within;
	size_t n = 0;
	int rc;

	for (int rule = 0; rule < SF_NKEEPS; rule++)
		rules.count[rule] = (int)strtol(word(&rest), NULL, 10);
	within = word(&rest);
	rc = strcmp(within, "-") == 0 ? 0 : sf_duration_parse(within, &rules.within, err);
	for (char *item = strsep(&rest, " "); item && n < ITEMS_MAX; item = strsep(&rest, " "), n++)
		items[n] = (struct sf_kept){.taken_ns = strtoull(item, NULL, 10),
					    .exempt = strchr(item, '!') ? "held" : NULL};
	if (rc == 0)
		rc = sf_retention_apply(&rules, zone, now, items, n, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		sf_retention_reasons(&rules, &items[i], text);
		(void)printf("%s%s", i > 0 ? ";" : "", text);
		if (items[i].keep != (*text != '\0'))
			(void)printf(" (keep is wrong)");
	}
	return rc;
}

static int when(const char *zone, uint64_t now, const char *text, struct sf_err *err)
{
	struct sf_when parsed;
	uint64_t previous, next;
	int rc = sf_when_parse(text, &parsed, err);

	if (rc == 0)
		rc = sf_when_previous(&parsed, zone, now, &previous, err);
	if (rc == 0)
		rc = sf_when_next(&parsed, zone, now, &next, err);
	if (rc == 0)
		(void)printf("%" PRIu64 " %" PRIu64, previous, next);
	return rc;
}

int main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		char *rest = line;
		struct sf_err err = {0};
		const char *kind, *zone;
		uint64_t now;

		line[strcspn(line, "\n")] = '\0';
		kind = word(&rest);
		zone = zone_of(word(&rest));
		now = strtoull(word(&rest), NULL, 10);
		if ((*kind == 'k' ? keep(zone, now, rest, &err) : when(zone, now, rest, &err)) < 0)
			(void)printf("failed: %s", err.text);
		(void)printf("\n");
	}
	free(line);
	return 0;
}

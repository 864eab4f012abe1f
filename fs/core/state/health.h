/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of current problems, as health.json shows it. Kind and subject identify a problem; setting it
 * again replaces its text. Thread-safe; its own lock is a leaf.
 */
#ifndef SF_CORE_STATE_HEALTH_H
#define SF_CORE_STATE_HEALTH_H

#include <stddef.h>

struct sf_health;

/* More problems than this are counted but not listed. */
#define SF_HEALTH_MAX 1000

int sf_health_new(struct sf_health **ret);
void sf_health_free(struct sf_health *health);

/*
 * Sets a problem, and logs it as a warning if it is new.
 * kind: "broken", "unreachable", "orphan", "unowned" (perhaps an orphan), "set-aside", "newer" (a file of a
 * newer schema), "disk", "shared", "guest", "revert", "undo", "stray" (what does not belong into the state
 * directory),
 * "hypervisor", "space", "watch", "rescan", "schedule" (its last run) or "state" (a file of the state
 * directory itself). subject: what the problem is about, such as "web/clean".
 */
void sf_health_set(struct sf_health *health, const char *kind, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A no-op when there is no such problem. */
void sf_health_clear(struct sf_health *health, const char *kind, const char *subject);
/* Counts unlisted problems too. */
size_t sf_health_count(struct sf_health *health);

/*
 * {"ok": bool, "problems": [{"kind", "subject", "text", "since"}], "unlisted": number, "state_directory"},
 * allocated; NULL when out of memory. state_dir: the directory that this daemon uses, for clients that look
 * at it.
 */
char *sf_health_json(struct sf_health *health, const char *state_dir);

#endif

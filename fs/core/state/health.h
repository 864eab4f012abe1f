/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong right now, as health.json shows it. A problem is known by its kind and subject; setting it
 * again replaces its text. Thread-safe; its own lock, a leaf.
 */
#ifndef SF_CORE_STATE_HEALTH_H
#define SF_CORE_STATE_HEALTH_H

#include <stddef.h>

struct sf_health;

/* More problems than this are counted and not listed. */
#define SF_HEALTH_MAX 1000

int sf_health_new(struct sf_health **ret);
void sf_health_free(struct sf_health *health);

/*
 * kind: "broken", "orphan", "set-aside", "disk", "guest", "revert", "undo", "stray", "hypervisor", "space",
 * "watch", "rescan", "schedule" (its last run), "state" (a file of the state directory itself); subject:
 * what it is about ("web/clean"). A problem that is new is logged as a warning.
 */
void sf_health_set(struct sf_health *health, const char *kind, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void sf_health_clear(struct sf_health *health, const char *kind, const char *subject);
size_t sf_health_count(struct sf_health *health);

/* {"ok": bool, "problems": [{"kind", "subject", "text", "since"}]}, allocated; NULL when out of memory. */
char *sf_health_json(struct sf_health *health);

#endif

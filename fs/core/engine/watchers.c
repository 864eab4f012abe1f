/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches storages, one thread each. Each round reports the complete fill levels and replaces those of the
 * previous round, here and in health.json. A failed round only reports its failure. A leaf lock protects the
 * results for readers.
 */
#include "watchers.h"

#include "internal.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* Longest wait within a round, and the pause after a failed one. */
#define ROUND_MS 2000
#define PAUSE_MS 3000
/* Most items that one storage may report, at 8 KiB each; the rest is left out to bound memory. */
#define USAGES_MAX 2048

struct usages {
	struct sf_usage *list;
	size_t n, room;
};

struct watcher {
	struct sf_watchers *all;
	struct sf_storage *storage;
	pthread_t thread;
	struct usages last; /* guarded by all->lock; only the thread changes it */
};

struct sf_watchers {
	struct sf_engine *engine;
	int wake_fd; /* readable: stop */
	pthread_mutex_t lock;
	size_t n;
	struct watcher list[SF_STORAGES_MAX];
};

/* --- one round --- */

static void add_usage(void *arg, const struct sf_usage *usage)
{
	struct usages *usages = arg;
	size_t room = usages->room ? 2 * usages->room : 16;
	struct sf_usage *list;

	if (usages->n == USAGES_MAX)
		return;
	if (usages->n == usages->room) {
		list = realloc(usages->list, room * sizeof(*list));
		if (!list)
			return; /* best effort: the item is back once memory is */
		usages->list = list;
		usages->room = room;
	}
	usages->list[usages->n++] = *usage;
}

/* A pool can run full in two ways, data and metadata: its name alone is ambiguous. */
static void subject_of(const struct sf_usage *usage, char *buf, size_t size)
{
	(void)snprintf(buf, size, "%s (%s)", usage->subject, usage->kind);
}

static bool still_a_problem(const struct usages *now, const struct sf_usage *usage)
{
	for (size_t i = 0; i < now->n; i++)
		if (*now->list[i].problem && strcmp(now->list[i].kind, usage->kind) == 0 &&
		    strcmp(now->list[i].subject, usage->subject) == 0)
			return true;
	return false;
}

static void report_problems(struct sf_health *health, const struct usages *last, const struct usages *now)
{
	char subject[SF_ORIGIN_MAX + 64];

	for (size_t i = 0; i < last->n; i++) {
		if (!*last->list[i].problem || still_a_problem(now, &last->list[i]))
			continue;
		subject_of(&last->list[i], subject, sizeof(subject));
		sf_health_clear(health, "space", subject);
		sf_log(SF_LOG_INFO, "space: %s: recovered", subject);
	}
	for (size_t i = 0; i < now->n; i++) {
		if (!*now->list[i].problem)
			continue;
		subject_of(&now->list[i], subject, sizeof(subject));
		sf_health_set(health, "space", subject, "%s", now->list[i].problem);
	}
}

/* Takes ownership of now. */
static void replace(struct watcher *watcher, struct usages *now)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&watcher->all->lock);

	free(watcher->last.list);
	watcher->last = *now;
}

static int do_round(struct watcher *watcher, unsigned wait_ms)
{
	struct sf_health *health = watcher->all->engine->health;
	struct sf_storage *storage = watcher->storage;
	struct usages now = {.list = NULL};
	struct sf_err err = {0};
	int rc = sf_storage_watch(storage, watcher->all->wake_fd, wait_ms, add_usage, &now, &err);

	if (rc < 0) {
		free(now.list);
		sf_health_set(health, "watch", storage->ops->name, "%s", err.text);
		return rc;
	}
	sf_health_clear(health, "watch", storage->ops->name);
	report_problems(health, &watcher->last, &now);
	replace(watcher, &now);
	return 0;
}

/* --- the threads --- */

/* Waits up to wait_ms. Returns true when it is time to stop. */
static bool is_over(const struct sf_watchers *watchers, int wait_ms)
{
	struct pollfd fd = {.fd = watchers->wake_fd, .events = POLLIN};

	return poll(&fd, 1, wait_ms) > 0;
}

static void *run(void *arg)
{
	struct watcher *watcher = arg;
	int rc = do_round(watcher, 0); /* no wait in the first round: there is nothing to show yet */

	while (!is_over(watcher->all, rc < 0 ? PAUSE_MS : 0))
		rc = do_round(watcher, ROUND_MS);
	return NULL;
}

static int add_watcher(struct sf_watchers *watchers, struct sf_storage *storage, struct sf_err *err)
{
	struct watcher *watcher = &watchers->list[watchers->n];
	int rc;

	watcher->all = watchers;
	watcher->storage = storage;
	rc = pthread_create(&watcher->thread, NULL, run, watcher);
	if (rc != 0)
		return sf_fail(err, -rc, "watch storage %s: %s", storage->ops->name, strerror(rc));
	watchers->n++;
	return 0;
}

static bool any_wants_watching(const struct sf_storages *storages)
{
	for (size_t i = 0; i < storages->nstorages; i++)
		if (storages->list[i]->ops->watch)
			return true;
	return false;
}

int sf_watchers_new(struct sf_engine *engine, struct sf_err *err)
{
	struct sf_watchers *watchers;
	int rc = 0;

	if (!any_wants_watching(engine->storages))
		return 0;
	watchers = calloc(1, sizeof(*watchers));
	if (!watchers)
		return sf_fail(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&watchers->lock, NULL);
	watchers->engine = engine;
	watchers->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (watchers->wake_fd < 0)
		rc = sf_fail(err, -errno, "watch storages: %s", strerror(errno));
	for (size_t i = 0; rc == 0 && i < engine->storages->nstorages; i++)
		if (engine->storages->list[i]->ops->watch)
			rc = add_watcher(watchers, engine->storages->list[i], err);
	if (rc < 0)
		sf_watchers_free(watchers);
	else
		engine->watchers = watchers;
	return rc;
}

void sf_watchers_free(struct sf_watchers *watchers)
{
	if (!watchers)
		return;
	if (watchers->n > 0)
		(void)eventfd_write(watchers->wake_fd, 1); /* cannot fail: the only write */
	for (size_t i = 0; i < watchers->n; i++) {
		pthread_join(watchers->list[i].thread, NULL);
		free(watchers->list[i].last.list);
	}
	sf_cleanup_fd(&watchers->wake_fd);
	pthread_mutex_destroy(&watchers->lock);
	free(watchers);
}

void sf_watchers_each(struct sf_watchers *watchers, sf_usage_fn *fn, void *arg)
{
	auto_unlock pthread_mutex_t *held = watchers ? sf_lock(&watchers->lock) : NULL;

	for (size_t i = 0; watchers && i < watchers->n; i++)
		for (size_t k = 0; k < watchers->list[i].last.n; k++)
			fn(arg, &watchers->list[i].last.list[k]);
}

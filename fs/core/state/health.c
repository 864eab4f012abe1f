/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health.h"

#include "base/json.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct problem {
	char kind[16];
	char subject[512];
	char text[SF_ERR_TEXT];
	uint64_t since_ns;
};

struct sf_health {
	pthread_mutex_t lock; /* guards everything below */
	struct problem *list;
	size_t n;
	size_t unlisted;
};

int sf_health_new(struct sf_health **ret)
{
	struct sf_health *health = calloc(1, sizeof(*health));

	if (!health)
		return -ENOMEM;
	pthread_mutex_init(&health->lock, NULL);
	*ret = health;
	return 0;
}

void sf_health_free(struct sf_health *health)
{
	if (!health)
		return;
	pthread_mutex_destroy(&health->lock);
	free(health->list);
	free(health);
}

static struct problem *find(struct sf_health *health, const char *kind, const char *subject)
{
	for (size_t i = 0; i < health->n; i++)
		if (strcmp(health->list[i].kind, kind) == 0 && strcmp(health->list[i].subject, subject) == 0)
			return &health->list[i];
	return NULL;
}

static struct problem *add(struct sf_health *health, const char *kind, const char *subject)
{
	struct problem *list = NULL;

	if (health->n < SF_HEALTH_MAX)
		list = realloc(health->list, (health->n + 1) * sizeof(*list));
	if (!list) {
		health->unlisted++;
		return NULL;
	}
	health->list = list;
	list += health->n++;
	memset(list, 0, sizeof(*list));
	(void)snprintf(list->kind, sizeof(list->kind), "%s", kind);
	(void)snprintf(list->subject, sizeof(list->subject), "%s", subject);
	list->since_ns = sf_clock_real_ns();
	return list;
}

void sf_health_set(struct sf_health *health, const char *kind, const char *subject, const char *fmt, ...)
{
	char short_subject[sizeof(((struct problem *)0)->subject)], text[SF_ERR_TEXT];
	bool is_new;
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut sentence is fine */
	va_end(args);
	(void)snprintf(short_subject, sizeof(short_subject), "%s", subject);
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&health->lock);
		struct problem *problem = find(health, kind, short_subject);

		is_new = !problem;
		if (is_new)
			problem = add(health, kind, short_subject);
		if (problem)
			memcpy(problem->text, text, sizeof(text));
	}
	if (is_new)
		sf_log(SF_LOG_WARNING, "%s: %s: %s", kind, subject, text);
}

void sf_health_clear(struct sf_health *health, const char *kind, const char *subject)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&health->lock);
	struct problem *problem = find(health, kind, subject);

	if (problem)
		*problem = health->list[--health->n];
}

size_t sf_health_count(struct sf_health *health)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&health->lock);

	return health->n + health->unlisted;
}

static json_t *problem_json(const struct problem *problem)
{
	char since[SF_TIME_TEXT];

	sf_time_format(problem->since_ns, since);
	return json_pack("{s:s, s:o, s:o, s:s}", "kind", problem->kind, "subject",
			 sf_json_lossy(problem->subject), "text", sf_json_lossy(problem->text), "since",
			 since);
}

char *sf_health_json(struct sf_health *health, const char *state_dir)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&health->lock);
	auto_json json_t *root = json_pack("{s:b, s:[], s:I, s:o}", "ok", health->n + health->unlisted == 0,
					   "problems", "unlisted", (json_int_t)health->unlisted,
					   "state_directory", sf_json_lossy(state_dir));

	for (size_t i = 0; root && i < health->n; i++)
		json_array_append_new(json_object_get(root, "problems"), problem_json(&health->list[i]));
	return sf_json_text(root, NULL);
}

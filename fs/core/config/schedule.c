/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The section [schedule NAME]. */
#include "section.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_DEADLINE_MS (300 * 1000)

enum key {
	KEY_KEEP, /* in the order of enum sf_keep */
	KEY_WITHIN = KEY_KEEP + SF_NKEEPS,
	KEY_VMS,
	KEY_WHEN,
	KEY_MEMORY,
	KEY_QUIESCE,
	KEY_ZONE,
	KEY_PRE,
	KEY_POST,
	KEY_DEADLINE,
	NKEYS
};

static const char *const keys[NKEYS] = {
	"keep-last",   "keep-hourly", "keep-daily", "keep-weekly", "keep-monthly",
	"keep-yearly", "keep-within", "vms",        "when",        "memory",
	"quiesce",     "timezone",    "pre",        "post",        "hook-deadline",
};

static const char *key_name(unsigned i)
{
	return i < NKEYS ? keys[i] : NULL;
}

static int open_schedule(struct sf_config_at *at, const char *name, struct sf_err *err)
{
	struct sf_config *config = at->config;
	struct sf_schedule_config schedule = {.line = at->line, .hook_deadline_ms = HOOK_DEADLINE_MS};
	struct sf_schedule_config *schedules;
	int rc = sf_name_check(name, err);

	if (rc < 0)
		return sf_wrap(err, rc, "schedule '%s'", name);
	if (strlen(name) > SF_SCHEDULE_NAME_MAX)
		return sf_fail(err, -ENAMETOOLONG, "the name of a schedule is longer than %d bytes",
			       SF_SCHEDULE_NAME_MAX);
	memcpy(schedule.name, name, strlen(name) + 1);
	if (sf_config_schedule(config, schedule.name))
		return sf_fail(err, -EINVAL, "section [schedule %s] appears twice", schedule.name);
	if (config->nschedules == SF_CONFIG_SCHEDULES_MAX)
		return sf_fail(err, -E2BIG, "more than %d schedules", SF_CONFIG_SCHEDULES_MAX);
	schedules = realloc(config->schedules, (config->nschedules + 1) * sizeof(*schedules));
	if (!schedules)
		return sf_fail(err, -ENOMEM, "out of memory");
	config->schedules = schedules;
	at->schedule = &schedules[config->nschedules++];
	*at->schedule = schedule;
	return 0;
}

static int append_pattern(struct sf_schedule_config *schedule, const char *pattern, struct sf_err *err)
{
	char **vms;

	if (!pattern[*pattern == '!'])
		return sf_fail(err, -EINVAL, "an empty pattern in the list of VMs");
	if (schedule->nvms == SF_SCHEDULE_VMS_MAX)
		return sf_fail(err, -E2BIG, "more than %d patterns", SF_SCHEDULE_VMS_MAX);
	vms = realloc(schedule->vms, (schedule->nvms + 1) * sizeof(*vms));
	if (!vms)
		return sf_fail(err, -ENOMEM, "out of memory");
	schedule->vms = vms;
	vms[schedule->nvms] = strdup(pattern);
	if (!vms[schedule->nvms])
		return sf_fail(err, -ENOMEM, "out of memory");
	schedule->nvms++;
	return 0;
}

static int append_patterns(struct sf_schedule_config *schedule, const char *list, struct sf_err *err)
{
	auto_free char **patterns = NULL;
	size_t n;
	int rc = sf_config_split(list, SF_CONFIG_PATTERNS, &patterns, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = append_pattern(schedule, patterns[i], err);
	return rc;
}

static int set_when(struct sf_schedule_config *schedule, const char *value, struct sf_err *err)
{
	int rc = sf_when_parse(value, &schedule->when, err);

	return rc < 0 ? rc : sf_config_text(value, schedule->when_text, sizeof(schedule->when_text), err);
}

static int set_choice(const char *value, enum sf_choice *ret, struct sf_err *err)
{
	bool yes;
	int rc = sf_config_bool(value, &yes, err);

	if (rc == 0)
		*ret = yes ? SF_CHOICE_YES : SF_CHOICE_NO;
	return rc;
}

static int set_key(const struct sf_config_at *at, unsigned key, const char *value, struct sf_err *err)
{
	struct sf_schedule_config *schedule = at->schedule;

	switch ((enum key)key) {
	case KEY_WITHIN:
		return sf_keep_within_parse(value, &schedule->keep.within, err);
	case KEY_VMS:
		return append_patterns(schedule, value, err);
	case KEY_WHEN:
		return set_when(schedule, value, err);
	case KEY_MEMORY:
		return set_choice(value, &schedule->memory, err);
	case KEY_QUIESCE:
		return set_choice(value, &schedule->quiesce, err);
	case KEY_ZONE:
		return sf_config_zone(value, schedule->timezone, err);
	case KEY_PRE:
		return sf_config_command(value, &schedule->pre, err);
	case KEY_POST:
		return sf_config_command(value, &schedule->post, err);
	case KEY_DEADLINE:
		return sf_config_seconds(value, 1, 86400, &schedule->hook_deadline_ms, err);
	default:
		return sf_keep_count_parse(value, &schedule->keep.count[key - KEY_KEEP], err);
	}
}

const struct sf_config_section sf_config_of_schedule = {.word = "schedule",
							.open = open_schedule,
							.key = key_name,
							.repeatable = 1U << KEY_VMS,
							.lists = 1U << KEY_VMS | 1U << KEY_PRE |
								 1U << KEY_POST,
							.set = set_key};

int sf_config_check_schedules(const struct sf_config *config, const char *file, struct sf_err *err)
{
	for (size_t i = 0; i < config->nschedules; i++) {
		const struct sf_schedule_config *schedule = &config->schedules[i];
		const char *why = NULL;

		if (schedule->when.nminutes == 0)
			why = "'when' is missing";
		else if (schedule->memory == SF_CHOICE_YES && schedule->quiesce == SF_CHOICE_YES)
			why = "memory and quiesce cannot both be yes";
		if (why)
			return sf_fail(err, -EINVAL, "%s:%d: schedule '%s': %s", file, schedule->line,
				       schedule->name, why);
	}
	return 0;
}

void sf_config_free_schedules(struct sf_config *config)
{
	for (size_t i = 0; i < config->nschedules; i++) {
		struct sf_schedule_config *schedule = &config->schedules[i];

		while (schedule->nvms > 0)
			free(schedule->vms[--schedule->nvms]);
		free(schedule->vms);
		free(schedule->pre);
		free(schedule->post);
	}
	free(config->schedules);
	config->schedules = NULL;
	config->nschedules = 0;
}

const struct sf_schedule_config *sf_config_schedule(const struct sf_config *config, const char *name)
{
	for (size_t i = 0; i < config->nschedules; i++)
		if (strcmp(config->schedules[i].name, name) == 0)
			return &config->schedules[i];
	return NULL;
}

bool sf_schedule_takes(const struct sf_schedule_config *schedule, const char *vm)
{
	bool named = false, matched = false;

	for (size_t i = 0; i < schedule->nvms; i++) {
		const char *pattern = schedule->vms[i];
		bool excludes = *pattern == '!';
		bool matches = fnmatch(pattern + excludes, vm, 0) == 0;

		if (excludes && matches)
			return false;
		named = named || !excludes;
		matched = matched || matches;
	}
	return matched || !named;
}

bool sf_schedule_item_matches_none(const char *item, char *const *vms, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(item + (*item == '!'), vms[i], 0) == 0)
			return false;
	return true;
}

bool sf_schedule_item_is_name(const char *item, char name[static SF_NAME_MAX + 1])
{
	size_t len = 0;

	if (*item == '!')
		return false;
	for (; *item; item++) {
		if (strchr("*?[", *item))
			return false;
		item += *item == '\\' && item[1];
		if (len < SF_NAME_MAX)
			name[len++] = *item;
	}
	name[len] = '\0';
	return true;
}

const char *sf_config_timezone(const struct sf_config *config, const struct sf_schedule_config *schedule,
			       const char *vm)
{
	const struct sf_policy *policy = vm ? sf_config_policy(config, vm) : &config->policy;

	if (schedule && *schedule->timezone)
		return schedule->timezone;
	return *policy->timezone ? policy->timezone : NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections [snapfs] and [vm NAME]. Both have the policy keys, which come first. */
#include "section.h"

#include "base/err.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum policy_key { KEY_MEMORY, KEY_LIVE, KEY_QUIESCE, KEY_DEADLINE, KEY_MAX, KEY_ZONE, NPOLICY_KEYS };

static const char *const policy_keys[NPOLICY_KEYS] = {"memory",         "live",          "quiesce",
						      "pause-deadline", "max-snapshots", "timezone"};

static int set_policy(struct sf_policy *policy, enum policy_key key, const char *value, struct sf_err *err)
{
	switch (key) {
	case KEY_MEMORY:
		return sf_config_bool(value, &policy->memory, err);
	case KEY_LIVE:
		return sf_config_bool(value, &policy->live, err);
	case KEY_QUIESCE:
		return sf_config_bool(value, &policy->quiesce, err);
	case KEY_DEADLINE:
		return sf_config_seconds(value, 1, 3600, &policy->pause_deadline_ms, err);
	case KEY_MAX:
		return sf_config_number(value, 1, 10000, 1, &policy->max_snapshots, err);
	case KEY_ZONE:
		return sf_config_zone(value, policy->timezone, err);
	case NPOLICY_KEYS:
		break;
	}
	return sf_fail(err, -EINVAL, "unknown key");
}

/* --- [snapfs] --- */

enum { KEY_STATE = NPOLICY_KEYS, KEY_HYPERVISOR, KEY_RESERVE };

static const char *snapfs_key(unsigned i)
{
	static const char *const names[] = {"state", "hypervisor", "state-reserve"};

	if (i < NPOLICY_KEYS)
		return policy_keys[i];
	i -= NPOLICY_KEYS;
	return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

static int set_snapfs(const struct sf_config_at *at, unsigned key, const char *value, struct sf_err *err)
{
	struct sf_config *config = at->config;

	switch (key) {
	case KEY_STATE:
		return sf_config_path(value, config->state_dir, sizeof(config->state_dir), err);
	case KEY_HYPERVISOR:
		return sf_config_text(value, config->hypervisor, sizeof(config->hypervisor), err);
	case KEY_RESERVE:
		return sf_config_number(value, 0, 1048576, 1024 * 1024, &config->state_reserve_bytes, err);
	default:
		return set_policy(&config->policy, key, value, err);
	}
}

const struct sf_config_section sf_config_of_snapfs = {.word = "snapfs", .key = snapfs_key, .set = set_snapfs};

/* --- [vm NAME] --- */

enum { KEY_DISKS = NPOLICY_KEYS };

static const char *vm_key(unsigned i)
{
	if (i < NPOLICY_KEYS)
		return policy_keys[i];
	return i == KEY_DISKS ? "disks" : NULL;
}

static int open_vm(struct sf_config_at *at, const char *name, struct sf_err *err)
{
	if (sf_config_find_vm(at->config, name))
		return sf_fail(err, -EINVAL, "section [vm %s] appears twice", name);
	return sf_config_append_vm(at->config, name, &at->vm, err);
}

static int set_vm(const struct sf_config_at *at, unsigned key, const char *value, struct sf_err *err)
{
	if (key == KEY_DISKS)
		return sf_config_append_disks(at->vm, value, false, err);
	return set_policy(&at->vm->policy, key, value, err);
}

const struct sf_config_section sf_config_of_vm = {.word = "vm",
						  .open = open_vm,
						  .key = vm_key,
						  .repeatable = 1U << KEY_DISKS,
						  .lists = 1U << KEY_DISKS,
						  .set = set_vm};

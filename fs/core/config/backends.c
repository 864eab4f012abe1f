/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections [lvm] and [xen]. */
#include "section.h"

#include "base/err.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The keys of [lvm]: numbers within bounds, stored times unit, or durations in seconds, stored in ms. */
/* The unit of keys that take a duration: a second, in ms. */
#define DURATION 1000

static const struct lvm_key {
	const char *name;
	size_t offset; /* of a uint64_t in struct sf_lvm_config */
	uint64_t least, most, fallback;
	uint64_t unit;
} lvm_keys[] = {
	{"deadline", offsetof(struct sf_lvm_config, deadline_ms), 1, 3600, 60, DURATION},
	{"idle", offsetof(struct sf_lvm_config, idle_ms), 0, 3600, 30, DURATION},
	{"cow-size", offsetof(struct sf_lvm_config, cow_percent), 1, 100, 10, 1},
	{"cow-minimum", offsetof(struct sf_lvm_config, cow_minimum_bytes), 1, 1048576, 64, 1024 * 1024},
	{"cow-extend-at", offsetof(struct sf_lvm_config, cow_extend_at), 10, 99, 70, 1},
	{"cow-extend-by", offsetof(struct sf_lvm_config, cow_extend_by), 1, 100, 20, 1},
	{"cow-ceiling", offsetof(struct sf_lvm_config, cow_ceiling), 1, 200, 100, 1},
	{"vg-reserve", offsetof(struct sf_lvm_config, vg_reserve), 0, 90, 2, 1},
	{"pool-warn", offsetof(struct sf_lvm_config, pool_warn), 1, 99, 80, 1},
	{"pool-stop", offsetof(struct sf_lvm_config, pool_stop), 1, 100, 95, 1},
};
#define NLVM_KEYS (sizeof(lvm_keys) / sizeof(lvm_keys[0]))

static uint64_t *lvm_field(struct sf_lvm_config *lvm, const struct lvm_key *key)
{
	return (uint64_t *)(void *)((char *)lvm + key->offset);
}

void sf_config_init_backends(struct sf_config *config)
{
	for (size_t i = 0; i < NLVM_KEYS; i++)
		*lvm_field(&config->lvm, &lvm_keys[i]) = lvm_keys[i].fallback * lvm_keys[i].unit;
	(void)snprintf(config->xen.configs, sizeof(config->xen.configs), "/etc/xen");
	(void)snprintf(config->xen.helper, sizeof(config->xen.helper), "%s", SF_XEN_HELPER);
	config->xen.deadline_ms = 600 * 1000;
}

static const char *lvm_key(unsigned i)
{
	return i < NLVM_KEYS ? lvm_keys[i].name : NULL;
}

static int use_lvm(const struct sf_config_at *at, unsigned i, const char *value, struct sf_err *err)
{
	const struct lvm_key *key = &lvm_keys[i];
	uint64_t *field = lvm_field(&at->config->lvm, key);

	if (key->unit == DURATION)
		return sf_config_seconds(value, key->least, key->most, field, err);
	return sf_config_number(value, key->least, key->most, key->unit, field, err);
}

const struct sf_config_section sf_config_of_lvm = {.word = "lvm", .key = lvm_key, .set = use_lvm};

static const char *xen_key(unsigned i)
{
	static const char *const names[] = {"configs", "helper", "deadline"};

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

static int use_xen(const struct sf_config_at *at, unsigned i, const char *value, struct sf_err *err)
{
	struct sf_xen_config *xen = &at->config->xen;

	if (i == 0)
		return sf_config_path(value, xen->configs, sizeof(xen->configs), err);
	if (i == 1)
		return sf_config_path(value, xen->helper, sizeof(xen->helper), err);
	return sf_config_seconds(value, 1, 86400, &xen->deadline_ms, err);
}

const struct sf_config_section sf_config_of_xen = {.word = "xen", .key = xen_key, .set = use_xen};

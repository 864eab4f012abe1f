/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the configuration file and --vm of the command line. What is accepted must be within the documented
 * bounds.
 */
#include "core/config/config.h"

#include "core/contract/hypervisor.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policy(const struct sf_policy *policy)
{
	if (policy->pause_deadline_ms < 1000 || policy->pause_deadline_ms > 3600 * 1000 ||
	    policy->max_snapshots < 1 || policy->max_snapshots > 10000 ||
	    (*policy->timezone && sf_zone_check(policy->timezone, NULL) < 0))
		abort();
}

static void check_command(char *const *argv)
{
	size_t n = 0;

	while (argv && argv[n])
		n++;
	if (argv && (n == 0 || n > SF_HOOK_WORDS_MAX || *argv[0] != '/'))
		abort();
}

static void check_when(const struct sf_when *when)
{
	uint64_t now = 1772359200ULL * 1000000000, previous, next;

	if (when->nminutes == 0 || sf_when_previous(when, "Europe/Berlin", now, &previous, NULL) < 0 ||
	    sf_when_next(when, "Europe/Berlin", now, &next, NULL) < 0 || previous > now || next <= now)
		abort();
}

static void check_schedule(const struct sf_schedule_config *schedule)
{
	struct sf_kept item = {.taken_ns = 1};

	if (sf_name_check(schedule->name, NULL) < 0 || schedule->nvms > SF_SCHEDULE_VMS_MAX ||
	    schedule->hook_deadline_ms < 1000 || schedule->hook_deadline_ms > 86400 * 1000)
		abort();
	check_when(&schedule->when);
	check_command(schedule->pre);
	check_command(schedule->post);
	if (!sf_keep_rules_empty(&schedule->keep) &&
	    (sf_retention_apply(&schedule->keep, NULL, 2, &item, 1, NULL) < 0 || !item.keep))
		abort();
	(void)sf_schedule_takes(schedule, "web-test");
}

static void check(const struct sf_config *config)
{
	if (config->state_reserve_bytes > 1ULL << 40 || config->xen.deadline_ms < 1000 ||
	    config->xen.deadline_ms > 86400 * 1000 || config->xen.configs[0] != '/' ||
	    config->xen.helper[0] != '/')
		abort();
	check_policy(&config->policy);
	for (size_t i = 0; i < config->nschedules; i++)
		check_schedule(&config->schedules[i]);
	for (size_t i = 0; i < config->nvms; i++) {
		const struct sf_vm_config *vm = &config->vms[i];

		check_policy(&vm->policy);
		if (sf_name_check(vm->name, NULL) < 0 || vm->ndisks > SF_VM_DISKS_MAX)
			abort();
		for (size_t j = 0; j < vm->ndisks; j++)
			if (!*vm->disks[j].spec || sf_vdev_check(vm->disks[j].vdev, NULL) < 0)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct sf_config config;
	struct sf_err err = {0};

	sf_config_init(&config);
	if (sf_config_parse(&config, "f", (const char *)data, size, &err) == 0) {
		check(&config);
	} else {
		if (!strstr(err.text, "f:"))
			abort();
		/* After a failure the configuration may be incomplete. */
		sf_config_fini(&config);
		sf_config_init(&config);
	}
	if (text && sf_config_add_vm(&config, text, NULL) == 0)
		check(&config);
	sf_config_fini(&config);
	free(text);
	return 0;
}

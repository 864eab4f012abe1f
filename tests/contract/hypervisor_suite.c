/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "suite.h"
#include "vm_bench.h"

int contract_hypervisor_run(const struct contract_hypervisor *driver)
{
	static contract_cases_fn *const subjects[] = {vm_power_cases, vm_ram_cases};
	/* In the order of enum sf_hypervisor_caps. */
	static const char *const abilities[] = {"pause", "save RAM", "stop", "quiesce",
						"save the RAM of paused guests"};
	const struct contract_run run = {
		.name = driver->name,
		.subjects = subjects,
		.nsubjects = sizeof(subjects) / sizeof(subjects[0]),
		.abilities = abilities,
		.able = driver->caps,
		.setup = vm_bench_setup,
		.teardown = vm_bench_teardown,
		.driver = driver,
	};

	return contract_run(&run);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage_bench.h"
#include "storage_cases.h"
#include "suite.h"

int contract_storage_run(const struct contract_storage *driver)
{
	static contract_cases_fn *const subjects[] = {
		storage_disk_cases,
		storage_object_cases,
		storage_image_cases,
		storage_label_cases,
	};
	/* In the order of the NEEDS_ bits. */
	static const char *const abilities[] = {"tell holes", "be opened behind its back", "keep labels",
						"lose a disk"};
	const struct contract_run run = {
		.name = driver->name,
		.subjects = subjects,
		.nsubjects = sizeof(subjects) / sizeof(subjects[0]),
		.abilities = abilities,
		.able = (driver->holes ? NEEDS_HOLES : 0U) | (driver->open_writer ? NEEDS_WRITERS : 0U) |
			(driver->labels ? NEEDS_LABELS : 0U) | (driver->lose ? NEEDS_LOSS : 0U),
		.setup = bench_setup,
		.teardown = bench_teardown,
		.driver = driver,
	};

	return contract_run(&run);
}

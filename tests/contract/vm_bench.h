/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bench of the hypervisor suite: one hypervisor, its one VM, and a file for the VM's RAM. */
#ifndef SF_TESTS_CONTRACT_VM_BENCH_H
#define SF_TESTS_CONTRACT_VM_BENCH_H

#include "base/err.h"
#include "suite.h"

#include <stdio.h>

struct vm_bench {
	const struct contract_hypervisor *driver;
	void *ground;
	struct sf_hypervisor *hv;
	struct sf_vm_list list;
	struct sf_vm_desc *vm;
	FILE *ram; /* an unnamed temporary file */
	struct sf_err err;
};

/* cmocka's setup and teardown. The former expects the driver in *state and replaces it with the bench. */
int vm_bench_setup(void **state);
int vm_bench_teardown(void **state);

/* Each asserts success. */
void vm_check_power(struct vm_bench *bench, enum sf_power expected);
void vm_pause(struct vm_bench *bench);
void vm_resume(struct vm_bench *bench);
void vm_stop(struct vm_bench *bench);
void vm_start(struct vm_bench *bench, bool paused);
void vm_check_runs(struct vm_bench *bench);
void vm_check_rests(struct vm_bench *bench);

/* Tables of cases without setup; the runner adds the bench. */
size_t vm_power_cases(const struct contract_case **ret);
size_t vm_ram_cases(const struct contract_case **ret);

#endif

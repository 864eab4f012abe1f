/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

int vm_bench_setup(void **state)
{
	struct vm_bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->driver = *state;
	bench->ground = bench->driver->setup(&bench->hv);
	assert_int_equal(bench->hv->ops->caps, bench->driver->caps);
	contract_ok(sf_hypervisor_list(bench->hv, &bench->list, &bench->err), &bench->err);
	assert_int_equal(bench->list.nvms, 1);
	bench->vm = &bench->list.vms[0];
	bench->ram = tmpfile();
	assert_non_null(bench->ram);
	*state = bench;
	return 0;
}

int vm_bench_teardown(void **state)
{
	struct vm_bench *bench = *state;

	bench->driver->teardown(bench->ground, bench->hv);
	sf_vm_list_fini(&bench->list);
	(void)fclose(bench->ram); /* the content is no longer needed */
	free(bench);
	return 0;
}

void vm_check_power(struct vm_bench *bench, enum sf_power expected)
{
	enum sf_power power = SF_POWER_UNKNOWN;

	contract_ok(sf_hypervisor_power(bench->hv, bench->vm, &power, &bench->err), &bench->err);
	assert_string_equal(sf_power_name(power), sf_power_name(expected));
}

void vm_pause(struct vm_bench *bench)
{
	contract_ok(sf_hypervisor_pause(bench->hv, bench->vm, &bench->err), &bench->err);
}

void vm_resume(struct vm_bench *bench)
{
	contract_ok(sf_hypervisor_resume(bench->hv, bench->vm, &bench->err), &bench->err);
}

void vm_stop(struct vm_bench *bench)
{
	contract_ok(sf_hypervisor_stop(bench->hv, bench->vm, &bench->err), &bench->err);
}

void vm_start(struct vm_bench *bench, bool paused)
{
	contract_ok(sf_hypervisor_start(bench->hv, bench->vm, paused, &bench->err), &bench->err);
}

void vm_check_runs(struct vm_bench *bench)
{
	uint64_t before = bench->driver->progress(bench->ground);

	bench->driver->let_run(bench->ground);
	assert_true(bench->driver->progress(bench->ground) > before);
}

void vm_check_rests(struct vm_bench *bench)
{
	uint64_t before = bench->driver->progress(bench->ground);

	bench->driver->let_run(bench->ground);
	assert_int_equal(bench->driver->progress(bench->ground), before);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the hypervisor contract on `fault` around `sim`, with a plan that only counts: nothing observable may
 * change.
 */
#include "backends/fault/fault.h"
#include "base/err.h"
#include "sim_ground.h"
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct counted_plan {
	struct sf_fault_plan *plan;
	atomic_uint ncalls; /* any thread calls */
};

static void count(void *arg, const char *call)
{
	(void)call;
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static void *setup(struct sf_hypervisor **ret)
{
	struct sim_ground *ground = sim_ground_new();
	struct counted_plan *counted = calloc(1, sizeof(*counted));
	struct sf_err err;

	assert_non_null(counted);
	contract_ok(sf_fault_plan_new("", &counted->plan, &err), &err);
	sf_fault_plan_observe(counted->plan, count, &counted->ncalls);
	contract_ok(sf_fault_hypervisor(counted->plan, ground->sim, ret, &err), &err);
	ground->more = counted;
	return ground;
}

static void teardown(void *arg, struct sf_hypervisor *hv)
{
	struct sim_ground *ground = arg;
	struct counted_plan *counted = ground->more;

	sf_hypervisor_close(hv);
	assert_true(counted->ncalls > 0);
	sf_fault_plan_free(counted->plan);
	free(counted);
	sim_ground_free(ground);
}

int main(void)
{
	static const struct contract_hypervisor driver = {
		.name = "hypervisor fault",
		.setup = setup,
		.teardown = teardown,
		.caps = SIM_CAPS,
		.progress = sim_ground_progress,
		.let_run = sim_ground_let_run,
		.keep_disks = sim_ground_keep_disks,
		.return_disks = sim_ground_return_disks,
	};

	return contract_hypervisor_run(&driver);
}

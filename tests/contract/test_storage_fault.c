/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the storage contract on `fault` around `mem`, with a plan that only counts: nothing observable may
 * change.
 */
#include "backends/fault/fault.h"
#include "backends/mem/mem.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "suite.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct ground {
	struct sf_mem_world *world;
	struct sf_fault_plan *plan;
	atomic_uint ncalls; /* any thread calls */
};

static void count(void *arg, const char *call)
{
	(void)call;
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static void *setup(struct sf_disk disks[CONTRACT_DISKS])
{
	struct ground *ground = calloc(1, sizeof(*ground));
	struct sf_err err;

	assert_non_null(ground);
	disks[0] = (struct sf_disk){"vda", "mem:4M"};
	disks[1] = (struct sf_disk){"vdb", "mem:4M"};
	contract_ok(sf_mem_world_new(64 * 1024 * 1024, &ground->world, &err), &err);
	contract_ok(sf_fault_plan_new("", &ground->plan, &err), &err);
	sf_fault_plan_observe(ground->plan, count, &ground->ncalls);
	return ground;
}

static void teardown(void *arg)
{
	struct ground *ground = arg;

	assert_true(ground->ncalls > 0);
	sf_fault_plan_free(ground->plan);
	sf_mem_world_free(ground->world);
	free(ground);
}

static struct sf_storage *open_storage(void *arg, const struct sf_id *state_id)
{
	struct ground *ground = arg;
	struct sf_backend_env env = {.state_id = *state_id};
	struct sf_storage *mem = NULL, *fault = NULL;
	struct sf_err err;

	contract_ok(sf_mem_open(&env, ground->world, &mem, &err), &err);
	contract_ok(sf_fault_storage(ground->plan, mem, &fault, &err), &err);
	return fault;
}

int main(void)
{
	static const struct contract_refusal refusals[] = {{"mem:4X", -EINVAL, "expected mem:SIZE"}};
	static const struct contract_storage driver = {
		.name = "storage fault",
		.setup = setup,
		.teardown = teardown,
		.open = open_storage,
		.holes = true,
		.labels = true,
		.refusals = refusals,
		.nrefusals = 1,
	};

	return contract_storage_run(&driver);
}

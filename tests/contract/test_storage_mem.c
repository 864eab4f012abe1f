/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/mem/mem.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "suite.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void *setup(struct sf_disk disks[CONTRACT_DISKS])
{
	struct sf_mem_world *world;
	struct sf_err err;

	disks[0] = (struct sf_disk){"vda", "mem:4198912"}; /* a multiple of the sector size only */
	disks[1] = (struct sf_disk){"vdb", "mem:4198912"};
	contract_ok(sf_mem_world_new(64 * 1024 * 1024, &world, &err), &err);
	return world;
}

static void teardown(void *ground)
{
	sf_mem_world_free(ground);
}

static struct sf_storage *open_storage(void *ground, const struct sf_id *state_id)
{
	struct sf_backend_env env = {.state_id = *state_id};
	struct sf_storage *storage = NULL;
	struct sf_err err;

	contract_ok(sf_mem_open(&env, ground, &storage, &err), &err);
	return storage;
}

int main(void)
{
	static const struct contract_refusal refusals[] = {
		{"mem:4X", -EINVAL, "expected mem:SIZE"},
		{"mem:1K", -EINVAL, "4 KiB to 1 TiB"},
		{"nowhere", -EINVAL, "no storage backend"},
	};
	static const struct contract_storage driver = {
		.name = "storage mem",
		.setup = setup,
		.teardown = teardown,
		.open = open_storage,
		.holes = true,
		.labels = true,
		.refusals = refusals,
		.nrefusals = sizeof(refusals) / sizeof(refusals[0]),
	};

	return contract_storage_run(&driver);
}

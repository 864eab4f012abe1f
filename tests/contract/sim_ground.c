/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim_ground.h"

#include "backends/sim/sim.h"
#include "backends/mem/mem.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sim_ground *sim_ground_new(void)
{
	struct sim_ground *ground = calloc(1, sizeof(*ground));
	struct sf_storage *mem = NULL;
	struct sf_err err;

	assert_non_null(ground);
	ground->disks[0] = (struct sf_disk){"vda", "mem:1M"};
	ground->disks[1] = (struct sf_disk){"vdb", "mem:1M"};
	ground->vm = (struct sf_vm_config){.name = CONTRACT_VM, .disks = ground->disks, .ndisks = SIM_DISKS};
	ground->config = (struct sf_config){.vms = &ground->vm, .nvms = 1};
	ground->env = (struct sf_backend_env){sf_id_new(), &ground->config, &ground->storages};
	contract_ok(sf_mem_open(&ground->env, NULL, &mem, &err), &err);
	sf_storages_add(&ground->storages, mem);
	contract_ok(sf_sim_open(&ground->env, NULL, 0, &ground->sim, &err), &err);
	return ground;
}

void sim_ground_free(struct sim_ground *ground)
{
	sf_storages_close(&ground->storages);
	free(ground);
}

uint64_t sim_ground_progress(void *arg)
{
	struct sim_ground *ground = arg;
	struct sf_sim_view view;

	assert_int_equal(sf_sim_view(ground->sim, CONTRACT_VM, &view), 0);
	assert_false(view.crashed);
	return view.tick;
}

void sim_ground_let_run(void *arg)
{
	struct sim_ground *ground = arg;

	sf_sim_tick(ground->sim, 3);
}

static struct sf_volume *open_disk(struct sim_ground *ground, size_t index)
{
	struct sf_volume *volume = NULL;
	struct sf_err err;

	contract_ok(sf_volume_open(&ground->storages, CONTRACT_VM, &ground->disks[index], &volume, &err),
		    &err);
	return volume;
}

static void keep_disk(struct sim_ground *ground, size_t index)
{
	struct sf_volume *volume = open_disk(ground, index);
	struct sf_object *object = &ground->kept[index];
	struct sf_object_stat st;
	struct sf_err err;

	memcpy(ground->origins[index], volume->origin, sizeof(ground->origins[index]));
	*object = (struct sf_object){.token = sf_id_new(),
				     .origin = ground->origins[index],
				     .vm = CONTRACT_VM,
				     .snapshot = "kept"};
	memcpy(object->vdev, ground->disks[index].vdev, sizeof(object->vdev));
	contract_ok(sf_object_create(volume, object, NULL, &st, &err), &err);
	sf_volume_close(volume);
}

void sim_ground_keep_disks(void *ground)
{
	for (size_t i = 0; i < SIM_DISKS; i++)
		keep_disk(ground, i);
}

void sim_ground_return_disks(void *arg)
{
	struct sim_ground *ground = arg;

	for (size_t i = 0; i < SIM_DISKS; i++) {
		struct sf_volume *volume = open_disk(ground, i);
		struct sf_err err;

		contract_ok(sf_volume_revert(volume, &ground->kept[i], NULL, &err), &err);
		sf_volume_close(volume);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include "backends/common/shared.h"
#include "base/err.h"
#include "core/contract/hypervisor.h"
#include "sim.h"

#include <errno.h>
#include <string.h>

int sf_sim_world_new(struct sf_sim_world **ret, struct sf_err *err)
{
	struct sf_sim_world *world = sf_shared_new(sizeof(*world), "sim", err);
	int rc;

	if (!world)
		return -ENOMEM;
	rc = sf_shared_mutex_init(&world->lock, err);
	if (rc < 0) {
		sf_sim_world_free(world);
		return rc;
	}
	*ret = world;
	return 0;
}

void sf_sim_world_free(struct sf_sim_world *world)
{
	sf_shared_free(world, sizeof(*world));
}

void sf_sim_finish_ticks(const struct sf_sim *sim)
{
	for (size_t i = 0; i < sim->nmachines; i++)
		sf_sim_finish_tick(&sim->machines[i]);
}

static void on_owner_died(void *arg)
{
	sf_sim_finish_ticks(arg);
}

pthread_mutex_t *sf_sim_lock(struct sf_sim *sim)
{
	return sf_shared_lock(&sim->world->lock, on_owner_died, sim);
}

struct sf_sim_machine *sf_sim_find(const struct sf_sim *sim, const char *name)
{
	for (size_t i = 0; i < sim->nmachines; i++)
		if (strcmp(sim->machines[i].guest->name, name) == 0)
			return &sim->machines[i];
	return NULL;
}

int sf_sim_guest(const struct sf_sim *sim, const struct sf_vm_desc *vm, struct sf_sim_guest **ret,
		 struct sf_err *err)
{
	const struct sf_sim_machine *machine = sf_sim_find(sim, vm->name);

	if (!machine)
		return sf_fail(err, -ENOENT, "there is no sim guest '%s'", vm->name);
	*ret = machine->guest;
	return 0;
}

int sf_sim_check_off(const struct sf_sim_guest *guest, struct sf_err *err)
{
	if (guest->power == SF_POWER_OFF)
		return 0;
	return sf_fail(err, -EINVAL, "sim guest '%s' is %s, not off", guest->name,
		       sf_power_name(guest->power));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim_ground.h"
#include "suite.h"

#include <stddef.h>

static void *setup(struct sf_hypervisor **ret)
{
	struct sim_ground *ground = sim_ground_new();

	*ret = ground->sim;
	return ground;
}

static void teardown(void *ground, struct sf_hypervisor *hv)
{
	sf_hypervisor_close(hv);
	sim_ground_free(ground);
}

int main(void)
{
	static const struct contract_hypervisor driver = {
		.name = "hypervisor sim",
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

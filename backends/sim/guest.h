/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sim guest: its state in shared memory, and what it does with its disks. Every function runs under the
 * world's lock, so a guest is never seen in the middle of a tick, and no disk is open outside one. A process
 * killed in the middle leaves mid_tick set; whoever takes the lock next lets the guest finish that tick.
 */
#ifndef SF_BACKENDS_SIM_GUEST_H
#define SF_BACKENDS_SIM_GUEST_H

#include "core/contract/hypervisor.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sf_err;

struct sf_sim_guest {
	char name[SF_NAME_MAX + 1];
	enum sf_power power;
	bool crashed;
	bool frozen;
	atomic_bool mid_tick;
	_Atomic uint64_t tick;
	uint64_t nresumes; /* so that a save notices that the guest ran meanwhile */
	char *ram;         /* SF_SIM_RAM bytes, in the world */
};

/* The guest and the disks it was configured with. */
struct sf_sim_machine {
	struct sf_sim_guest *guest;
	const struct sf_storages *storages;
	const struct sf_disk *disks;
	size_t ndisks;
};

/* From off: takes over the tick of the first disk. -EINVAL when that holds anything a guest did not write. */
int sf_sim_boot(const struct sf_sim_machine *machine, bool paused, struct sf_err *err);

/* Ticks n times if it is running and not frozen; it may crash over it. */
void sf_sim_run(const struct sf_sim_machine *machine, unsigned n);

void sf_sim_finish_tick(const struct sf_sim_machine *machine);

#endif

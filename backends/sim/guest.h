/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One sim guest: its state, in shared memory, and what it does to its disks.
 *
 * Every function needs the world's lock. So nobody sees a guest in the middle of a tick, and disks are open
 * only during one. A process that is killed during a tick leaves mid_tick set; the next to take the lock
 * completes that tick.
 */
#ifndef SF_BACKENDS_SIM_GUEST_H
#define SF_BACKENDS_SIM_GUEST_H

#include "core/contract/hypervisor.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sf_err;

/* A file or device, as its guest opened it; all zero: a disk in memory. */
struct sf_sim_file {
	uint64_t dev, ino; /* of a block device: its number, and 0 */
};

struct sf_sim_guest {
	char name[SF_NAME_MAX + 1];
	enum sf_power power;
	bool crashed;
	bool frozen;
	atomic_bool mid_tick;
	_Atomic uint64_t tick;
	uint64_t nresumes;                         /* lets a save notice that the guest has run meanwhile */
	char *ram;                                 /* SF_SIM_RAM bytes, part of the world */
	struct sf_sim_file files[SF_VM_DISKS_MAX]; /* of its disks, since it was started */
};

/* A guest with the disks it is configured with. */
struct sf_sim_machine {
	struct sf_sim_guest *guest;
	const struct sf_storages *storages;
	const struct sf_disk *disks;
	size_t ndisks;
};

/* Boots a guest that is off, at the tick of its first disk. -EINVAL: that disk holds foreign data. */
int sf_sim_boot(const struct sf_sim_machine *machine, bool paused, struct sf_err *err);

/* Notes which files the disks are now; a guest that starts opens these. */
void sf_sim_open_files(const struct sf_sim_machine *machine);
/* -EBUSY if the path of that disk leads to another file than the guest opened. */
int sf_sim_check_file(const struct sf_sim_machine *machine, const char *vdev, struct sf_err *err);

/* Ticks n times if the guest runs and is not frozen. The guest crashes when a tick fails. */
void sf_sim_run(const struct sf_sim_machine *machine, unsigned n);

/* Completes a tick that a killed process left; a no-op otherwise. The guest crashes when that fails. */
void sf_sim_finish_tick(const struct sf_sim_machine *machine);

#endif

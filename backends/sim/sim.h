/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypervisor `sim`: toy guests inside this process, for tests and for trying snapfs out. Each configured VM
 * is one guest. It counts its ticks in RAM and on every one of its disks, so RAM and disks prove which
 * instant they belong to.
 *
 * In a tick, the guest reads the count from each disk and compares it with its RAM. If they differ, RAM and
 * disks are inconsistent, and the guest crashes: power off, "crashed" set. Otherwise it increments the count
 * in RAM, then on the disks.
 */
#ifndef SF_BACKENDS_SIM_SIM_H
#define SF_BACKENDS_SIM_SIM_H

#include "core/contract/hypervisor.h"

#include <stdbool.h>
#include <stdint.h>

/* RAM of each guest, and the size of its saved image. */
#define SF_SIM_RAM (4 * 1024 * 1024)
/* Most guests in one world, whose tables have a fixed size. */
#define SF_SIM_GUESTS_MAX 256

struct sf_backend_env;
struct sf_err;
struct sf_hypervisor;
struct sf_sim_world;

/* The first sector of each disk, as the guest writes it: little-endian, zeros at the end. */
struct sf_sim_sector {
	char magic[8]; /* "SNAPFSIM" */
	uint64_t tick;
	char name[128]; /* the VM's */
};

/*
 * Creates a world: the guests' state, in shared memory. It outlives the processes that run the guests, as
 * real guests outlive a daemon that crashes.
 */
int sf_sim_world_new(struct sf_sim_world **ret, struct sf_err *err);
void sf_sim_world_free(struct sf_sim_world *world);

/*
 * world: NULL to create one, which closing the hypervisor frees. Guests that are new to the world are
 * started.
 * tick_ms: time between ticks, which a thread makes; 0: only sf_sim_tick() makes ticks.
 */
int sf_sim_open(const struct sf_backend_env *env, struct sf_sim_world *world, unsigned tick_ms,
		struct sf_hypervisor **ret, struct sf_err *err);

/* Makes every running guest tick n times. */
void sf_sim_tick(struct sf_hypervisor *hv, unsigned n);

struct sf_sim_view {
	enum sf_power power;
	bool crashed;
	uint64_t tick;
};
/* The state of the guest of that name, for tests. -ENOENT. */
int sf_sim_view(struct sf_hypervisor *hv, const char *name, struct sf_sim_view *ret);

/* Verifies a saved RAM image and returns its tick. -EINVAL: it is no RAM image, or not all of one tick. */
int sf_sim_check_ram(int fd, uint64_t *ret_tick, struct sf_err *err);

#endif

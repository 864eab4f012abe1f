/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypervisor `sim`: guests that live in this process. Each configured VM is one guest; it runs, ticks, counts
 * its ticks in RAM and writes the count to every one of its disks, so that RAM and disks prove which instant
 * they belong to.
 *
 * A tick: the guest reads the count from each disk and compares it with its RAM; when they differ it has been
 * moved in time inconsistently and crashes (power off, "crashed" set). Otherwise it adds one, writes RAM,
 * writes the disks.
 */
#ifndef SF_BACKENDS_SIM_SIM_H
#define SF_BACKENDS_SIM_SIM_H

#include "core/contract/hypervisor.h"

#include <stdbool.h>
#include <stdint.h>

/* RAM of each guest, and the size of its saved image. */
#define SF_SIM_RAM (4 * 1024 * 1024)
/* Guests of one world; their RAM has a fixed place in it. */
#define SF_SIM_GUESTS_MAX 256

struct sf_backend_env;
struct sf_err;
struct sf_hypervisor;
struct sf_sim_world;

/* What the guest writes into the first sector of each disk, little-endian; the rest of the sector is zero. */
struct sf_sim_sector {
	char magic[8]; /* "SNAPFSIM" */
	uint64_t tick;
	char name[128]; /* the VM's */
};

/*
 * The guests' state, in shared memory. It outlives the processes that run the guests, as real guests outlive
 * a daemon that crashes.
 */
int sf_sim_world_new(struct sf_sim_world **ret, struct sf_err *err);
void sf_sim_world_free(struct sf_sim_world *world);

/*
 * world: NULL for one of its own, freed at close. Guests that the world does not know yet are started.
 * tick_ms: time between ticks, done by a thread; 0: ticks happen only in sf_sim_tick().
 */
int sf_sim_open(const struct sf_backend_env *env, struct sf_sim_world *world, unsigned tick_ms,
		struct sf_hypervisor **ret, struct sf_err *err);

/* Lets every running guest tick n times. */
void sf_sim_tick(struct sf_hypervisor *hv, unsigned n);

struct sf_sim_view {
	enum sf_power power;
	bool crashed;
	uint64_t tick;
};
/* What a guest of that name is doing; -ENOENT. For tests. */
int sf_sim_view(struct sf_hypervisor *hv, const char *name, struct sf_sim_view *ret);

/*
 * The tick that a saved RAM image holds, after checking all of it against that tick; -EINVAL when it is not
 * of one instant.
 */
int sf_sim_check_ram(int fd, uint64_t *ret_tick, struct sf_err *err);

#endif

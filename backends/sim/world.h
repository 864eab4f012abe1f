/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world of the sim guests: shared memory, and the lock that guards every guest in it. The lock is held
 * for a whole tick, including its disk I/O, but not while a save writes or calls its hooks.
 */
#ifndef SF_BACKENDS_SIM_WORLD_H
#define SF_BACKENDS_SIM_WORLD_H

#include "guest.h"
#include "internal.h"

#include <pthread.h>
#include <stddef.h>

struct sf_sim_world {
	pthread_mutex_t lock;
	size_t nguests;
	struct sf_sim_guest guests[SF_SIM_GUESTS_MAX];
	char ram[SF_SIM_GUESTS_MAX][SF_SIM_RAM];
};

/* Locks the world and returns its mutex, for auto_unlock. The calls below need the lock. */
pthread_mutex_t *sf_sim_lock(struct sf_sim *sim);

/* Completes the ticks that a killed process left. */
void sf_sim_finish_ticks(const struct sf_sim *sim);
/* NULL when no VM of that name is configured. */
struct sf_sim_machine *sf_sim_find(const struct sf_sim *sim, const char *name);
/* The same for a VM of the contract; -ENOENT. */
int sf_sim_guest(const struct sf_sim *sim, const struct sf_vm_desc *vm, struct sf_sim_guest **ret,
		 struct sf_err *err);
/* -EINVAL when the guest is not off. */
int sf_sim_check_off(const struct sf_sim_guest *guest, struct sf_err *err);

#endif

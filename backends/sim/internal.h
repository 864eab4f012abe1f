/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the sim backend. The world's lock guards every guest; it is held for a whole tick with its
 * disk I/O, but never while a save writes or calls its hooks.
 */
#ifndef SF_BACKENDS_HYPERVISOR_SIM_IMPL_H
#define SF_BACKENDS_HYPERVISOR_SIM_IMPL_H

#include "sim.h"
#include "guest.h"

#include <pthread.h>

struct sf_sim_world {
	pthread_mutex_t lock;
	size_t nguests;
	struct sf_sim_guest guests[SF_SIM_GUESTS_MAX];
	char ram[SF_SIM_GUESTS_MAX][SF_SIM_RAM];
};

struct sf_sim {
	struct sf_hypervisor base;
	const struct sf_config *config;
	struct sf_sim_world *world;
	bool own_world;
	struct sf_sim_machine *machines; /* one for each configured VM */
	size_t nmachines;

	unsigned tick_ms;
	bool ticking;
	pthread_t ticker;
	pthread_mutex_t lock; /* guards ending */
	pthread_cond_t ended;
	bool ending;
};

static inline struct sf_sim *sf_to_sim(struct sf_hypervisor *hv)
{
	return (struct sf_sim *)hv;
}

/* Returns the mutex, for auto_unlock. */
pthread_mutex_t *sf_sim_lock(struct sf_sim *sim);

/* Under the lock. NULL when the configuration has no such VM. */
struct sf_sim_machine *sf_sim_find(const struct sf_sim *sim, const char *name);
/* The same with -ENOENT. */
int sf_sim_guest(const struct sf_sim *sim, const struct sf_vm_desc *vm, struct sf_sim_guest **ret,
		 struct sf_err *err);
/* -EINVAL when the guest is not off. */
int sf_sim_check_off(const struct sf_sim_guest *guest, struct sf_err *err);

int sf_sim_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
int sf_sim_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An open sim hypervisor, for the files of this room. */
#ifndef SF_BACKENDS_SIM_INTERNAL_H
#define SF_BACKENDS_SIM_INTERNAL_H

#include "sim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct sf_sim {
	struct sf_hypervisor base;
	const struct sf_config *config;
	struct sf_sim_world *world;
	bool own_world;
	struct sf_sim_machine *machines; /* one per configured VM */
	size_t nmachines;

	unsigned tick_ms;
	bool ticking;
	pthread_t ticker;
	pthread_mutex_t lock; /* guards ending */
	pthread_cond_t ended; /* on CLOCK_MONOTONIC */
	bool ending;
};

static inline struct sf_sim *sf_to_sim(struct sf_hypervisor *hv)
{
	return (struct sf_sim *)hv;
}

#endif

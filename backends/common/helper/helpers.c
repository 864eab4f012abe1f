/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helpers.h"

#include "base/clock.h"
#include "list.h"
#include "session.h"

#include <stdlib.h>

void sf_helpers_init(struct sf_helpers *helpers, const struct sf_hypervisor_ops *ops,
		     const struct sf_helper_limits *limits)
{
	helpers->base.ops = ops;
	helpers->limits = *limits;
	pthread_mutex_init(&helpers->asking, NULL);
	pthread_mutex_init(&helpers->lock, NULL);
	sf_clock_cond_init(&helpers->changed);
}

void sf_helpers_fini(struct sf_helpers *helpers)
{
	sf_helper_list_end(helpers);
	sf_helper_sessions_end(helpers);
	sf_helper_peer_kill(helpers->oracle);
	for (size_t i = 0; i < helpers->nvms; i++)
		sf_vm_desc_fini(&helpers->vms[i].desc);
	free(helpers->vms);
	pthread_cond_destroy(&helpers->changed);
	pthread_mutex_destroy(&helpers->lock);
	pthread_mutex_destroy(&helpers->asking);
}

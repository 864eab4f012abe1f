/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saves and restores the RAM of a sim guest: slots of the hypervisor contract. */
#ifndef SF_BACKENDS_SIM_SAVE_H
#define SF_BACKENDS_SIM_SAVE_H

#include "core/contract/hypervisor.h"

#include <stdbool.h>

int sf_sim_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
int sf_sim_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests at rest, each with its own helper process: slots of the hypervisor contract. */
#ifndef SF_BACKENDS_COMMON_HELPER_SESSION_H
#define SF_BACKENDS_COMMON_HELPER_SESSION_H

#include "core/contract/hypervisor.h"

#include <stdbool.h>

struct sf_helpers;

int sf_helper_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_helper_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_helper_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		   const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
int sf_helper_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

/*
 * Ends all sessions: each helper resumes its guest. A helper that does not end in time continues by itself
 * until its guest runs.
 */
void sf_helper_sessions_end(struct sf_helpers *helpers);

#endif

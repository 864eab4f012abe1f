/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks whether a revert can succeed before it changes anything. */
#ifndef SF_CORE_ENGINE_REVERT_PREPARE_H
#define SF_CORE_ENGINE_REVERT_PREPARE_H

#include "reverting.h"

/*
 * Opens the live volumes of the recorded disks. -EINVAL if a recorded disk no longer belongs to the VM: it is
 * not ours to replace.
 */
int sf_revert_match(struct sf_reverting *r, struct sf_err *err);
/* Opens the RAM of the snapshot being reverted to and returns the descriptor. */
int sf_revert_open_memory(struct sf_reverting *r, struct sf_err *err);
/*
 * Fills in the plan and opens the volumes; claims them if there is no guest to stop. Checks that everything
 * is present, intact and fits. Changes nothing.
 */
int sf_revert_prepare(struct sf_reverting *r, const struct sf_revert_request *request,
		      struct sf_budget *budget, struct sf_err *err);

#endif

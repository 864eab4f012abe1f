/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks whether a revert can succeed, before anything is changed. */
#ifndef SF_CORE_ENGINE_REVERT_PREPARE_H
#define SF_CORE_ENGINE_REVERT_PREPARE_H

#include "reverting.h"

/*
 * The live volumes of exactly the recorded disks. A disk that is the VM's no longer is not ours to replace:
 * -EINVAL.
 */
int sf_revert_match(struct sf_reverting *r, struct sf_err *err);
/* The RAM of the snapshot that is being reverted to. Returns the descriptor. */
int sf_revert_open_memory(struct sf_reverting *r, struct sf_err *err);
/*
 * Fills in the plan and opens (and, with nobody to stop, claims) the volumes; checks that everything is
 * there, is sound and fits. Changes nothing.
 */
int sf_revert_prepare(struct sf_reverting *r, const struct sf_revert_request *request,
		      struct sf_budget *budget, struct sf_err *err);

#endif

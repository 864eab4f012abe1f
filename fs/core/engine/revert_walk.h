/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a revert, as driven by the lifecycle. */
#ifndef SF_CORE_ENGINE_REVERT_WALK_H
#define SF_CORE_ENGINE_REVERT_WALK_H

#include "reverting.h"

#include "core/state/lifecycle.h"

/*
 * Runs the actions for event in state. Stops at the first failure. budget is for the safety snapshot, NULL
 * for none.
 */
int sf_revert_run(struct sf_reverting *r, enum sf_life state, enum sf_event event, struct sf_budget *budget,
		  struct sf_err *err);
/* Runs the remaining phases, from `phase` on. */
int sf_revert_walk_on(struct sf_reverting *r, enum sf_life phase, struct sf_err *err);
/* Finds the VM's snapshot with that uuid and takes a reference. -ENOENT. */
int sf_revert_find(struct sf_vm_op *op, const struct sf_id *uuid, struct sf_snapshot **ret);
/* Takes the safety snapshot of the current state. The guest does not run again between it and the stop. */
int sf_revert_take_safety(struct sf_reverting *r, struct sf_budget *budget, struct sf_err *err);
/* Stops the guest and drops its lease. */
int sf_revert_stop(struct sf_reverting *r, struct sf_err *err);

#endif

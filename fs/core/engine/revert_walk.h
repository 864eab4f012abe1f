/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps of a revert. */
#ifndef SF_CORE_ENGINE_REVERT_WALK_H
#define SF_CORE_ENGINE_REVERT_WALK_H

#include "reverting.h"

#include "core/state/lifecycle.h"

/* Performs the row's actions; the first failure ends it. budget is for the safety snapshot; NULL: none. */
int sf_revert_run(struct sf_reverting *r, enum sf_life state, enum sf_event event, struct sf_budget *budget,
		  struct sf_err *err);
/* From where the plan stands to the end. */
int sf_revert_walk_on(struct sf_reverting *r, enum sf_life phase, struct sf_err *err);
/* The VM's snapshot with that uuid, with a reference; -ENOENT. */
int sf_revert_find(struct sf_vm_op *op, const struct sf_id *uuid, struct sf_snapshot **ret);
/* The state being left, taken so that the guest does not run again between it and the stop. */
int sf_revert_take_safety(struct sf_reverting *r, struct sf_budget *budget, struct sf_err *err);
/* The guest, and its lease with it. */
int sf_revert_stop(struct sf_reverting *r, struct sf_err *err);

#endif

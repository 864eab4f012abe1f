/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverts that failed, or that an earlier process began. */
#ifndef SF_CORE_ENGINE_REVERT_FOUND_H
#define SF_CORE_ENGINE_REVERT_FOUND_H

#include "reverting.h"

/* Finishes or undoes the revert whose plan was found. */
int sf_revert_found(struct sf_vm_op *op, const struct sf_plan *plan, struct sf_err *err);
/* Up to the stop of the guest. A failure is reported in health.json. */
int sf_revert_undo(struct sf_reverting *r);
/*
 * After a failure with rc past the prepared phase: all is undone, or the VM goes back to the state it was in,
 * or the plan stays, to be tried again. Returns what the user is told, and says in err what became of the VM.
 */
int sf_revert_recover(struct sf_reverting *r, int rc, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completes reverts that failed or that an earlier process began. */
#ifndef SF_CORE_ENGINE_REVERT_FOUND_H
#define SF_CORE_ENGINE_REVERT_FOUND_H

#include "reverting.h"

/* Finishes or undoes the revert described by a plan found on disk. */
int sf_revert_found(struct sf_vm_op *op, const struct sf_plan *plan, struct sf_err *err);
/* Undoes a revert that has not stopped the guest. Reports a failure in health.json. */
int sf_revert_undo(struct sf_reverting *r);
/*
 * Handles a failure rc after the prepared phase: undoes everything, brings the VM back to its earlier state,
 * or keeps the plan for a retry. Returns the error for the user; err also says what became of the VM.
 */
int sf_revert_recover(struct sf_reverting *r, int rc, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside a revert, shared by revert.c (the walk), revert_prepare.c (finding out whether it can be walked) and
 * revert_found.c (what becomes of one that did not go through).
 */
#ifndef SF_CORE_REVERT_IMPL_H
#define SF_CORE_REVERT_IMPL_H

#include "internal.h"

struct sf_reverting {
	struct sf_vm_op *op;
	struct sf_plan plan;
	struct sf_snapshot *target;
	struct sf_volumes volumes; /* parallel to target->record.disks */
	struct sf_job *job;        /* NULL where there is no way back */
	struct sf_lease *lease;
	bool stopped; /* the guest's state is gone from the hypervisor */
	bool swapped; /* a disk may have been replaced */
	bool found;   /* walking a plan that was found, not one that was just made */
};

/* --- revert.c --- */
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

/* --- revert_found.c --- */
/* Up to the stop of the guest. A failure is reported in health.json. */
int sf_revert_undo(struct sf_reverting *r);
/*
 * After a failure with rc past the prepared phase: all is undone, or the VM goes back to the state it was in,
 * or the plan stays, to be tried again. Returns what the user is told, and says in err what became of the VM.
 */
int sf_revert_recover(struct sf_reverting *r, int rc, struct sf_err *err);

/* --- revert_prepare.c --- */
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

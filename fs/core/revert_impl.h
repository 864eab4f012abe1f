/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside a revert, shared by revert.c (the walk) and revert_prepare.c (finding out whether it can be walked).
 */
#ifndef SF_CORE_REVERT_IMPL_H
#define SF_CORE_REVERT_IMPL_H

#include "engine_impl.h"

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

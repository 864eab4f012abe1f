/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A revert on its way: shared by the files revert*.c. */
#ifndef SF_CORE_ENGINE_REVERTING_H
#define SF_CORE_ENGINE_REVERTING_H

#include "operation.h"
#include "volumes.h"

#include "core/state/revert_plan.h"

struct sf_lease;

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

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* State of a revert in progress, shared by revert*.c. */
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
	struct sf_volumes volumes; /* same order as target->record.disks */
	struct sf_job *job;        /* NULL: cannot be cancelled */
	struct sf_lease *lease;
	bool stopped; /* the guest's state is lost */
	bool claimed; /* the volumes of a plan found on disk are ours to replace */
	bool swapped; /* a disk may have been replaced */
	bool found;   /* continues a plan found on disk, not a new one */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * revert.json: what a revert is about and how far it is, so that the next start can finish or undo it. Schema
 * 1.
 */
#ifndef SF_CORE_STATE_REVERT_PLAN_H
#define SF_CORE_STATE_REVERT_PLAN_H

#include "core/contract/hypervisor.h"
#include "base/id.h"
#include "lifecycle.h"

#include <stdbool.h>

struct sf_err;

struct sf_plan {
	enum sf_life phase;    /* PREPARED, SWITCHING or POWERING */
	struct sf_id snapshot; /* uuid of the snapshot whose state the VM is to have */
	bool has_safety;
	struct sf_id safety; /* uuid of the snapshot of the state being left */
	enum sf_power guest; /* the guest's power when the revert began */
	enum sf_power power; /* the power state to end in; unknown: none of our business */
	bool memory;         /* restore RAM */
	bool back;           /* a failed revert on its way back: its snapshot goes when it has arrived */
};

/* vm_dir/revert.json. read: -ENOENT when there is none, -EINVAL naming what is wrong with it. */
int sf_plan_write(int vm_dir, const struct sf_plan *plan, struct sf_err *err);
int sf_plan_read(int vm_dir, struct sf_plan *ret, struct sf_err *err);
/* Success when there is none. */
int sf_plan_drop(int vm_dir, struct sf_err *err);

#endif

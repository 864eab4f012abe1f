/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of a revert (revert.json, schema 1): what the revert does and how far it has got, so that the next
 * start can finish or undo it.
 */
#ifndef SF_CORE_STATE_REVERT_PLAN_H
#define SF_CORE_STATE_REVERT_PLAN_H

#include "core/contract/hypervisor.h"
#include "base/id.h"
#include "lifecycle.h"

#include <stdbool.h>

struct sf_err;

struct sf_plan {
	enum sf_life phase;    /* PREPARED to POWERING */
	struct sf_id snapshot; /* uuid of the snapshot to revert to */
	bool has_safety;
	struct sf_id safety; /* uuid of the snapshot of the state being left */
	enum sf_power guest; /* the guest's power state when the revert began */
	enum sf_power power; /* the power state to end in; unknown: leave it alone */
	bool memory;         /* restore RAM */
	bool resumed;        /* the undoing has resumed the guest and must not do so again */
	bool started;        /* the guest is at rest in its final state, and only its resume is missing */
	bool back;           /* a failed revert is being undone: delete the snapshot at the end */
};

/* Replaces vm_dir/revert.json, durably. */
int sf_plan_write(int vm_dir, const struct sf_plan *plan, struct sf_err *err);
/* -ENOENT when there is none; -EOPNOTSUPP: it has a newer schema; -EINVAL says what is wrong with it. */
int sf_plan_read(int vm_dir, struct sf_plan *ret, struct sf_err *err);
/*
 * Whether there is a plan that says that the guest may be at rest because of us. Every schema keeps the form
 * and meaning of the members "phase", "guest" and "resumed" for this. *ret_newer: its schema is a newer one.
 */
bool sf_plan_is_leased(int vm_dir, bool *ret_newer);
/* Removes it, durably. Idempotent. */
int sf_plan_drop(int vm_dir, struct sf_err *err);

#endif

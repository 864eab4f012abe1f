/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes a snapshot, for a user or as the safety snapshot of a revert. */
#ifndef SF_CORE_ENGINE_CREATE_H
#define SF_CORE_ENGINE_CREATE_H

#include "operation.h"

#include "base/id.h"

struct sf_budget;
struct sf_lease;

struct sf_take_options {
	const struct sf_create_request *request;
	const char *name;
	struct sf_id uuid;
	const struct sf_id *left_for; /* for a safety snapshot, the target of the revert; else NULL */
	bool leave_at_rest;           /* return the lease instead of resuming the guest */
	struct sf_budget *budget;     /* space needs to add to those of the snapshot; NULL: none */
};
/*
 * Takes one snapshot. A failure is undone; what cannot be undone leaves the VM unsettled. *ret_lease is NULL
 * unless leave_at_rest is set and this call paused the guest.
 */
int sf_take(struct sf_vm_op *op, const struct sf_take_options *options, struct sf_lease **ret_lease,
	    struct sf_err *err);

#endif

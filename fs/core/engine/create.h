/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking a snapshot: for users, and before a revert. */
#ifndef SF_CORE_ENGINE_CREATE_H
#define SF_CORE_ENGINE_CREATE_H

#include "operation.h"

#include "base/id.h"

struct sf_budget;
struct sf_lease;

/* --- create.c --- */
struct sf_take_options {
	const struct sf_create_request *request;
	const char *name;
	struct sf_id uuid;
	const struct sf_id *left_for; /* of the state that a revert to this snapshot leaves; NULL: of none */
	bool leave_at_rest;           /* hand the lease over instead of resuming the guest */
	struct sf_budget *budget;     /* further needs to be counted in; NULL: none */
};
/*
 * Takes one snapshot or leaves nothing behind. *ret_lease: NULL when the guest was not brought to rest by us.
 */
int sf_take(struct sf_vm_op *op, const struct sf_take_options *options, struct sf_lease **ret_lease,
	    struct sf_err *err);

#endif

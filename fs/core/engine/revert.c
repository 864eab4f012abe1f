/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a revert that a user requested: prepares it, runs its phases, and recovers if it fails. */
#include "revert.h"

#include "internal.h"
#include "revert_found.h"
#include "revert_prepare.h"
#include "revert_walk.h"
#include "vms.h"
#include "volumes.h"

#include <errno.h>
#include <stdlib.h>

static int revert(struct sf_reverting *r, const struct sf_revert_request *request, struct sf_err *err)
{
	struct sf_budget budget = {.npools = 0};
	int rc = sf_revert_prepare(r, request, &budget, err);

	if (rc < 0)
		return rc;
	r->plan.snapshot = r->target->record.uuid;
	r->plan.has_safety = !request->discard;
	r->plan.safety = sf_id_new();
	rc = sf_revert_run(r, SF_LIFE_IDLE, SF_EVENT_BEGIN, &budget, err);
	if (rc == 0 && sf_job_cancelled(r->job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0) {
		(void)sf_revert_undo(r); /* reports its own failure */
		return rc;
	}
	rc = sf_revert_run(r, SF_LIFE_PREPARED, SF_EVENT_DONE, NULL, err);
	if (rc == 0)
		rc = sf_revert_walk_on(r, SF_LIFE_STOPPING, err);
	return rc < 0 ? sf_revert_recover(r, rc, err) : 0;
}

int sf_revert_named(struct sf_vm_op *op, const char *name, const struct sf_revert_request *request,
		    struct sf_err *err)
{
	struct sf_reverting *r = calloc(1, sizeof(*r)); /* too large for the stack */
	int rc;

	if (!r)
		return sf_fail(err, -ENOMEM, "out of memory");
	r->op = op;
	r->job = op->job;
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, name, &r->target) < 0)
		rc = sf_fail(err, -ENOENT, "VM '%s' has no snapshot '%s'", op->name, name);
	else if (request->snapshot && request->snapshot != r->target->id)
		rc = sf_fail(err, -ENOENT, "the snapshot is gone, and another one has its name");
	else
		rc = revert(r, request, err);
	sf_volumes_close(&r->volumes);
	sf_snapshot_unref(r->target);
	free(r);
	return rc;
}

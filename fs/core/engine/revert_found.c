/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completes reverts that did not succeed. A revert that fails is undone, or turned back to the state that was
 * left. A revert that an earlier process began is finished or undone from its plan.
 */
#include "revert_found.h"

#include "internal.h"
#include "lease.h"
#include "operation.h"
#include "revert_prepare.h"
#include "revert_walk.h"
#include "volumes.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>

/* --- failing --- */

/*
 * Writes phase prepared before it deletes the safety snapshot. Recovery follows a plan in a later phase to
 * its end if the guest is off; without the safety snapshot the state being left would be lost.
 */
static int undo(struct sf_reverting *r, struct sf_err *err)
{
	int rc = 0;

	if (r->plan.phase != SF_LIFE_PREPARED)
		rc = sf_revert_run(r, SF_LIFE_STOPPING, SF_EVENT_FAILED, NULL, err);
	return rc < 0 ? rc : sf_revert_run(r, SF_LIFE_PREPARED, SF_EVENT_FAILED, NULL, err);
}

int sf_revert_undo(struct sf_reverting *r)
{
	struct sf_err err = {0};
	int rc = undo(r, &err);

	if (rc < 0) {
		sf_op_unsettle(r->op);
		sf_health_set(r->op->engine->health, "undo", r->op->name, "revert: %s", err.text);
	}
	return rc;
}

/* A half-done revert may have started a guest; it must not run while the disks are replaced. */
static int stop_again(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_hypervisor *hv = r->op->engine->hv;

	return sf_hypervisor_can(hv, SF_HYPERVISOR_CONTROL) ? sf_hypervisor_stop(hv, &r->op->desc, err) : 0;
}

/*
 * Reverts to the state that was left: its disks if any was replaced, its RAM and power; then its snapshot is
 * deleted. Without such a snapshot, and with the disks unchanged, only boots the guest. *ret_how says what
 * became of the VM.
 */
static int turn_back(struct sf_reverting *r, const char **ret_how, struct sf_err *err)
{
	struct sf_plan plan = {.phase = r->swapped ? SF_LIFE_SWITCHING : SF_LIFE_POWERING,
			       .snapshot = r->plan.has_safety ? r->plan.safety : r->plan.snapshot,
			       .guest = r->plan.guest,
			       .power = r->plan.guest,
			       .back = r->plan.has_safety};
	struct sf_snapshot *aim;
	int rc;

	if (r->swapped && !r->plan.has_safety)
		return sf_fail(err, -ENOENT, "the previous state was not kept ('discard')");
	rc = sf_revert_find(r->op, &plan.snapshot, &aim);
	if (rc < 0)
		return sf_fail(err, rc, "the snapshot to go back to is gone");
	plan.memory = plan.back && aim->record.memory.present && sf_power_alive(plan.power);
	*ret_how = plan.memory                  ? "the VM is as it was before, its RAM restored"
		   : sf_power_alive(plan.power) ? "the VM was booted again from its old disks"
						: "the VM is as it was before";
	sf_snapshot_unref(aim);
	rc = stop_again(r, err);
	if (rc == 0)
		rc = sf_plan_write(r->op->dir, &plan, err);
	return rc < 0 ? rc : sf_revert_found(r->op, &plan, err);
}

/* The user is told the first failure, prefixed with what became of the VM. */
int sf_revert_recover(struct sf_reverting *r, int rc, struct sf_err *err)
{
	struct sf_err why = {0};
	const char *how;

	if (rc == -EUCLEAN) /* internal to storage and engine; users see an I/O error */
		rc = sf_wrap(err, -EIO, "not finished");
	if (!r->stopped && !r->swapped) {
		(void)sf_revert_undo(r); /* reports its own failure */
		return rc;
	}
	sf_volumes_close(&r->volumes);
	if (turn_back(r, &how, &why) == 0)
		return sf_wrap(err, rc, "%s", how);
	sf_op_unsettle(r->op);
	sf_health_set(r->op->engine->health, "revert", r->op->name, "half done (%s), will be retried: %s",
		      err->text, why.text);
	return sf_wrap(err, rc, "half done, will be retried (%s)", why.text);
}

/* --- after a crash --- */

/*
 * A rebooted host may have started the guest before us, with some of its disks replaced. The revert
 * continues, but first keeps what the guest has done since, as any revert does.
 */
static int keep_what_runs(struct sf_reverting *r, struct sf_err *err)
{
	const struct sf_plan plan = r->plan;
	bool resumed;
	int rc;

	r->plan.has_safety = true;
	r->plan.safety = sf_id_new();
	rc = sf_revert_take_safety(r, NULL, err);
	r->plan = plan;
	if (rc == 0)
		rc = sf_revert_stop(r, err);
	if (rc < 0 && r->lease) {
		/* Best effort: the plan stays, and a guest still at rest is found with it. */
		(void)sf_lease_end(r->lease, &resumed, NULL, NULL);
		r->lease = NULL;
	}
	return rc;
}

/* Prepares the volumes for the swap: no guest is running on them, and no one else uses them. */
static int claim_volumes(struct sf_reverting *r, struct sf_err *err)
{
	enum sf_power now;
	int rc = sf_hypervisor_power(r->op->engine->hv, &r->op->desc, &now, err);

	if (rc == 0 && sf_power_alive(now))
		rc = r->op->engine->starting
			     ? keep_what_runs(r, err)
			     : sf_fail(err, -EBUSY,
				       "the guest was started while its revert was half done; switch it off");
	if (rc == 0)
		rc = sf_revert_match(r, err);
	if (rc == 0)
		rc = sf_volumes_hold(&r->volumes, err);
	r->claimed = rc == 0;
	return rc;
}

/* Whether the guest was stopped before the crash, or is off now. */
static int is_stopped(struct sf_reverting *r, bool *ret, struct sf_err *err)
{
	enum sf_power now;
	int rc = sf_hypervisor_power(r->op->engine->hv, &r->op->desc, &now, err);

	*ret = rc == 0 && !sf_power_alive(now);
	return rc;
}

/* Either the guest is stopped or stopping failed: no disk has been touched yet. */
static int go_on_from_stopping(struct sf_reverting *r, struct sf_err *err)
{
	bool stopped;
	int rc = is_stopped(r, &stopped, err);

	if (rc < 0)
		return rc;
	if (!stopped)
		return undo(r, err);
	rc = claim_volumes(r, err);
	return rc < 0 ? rc : sf_revert_walk_on(r, SF_LIFE_STOPPING, err);
}

static int go_on(struct sf_reverting *r, enum sf_life phase, struct sf_err *err)
{
	int rc = sf_revert_find(r->op, &r->plan.snapshot, &r->target);

	if (rc < 0)
		return sf_fail(err, rc, "the snapshot that the VM was being reverted to is gone");
	if (phase == SF_LIFE_STOPPING)
		return go_on_from_stopping(r, err);
	if (phase == SF_LIFE_SWITCHING)
		rc = claim_volumes(r, err);
	if (rc == 0)
		rc = sf_revert_run(r, phase, SF_EVENT_FOUND, NULL, err);
	return rc < 0 ? rc : sf_revert_walk_on(r, phase, err);
}

/* The disks are ours to replace but cannot take this snapshot: fall back to the state that was left. */
static int give_up(struct sf_reverting *r, int rc, struct sf_err *err)
{
	struct sf_err why = {0};
	const char *how;

	sf_volumes_close(&r->volumes);
	r->swapped = true;
	if (turn_back(r, &how, &why) < 0)
		return rc;
	sf_log(SF_LOG_WARNING, "VM '%s': the revert could not be finished (%s): %s", r->op->name, err->text,
	       how);
	return 0;
}

int sf_revert_found(struct sf_vm_op *op, const struct sf_plan *plan, struct sf_err *err)
{
	struct sf_reverting *r = calloc(1, sizeof(*r)); /* too large for the stack */
	int rc;

	if (!r)
		return sf_fail(err, -ENOMEM, "out of memory");
	r->op = op;
	r->plan = *plan;
	r->found = true;
	if (plan->phase == SF_LIFE_PREPARED)
		rc = sf_revert_run(r, SF_LIFE_PREPARED, SF_EVENT_FOUND, NULL, err);
	else
		rc = go_on(r, plan->phase, err);
	if (rc < 0 && r->claimed && plan->has_safety)
		rc = give_up(r, rc, err);
	sf_volumes_close(&r->volumes);
	sf_snapshot_unref(r->target);
	free(r);
	return rc;
}

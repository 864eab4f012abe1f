/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rolling a VM back: idle -> prepared -> switching -> powering -> idle (lifecycle.h). Up to the stop of the
 * guest a failure is undone; from there on the plan leads forward, after a crash too. A failure past the stop
 * turns the plan round to the safety snapshot, which is then walked to like any other.
 */
#include "revert_impl.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- the actions --- */

static int write_plan(struct sf_reverting *r, enum sf_life next, struct sf_err *err)
{
	int rc = sf_op_dir(r->op, true, err);

	r->plan.phase = next;
	return rc < 0 ? rc : sf_plan_write(r->op->dir, &r->plan, err);
}

static void safety_name(struct sf_vm_op *op, char name[static SF_NAME_MAX + 1])
{
	time_t now = (time_t)(sf_clock_real_ns() / 1000000000);
	struct sf_snapshot *other;
	struct tm tm = {0};
	char stamp[32];

	gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	(void)snprintf(name, SF_NAME_MAX + 1, "pre-revert-%s", stamp);
	for (int i = 2; sf_catalog_snapshot(op->engine->catalog, op->vm->id, name, &other) == 0; i++) {
		sf_snapshot_unref(other);
		(void)snprintf(name, SF_NAME_MAX + 1, "pre-revert-%s-%d", stamp, i);
	}
}

/* The state being left, taken so that the guest does not run again between it and the stop. */
static int take_safety(struct sf_reverting *r, struct sf_budget *budget, struct sf_err *err)
{
	char name[SF_NAME_MAX + 1], description[SF_NAME_MAX + 80];
	struct sf_create_request request = {.description = description};
	struct sf_take_options options = {.request = &request,
					  .name = name,
					  .uuid = r->plan.safety,
					  .leave_at_rest = true,
					  .budget = budget};
	int rc;

	if (!r->plan.has_safety)
		return 0;
	safety_name(r->op, name);
	(void)snprintf(description, sizeof(description),
		       r->found ? "found running on half-reverted disks when the revert to '%s' went on"
				: "the state that the revert to '%s' left",
		       r->target->record.name);
	rc = sf_take(r->op, &options, &r->lease, err);
	return rc < 0 ? sf_wrap(err, rc, "snapshot of the state being left") : 0;
}

/*
 * A stop that reports failure may have worked: then the guest's state is gone, and undoing would not bring it
 * back.
 */
static int stop(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_hypervisor *hv = r->op->engine->hv;
	enum sf_power now;
	int rc = r->lease ? sf_lease_check(r->lease, err) : 0;

	if (rc < 0 || !sf_hypervisor_can(hv, SF_HYPERVISOR_CONTROL))
		return rc;
	rc = sf_hypervisor_stop(hv, &r->op->desc, err);
	if (rc < 0)
		sf_wrap(err, rc, "stop the guest");
	if (rc < 0 && sf_hypervisor_power(hv, &r->op->desc, &now, NULL) == 0 && sf_power_alive(now))
		return rc;
	r->stopped = sf_power_alive(r->plan.guest);
	if (r->lease)
		(void)sf_lease_drop(r->lease, NULL); /* was in force a moment ago; the guest is off now */
	r->lease = NULL;
	return rc;
}

static void pass_note_on(struct sf_reverting *r, const char *note)
{
	if (!*note)
		return;
	if (r->job)
		sf_job_note(r->job, "%s", note);
	else
		sf_log(SF_LOG_INFO, "VM '%s': %s", r->op->name, note);
}

/* One disk. Where there is no way back, nobody's wish to cancel is heard. */
static int swap_disk(struct sf_reverting *r, size_t index, struct sf_err *err)
{
	struct sf_job deaf = {0};
	bool heard = r->job && !r->swapped;
	int rc = sf_volume_revert(r->volumes.list[index], &r->target->record.disks[index].object,
				  heard ? r->job : &deaf, err);

	if (rc == 0)
		pass_note_on(r, deaf.note);
	return rc;
}

static int swap(struct sf_reverting *r, struct sf_err *err)
{
	for (size_t i = 0; i < r->volumes.n; i++) {
		const struct sf_object *object = &r->target->record.disks[i].object;
		int rc = swap_disk(r, i, err);

		r->swapped = r->swapped || rc == 0 || rc == -EUCLEAN;
		if (rc < 0)
			return sf_wrap(err, rc, "disk %s", object->vdev);
	}
	return 0;
}

static int restore_memory(struct sf_reverting *r, struct sf_err *err)
{
	auto_fd int fd = sf_revert_open_memory(r, err);
	int rc = fd < 0 ? fd : sf_hypervisor_restore(r->op->engine->hv, &r->op->desc, fd, err);

	return rc < 0 ? sf_wrap(err, rc, "restore the guest's RAM") : 0;
}

/*
 * After a crash in this phase: a guest in the state asked for is the finished work. Right after the crash,
 * one at rest may be half-restored and has not run on these disks yet, so it is brought back once more; later
 * on it is someone's who had a reason.
 */
static int clear_the_way(struct sf_reverting *r, bool *ret_done, struct sf_err *err)
{
	struct sf_engine *engine = r->op->engine;
	enum sf_power now;
	int rc = sf_hypervisor_power(engine->hv, &r->op->desc, &now, err);

	*ret_done = rc == 0 && (now == SF_POWER_RUNNING || (now == r->plan.power && !engine->starting));
	if (rc < 0 || *ret_done || !sf_power_alive(now))
		return rc;
	if (!engine->starting)
		return sf_fail(err, -EBUSY,
			       "the guest was started while its revert was half done; switch it off");
	return sf_hypervisor_stop(engine->hv, &r->op->desc, err);
}

static int set_power(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_hypervisor *hv = r->op->engine->hv;
	bool done = false;
	int rc = 0;

	if (!sf_power_alive(r->plan.power))
		return 0;
	if (r->found)
		rc = clear_the_way(r, &done, err);
	if (rc < 0 || done)
		return rc;
	rc = r->plan.memory ? restore_memory(r, err) : sf_hypervisor_start(hv, &r->op->desc, true, err);
	if (rc == 0 && r->plan.power == SF_POWER_RUNNING)
		rc = sf_hypervisor_resume(hv, &r->op->desc, err);
	return rc;
}

/* By the whole uuid, of which the id is only a part. With a reference. */
static int find_by_uuid(struct sf_vm_op *op, const struct sf_id *uuid, struct sf_snapshot **ret)
{
	struct sf_snapshot *snapshot;
	int rc = sf_catalog_snapshot_by_id(op->engine->catalog, sf_snapshot_id(uuid), &snapshot);

	if (rc < 0)
		return rc;
	if (!sf_id_equal(&snapshot->record.uuid, uuid) || snapshot->vm_id != op->vm->id) {
		sf_snapshot_unref(snapshot);
		return -ENOENT;
	}
	*ret = snapshot;
	return 0;
}

/* One that readers keep is on its way already. */
static int drop_by_uuid(struct sf_vm_op *op, const struct sf_id *uuid, struct sf_err *err)
{
	struct sf_snapshot *snapshot, *visible = NULL;
	int rc = 0;

	if (find_by_uuid(op, uuid, &snapshot) < 0)
		return 0;
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, snapshot->record.name, &visible) == 0 &&
	    visible == snapshot)
		rc = sf_delete_snapshot(op, snapshot, err);
	sf_snapshot_unref(visible);
	sf_snapshot_unref(snapshot);
	return rc;
}

/* After a crash the lease is gone with the process; what the plan says of the guest takes its place. */
static int resume(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_lease *lease = r->lease;
	int rc;

	r->lease = NULL;
	if (lease) {
		rc = sf_lease_end(lease, err);
		return rc == -ETIMEDOUT ? 0 : rc;
	}
	if (r->found && r->plan.guest == SF_POWER_RUNNING)
		return sf_resume_forgotten(r->op, err);
	return 0;
}

static int drop_plan(struct sf_reverting *r, struct sf_err *err)
{
	int rc = r->op->dir < 0 ? 0 : sf_plan_drop(r->op->dir, err);

	if (rc == 0 && r->plan.back)
		rc = drop_by_uuid(r->op, &r->plan.snapshot, err);
	return rc;
}

static int perform(struct sf_reverting *r, enum sf_action action, enum sf_life next, struct sf_budget *budget,
		   struct sf_err *err)
{
	switch (action) {
	case SF_ACT_WRITE_PLAN:
		return write_plan(r, next, err);
	case SF_ACT_SAFETY:
		return take_safety(r, budget, err);
	case SF_ACT_STOP:
		return stop(r, err);
	case SF_ACT_SWAP:
		return swap(r, err);
	case SF_ACT_POWER:
		return set_power(r, err);
	case SF_ACT_RESUME:
		return resume(r, err);
	case SF_ACT_DROP_SAFETY:
		return r->plan.has_safety ? drop_by_uuid(r->op, &r->plan.safety, err) : 0;
	case SF_ACT_DROP_PLAN:
		return drop_plan(r, err);
	default:
		return sf_fail(err, -EINVAL, "no action '%s' in a revert", sf_action_name(action));
	}
}

static int run(struct sf_reverting *r, enum sf_life state, enum sf_event event, struct sf_budget *budget,
	       struct sf_err *err)
{
	const struct sf_step *step = sf_lifecycle(state, event);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < step->nactions; i++)
		rc = perform(r, step->actions[i], step->next, budget, err);
	return rc;
}

/*
 * The VM is as it is to be: a plan that cannot be removed is found done later and is no reason to turn round.
 */
static void finish(struct sf_reverting *r)
{
	struct sf_err err = {0};

	if (run(r, SF_LIFE_POWERING, SF_EVENT_DONE, NULL, &err) == 0)
		return;
	sf_op_unsettle(r->op);
	sf_health_set(r->op->engine->health, "undo", r->op->name, "after a finished revert: %s", err.text);
}

/* From where the plan stands to the end. */
static int walk_on(struct sf_reverting *r, enum sf_life phase, struct sf_err *err)
{
	int rc = 0;

	if (phase == SF_LIFE_STOPPING)
		rc = run(r, SF_LIFE_STOPPING, SF_EVENT_DONE, NULL, err);
	if (rc == 0 && phase != SF_LIFE_POWERING)
		rc = run(r, SF_LIFE_SWITCHING, SF_EVENT_DONE, NULL, err);
	if (rc == 0)
		finish(r);
	return rc;
}

/* --- failing --- */

static int undo(struct sf_reverting *r)
{
	struct sf_err err = {0};
	enum sf_life from = r->plan.phase == SF_LIFE_PREPARED ? SF_LIFE_PREPARED : SF_LIFE_STOPPING;
	int rc = run(r, from, SF_EVENT_FAILED, NULL, &err);

	if (rc < 0) {
		sf_op_unsettle(r->op);
		sf_health_set(r->op->engine->health, "undo", r->op->name, "revert: %s", err.text);
	}
	return rc;
}

/* What a half-way revert may have started must not be running when the disks are exchanged under it. */
static int stop_again(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_hypervisor *hv = r->op->engine->hv;

	return sf_hypervisor_can(hv, SF_HYPERVISOR_CONTROL) ? sf_hypervisor_stop(hv, &r->op->desc, err) : 0;
}

/*
 * The new aim is the state that was left: its disks, if any disk was replaced, its RAM and power; then its
 * snapshot has served. Without such a snapshot, and with the disks as they were, all that is left to do is to
 * boot the guest.
 */
static int turn_back(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_plan plan = {.phase = r->swapped ? SF_LIFE_SWITCHING : SF_LIFE_POWERING,
			       .snapshot = r->plan.has_safety ? r->plan.safety : r->plan.snapshot,
			       .guest = r->plan.guest,
			       .power = r->plan.guest,
			       .back = r->plan.has_safety};
	struct sf_snapshot *aim;
	int rc;

	if (r->swapped && !r->plan.has_safety)
		return sf_fail(err, -ENOENT, "the state before was not kept ('discard')");
	rc = find_by_uuid(r->op, &plan.snapshot, &aim);
	if (rc < 0)
		return sf_fail(err, rc, "the snapshot of the state being left is gone");
	plan.memory = plan.back && aim->record.memory.present && sf_power_alive(plan.power);
	sf_snapshot_unref(aim);
	rc = stop_again(r, err);
	if (rc == 0)
		rc = sf_plan_write(r->op->dir, &plan, err);
	return rc < 0 ? rc : sf_revert_found(r->op, &plan, err);
}

/* The first failure is what the user is told; what became of the VM stands before it. */
static int recover(struct sf_reverting *r, int rc, struct sf_err *err)
{
	struct sf_err why = {0};

	if (rc == -EUCLEAN) /* between storage and engine; to users it is a failed disk operation */
		rc = sf_wrap(err, -EIO, "not finished");
	if (!r->stopped && !r->swapped) {
		(void)undo(r); /* reports for itself */
		return rc;
	}
	sf_volumes_close(&r->volumes);
	if (turn_back(r, &why) == 0)
		return sf_wrap(err, rc,
			       r->plan.has_safety ? "the VM is as it was before"
						  : "the VM was booted again from its old disks");
	sf_op_unsettle(r->op);
	sf_health_set(r->op->engine->health, "revert", r->op->name, "half done (%s); it is tried again: %s",
		      err->text, why.text);
	return sf_wrap(err, rc, "half done, to be tried again");
}

/* --- the doors --- */

static int revert(struct sf_reverting *r, const struct sf_revert_request *request, struct sf_err *err)
{
	struct sf_budget budget = {.npools = 0};
	int rc = sf_revert_prepare(r, request, &budget, err);

	if (rc < 0)
		return rc;
	r->plan.snapshot = r->target->record.uuid;
	r->plan.has_safety = !request->discard;
	r->plan.safety = sf_id_new();
	rc = run(r, SF_LIFE_IDLE, SF_EVENT_BEGIN, &budget, err);
	if (rc == 0 && sf_job_cancelled(r->job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0) {
		(void)undo(r); /* reports for itself */
		return rc;
	}
	rc = run(r, SF_LIFE_PREPARED, SF_EVENT_DONE, NULL, err);
	if (rc == 0)
		rc = walk_on(r, SF_LIFE_STOPPING, err);
	return rc < 0 ? recover(r, rc, err) : 0;
}

/*
 * A host that came up again may have booted the guest before us, on disks of which some may be replaced. The
 * revert goes on, but what the guest has done since is kept first, as with any revert.
 */
static int keep_what_runs(struct sf_reverting *r, struct sf_err *err)
{
	const struct sf_plan plan = r->plan;
	int rc;

	r->plan.has_safety = true;
	r->plan.safety = sf_id_new();
	rc = take_safety(r, NULL, err);
	r->plan = plan;
	if (rc == 0)
		rc = stop(r, err);
	if (rc < 0 && r->lease) {
		(void)sf_lease_end(r->lease, NULL); /* the watchdog goes on if it must */
		r->lease = NULL;
	}
	return rc;
}

/* The volumes as they must be for the swap: nobody runs on them, and nobody else has them. */
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
	if (rc == 0 && !sf_power_alive(r->plan.guest))
		rc = sf_volumes_hold(&r->volumes, err);
	return rc;
}

/* Whether the guest was stopped before the crash, or is off by now. */
static int is_stopped(struct sf_reverting *r, bool *ret, struct sf_err *err)
{
	enum sf_power now;
	int rc = sf_hypervisor_power(r->op->engine->hv, &r->op->desc, &now, err);

	*ret = rc == 0 && !sf_power_alive(now);
	return rc;
}

/* Stopping is either done or has failed: no disk was touched yet. */
static int go_on_from_stopping(struct sf_reverting *r, struct sf_err *err)
{
	bool stopped;
	int rc = is_stopped(r, &stopped, err);

	if (rc < 0)
		return rc;
	if (!stopped)
		return run(r, SF_LIFE_STOPPING, SF_EVENT_FAILED, NULL, err);
	rc = claim_volumes(r, err);
	return rc < 0 ? rc : walk_on(r, SF_LIFE_STOPPING, err);
}

static int go_on(struct sf_reverting *r, enum sf_life phase, struct sf_err *err)
{
	int rc = find_by_uuid(r->op, &r->plan.snapshot, &r->target);

	if (rc < 0)
		return sf_fail(err, rc, "the snapshot that the VM was being reverted to is gone");
	if (phase == SF_LIFE_STOPPING)
		return go_on_from_stopping(r, err);
	if (phase == SF_LIFE_SWITCHING)
		rc = claim_volumes(r, err);
	if (rc == 0)
		rc = run(r, phase, SF_EVENT_FOUND, NULL, err);
	return rc < 0 ? rc : walk_on(r, phase, err);
}

/*
 * The disks are ours to exchange and will not take this snapshot: the state that was left is the other way
 * out.
 */
static int give_up(struct sf_reverting *r, int rc, struct sf_err *err)
{
	struct sf_err why = {0};

	sf_volumes_close(&r->volumes);
	r->swapped = true;
	if (turn_back(r, &why) < 0)
		return rc;
	sf_log(SF_LOG_WARNING, "VM '%s': the revert could not be finished (%s): it is as it was before",
	       r->op->name, err->text);
	return 0;
}

int sf_revert_found(struct sf_vm_op *op, const struct sf_plan *plan, struct sf_err *err)
{
	struct sf_reverting *r = calloc(1, sizeof(*r)); /* too large for a thread's stack */
	int rc;

	if (!r)
		return sf_fail(err, -ENOMEM, "out of memory");
	r->op = op;
	r->plan = *plan;
	r->found = true;
	if (plan->phase == SF_LIFE_PREPARED)
		rc = run(r, SF_LIFE_PREPARED, SF_EVENT_FOUND, NULL, err);
	else
		rc = go_on(r, plan->phase, err);
	if (rc < 0 && r->volumes.n > 0 && plan->has_safety)
		rc = give_up(r, rc, err);
	sf_volumes_close(&r->volumes);
	sf_snapshot_unref(r->target);
	free(r);
	return rc;
}

static int revert_named(struct sf_vm_op *op, const char *name, const struct sf_revert_request *request,
			struct sf_err *err)
{
	struct sf_reverting *r = calloc(1, sizeof(*r)); /* too large for a thread's stack */
	int rc;

	if (!r)
		return sf_fail(err, -ENOMEM, "out of memory");
	r->op = op;
	r->job = op->job;
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, name, &r->target) < 0)
		rc = sf_fail(err, -ENOENT, "VM '%s' has no snapshot '%s'", op->name, name);
	else
		rc = revert(r, request, err);
	sf_volumes_close(&r->volumes);
	sf_snapshot_unref(r->target);
	free(r);
	return rc;
}

int sf_engine_revert(struct sf_engine *engine, uint64_t vm_id, const char *name,
		     const struct sf_revert_request *request, struct sf_job *job, struct sf_err *err)
{
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc = sf_op_begin(engine, SF_OP_REVERT, vm_id, name, job, &op, err);

	if (rc < 0)
		return rc;
	rc = sf_op_end(&op, revert_named(&op, name, request, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The phases of a revert: idle -> prepared -> stopping -> switching -> powering -> idle
 * (core/state/lifecycle.h). Until the guest is stopped, a failure is undone. After that the plan leads
 * forward, even after a crash. revert_found.c handles failures.
 */
#include "revert_walk.h"

#include "actions.h"
#include "create.h"
#include "delete.h"
#include "internal.h"
#include "lease.h"
#include "operation.h"
#include "revert_prepare.h"
#include "vms.h"

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

int sf_revert_take_safety(struct sf_reverting *r, struct sf_budget *budget, struct sf_err *err)
{
	char name[SF_NAME_MAX + 1], description[SF_NAME_MAX + 80];
	struct sf_create_request request = {.description = description};
	struct sf_take_options options = {.request = &request,
					  .name = name,
					  .uuid = r->plan.safety,
					  .left_for = &r->target->record.uuid,
					  .leave_at_rest = true,
					  .budget = budget};
	int rc;

	if (!r->plan.has_safety)
		return 0;
	safety_name(r->op, name);
	(void)snprintf(description, sizeof(description),
		       r->found ? "found running on half-reverted disks when the revert to '%s' continued"
				: "state before the revert to '%s'",
		       r->target->record.name);
	rc = sf_take(r->op, &options, &r->lease, err);
	return rc < 0 ? sf_wrap(err, rc, "snapshot of the state being left") : 0;
}

/*
 * A stop that reports failure may have worked. Then the guest's state is lost, and undoing would not restore
 * it.
 */
int sf_revert_stop(struct sf_reverting *r, struct sf_err *err)
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
	if (r->stopped)
		sf_job_commit(r->job); /* the way back would cost the guest more than the way forward */
	if (r->lease)
		(void)sf_lease_drop(r->lease, NULL); /* sf_lease_check() just passed; the guest is off now */
	r->lease = NULL;
	return rc;
}

static int swap_disk(struct sf_reverting *r, size_t index, struct sf_err *err)
{
	struct sf_job own = {0};
	int rc = sf_volume_revert(r->volumes.list[index], &r->target->record.disks[index].object,
				  r->job ? r->job : &own, err);

	if (rc == 0 && *own.note)
		sf_log(SF_LOG_INFO, "VM '%s': %s", r->op->name, own.note);
	return rc;
}

/*
 * The guest is off now, so only others can have its disks open. All are held before the first one is
 * replaced: someone who writes to the last must not leave the VM half reverted.
 */
static int swap(struct sf_reverting *r, struct sf_err *err)
{
	int rc = sf_volumes_hold(&r->volumes, err);

	for (size_t i = 0; rc == 0 && i < r->volumes.n; i++) {
		const struct sf_object *object = &r->target->record.disks[i].object;

		rc = swap_disk(r, i, err);
		r->swapped = r->swapped || rc == 0 || rc == -EUCLEAN;
		if (r->swapped)
			sf_job_commit(r->job); /* the disks would not match each other */
		if (rc < 0)
			sf_wrap(err, rc, "disk %s", object->vdev);
	}
	return rc;
}

static int restore_memory(struct sf_reverting *r, struct sf_err *err)
{
	auto_fd int fd = sf_revert_open_memory(r, err);
	int rc = fd < 0 ? fd : sf_hypervisor_restore(r->op->engine->hv, &r->op->desc, fd, err);

	return rc < 0 ? sf_wrap(err, rc, "restore the guest's RAM") : 0;
}

/*
 * After a crash in this phase, a running guest means that the work is done; after the start, so does any in
 * the requested state. At start, a guest at rest may be half restored and has not run on these disks, so it
 * is stopped and restored again. Later, a guest at rest is left alone, as someone has a reason for it, unless
 * the plan says that it only waits for its resume.
 */
static int clear_the_way(struct sf_reverting *r, bool *ret_done, struct sf_err *err)
{
	struct sf_engine *engine = r->op->engine;
	enum sf_power now;
	int rc = sf_hypervisor_power(engine->hv, &r->op->desc, &now, err);

	*ret_done = rc == 0 && (now == SF_POWER_RUNNING || (now == r->plan.power && !engine->starting));
	if (rc == 0 && !engine->starting && r->plan.started && sf_power_alive(now))
		return 0;
	r->plan.started = false;
	if (rc < 0 || *ret_done || !sf_power_alive(now))
		return rc;
	if (!engine->starting)
		return sf_fail(err, -EBUSY,
			       "the guest was started while its revert was half done; switch it off");
	return sf_hypervisor_stop(engine->hv, &r->op->desc, err);
}

static int resume_started(struct sf_reverting *r, struct sf_err *err)
{
	int rc = sf_hypervisor_resume(r->op->engine->hv, &r->op->desc, err);

	if (rc < 0 && !r->plan.started) {
		r->plan.started = true;
		(void)sf_plan_write(r->op->dir, &r->plan,
				    NULL); /* best effort: a retry without it leaves the guest alone */
	}
	return rc;
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
	if (!r->plan.started)
		rc = r->plan.memory ? restore_memory(r, err)
				    : sf_hypervisor_start(hv, &r->op->desc, true, err);
	if (rc == 0 && r->plan.power == SF_POWER_RUNNING)
		rc = resume_started(r, err);
	return rc;
}

/* Compares the whole uuid; the id is only a part of it. */
int sf_revert_find(struct sf_vm_op *op, const struct sf_id *uuid, struct sf_snapshot **ret)
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

/* A snapshot that readers keep open is being deleted already. */
static int drop_by_uuid(struct sf_vm_op *op, const struct sf_id *uuid, struct sf_err *err)
{
	struct sf_snapshot *snapshot, *visible = NULL;
	int rc = 0;

	if (sf_revert_find(op, uuid, &snapshot) < 0)
		return 0;
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, snapshot->record.name, &visible) == 0 &&
	    visible == snapshot)
		rc = sf_delete_snapshot(op, snapshot, err);
	sf_snapshot_unref(visible);
	sf_snapshot_unref(snapshot);
	return rc;
}

/* After a crash the lease is lost; the plan records whether to resume the guest. */
static int resume(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_lease *lease = r->lease;
	bool resumed;
	int rc;

	r->lease = NULL;
	if (lease) {
		rc = sf_lease_end(lease, &resumed, NULL, err);
		if (!resumed)
			return rc;
	} else if (r->found && r->plan.guest == SF_POWER_RUNNING && !r->plan.resumed) {
		rc = sf_resume_forgotten(r->op, err);
		if (rc < 0)
			return rc;
	} else {
		return 0;
	}
	/* So that nobody resumes it again while what follows fails; best effort. */
	r->plan.resumed = true;
	if (r->op->dir >= 0)
		(void)sf_plan_write(r->op->dir, &r->plan, NULL);
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
		return sf_revert_take_safety(r, budget, err);
	case SF_ACT_STOP:
		return sf_revert_stop(r, err);
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

int sf_revert_run(struct sf_reverting *r, enum sf_life state, enum sf_event event, struct sf_budget *budget,
		  struct sf_err *err)
{
	const struct sf_step *step = sf_lifecycle(state, event);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < step->nactions; i++)
		rc = perform(r, step->actions[i], step->next, budget, err);
	return rc;
}

/*
 * The VM is in its final state. A plan that cannot be removed is found done later and is no reason to turn
 * back.
 */
static void finish(struct sf_reverting *r)
{
	struct sf_err err = {0};

	if (sf_revert_run(r, SF_LIFE_POWERING, SF_EVENT_DONE, NULL, &err) == 0)
		return;
	sf_op_unsettle(r->op);
	sf_health_set(r->op->engine->health, "undo", r->op->name, "after a finished revert: %s", err.text);
}

int sf_revert_walk_on(struct sf_reverting *r, enum sf_life phase, struct sf_err *err)
{
	int rc = 0;

	if (phase == SF_LIFE_STOPPING)
		rc = sf_revert_run(r, SF_LIFE_STOPPING, SF_EVENT_DONE, NULL, err);
	if (rc == 0 && phase != SF_LIFE_POWERING)
		rc = sf_revert_run(r, SF_LIFE_SWITCHING, SF_EVENT_DONE, NULL, err);
	if (rc == 0)
		finish(r);
	return rc;
}

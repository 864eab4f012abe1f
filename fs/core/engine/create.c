/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a snapshot: determines what is possible and whether it fits, then takes the record through absent ->
 * creating -> ready (core/state/lifecycle.h). Until the last write everything can be undone, by this process
 * or by the next one.
 */
#include "create.h"

#include "actions.h"
#include "internal.h"
#include "lease.h"
#include "operation.h"
#include "ram.h"
#include "vms.h"
#include "volumes.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RAM streams contain device state and headers besides the guest's memory. */
#define RAM_OVERHEAD_BYTES (4 * 1024 * 1024)

struct taking {
	struct sf_vm_op *op;
	const struct sf_take_options *options;
	const struct sf_policy *policy;
	struct sf_record record;
	struct sf_volumes volumes;
	const struct sf_disk *disks[SF_VM_DISKS_MAX];
	int dir; /* the snapshot's directory */
	struct sf_lease *lease;
	bool at_rest_by_us; /* the guest is running and must be paused */
	bool memory;
	bool rested; /* a lease began: the guest may have been brought to rest */
};

/* --- preparation --- */

/* Why the guest's RAM cannot be saved; NULL if it can. */
static const char *memory_obstacle(const struct taking *t)
{
	const struct sf_hypervisor *hv = t->op->engine->hv;

	if (!sf_power_alive(t->record.power))
		return "the guest is not known to be running";
	if (!sf_hypervisor_can(hv, SF_HYPERVISOR_MEMORY))
		return "this hypervisor does not support it";
	if (t->record.power == SF_POWER_PAUSED && !sf_hypervisor_can(hv, SF_HYPERVISOR_MEMORY_PAUSED))
		return "the guest is paused, and this hypervisor needs its cooperation";
	for (size_t i = 0; i < t->op->desc.nleft_out; i++)
		if (t->op->desc.left_out[i].writable)
			return "the guest writes to a disk that is not part of snapshots: see left_out in "
			       ".vm.json";
	return NULL;
}

static int choose_memory(struct taking *t, struct sf_err *err)
{
	const struct sf_create_request *request = t->options->request;
	const char *obstacle = memory_obstacle(t);
	bool by_policy = request->memory == SF_POLICY && request->quiesce != SF_YES && t->policy->memory;
	char host[SF_HOST_MAX];
	int rc;

	if (request->memory == SF_YES && request->disks)
		return sf_fail(err, -EINVAL, "RAM can only be saved together with all disks");
	if (request->memory == SF_YES && request->quiesce == SF_YES)
		return sf_fail(err, -EINVAL,
			       "RAM and quiesce cannot be combined: the RAM would be saved frozen");
	if (request->memory == SF_YES && obstacle)
		return sf_fail(err, -EOPNOTSUPP, "RAM cannot be saved: %s", obstacle);
	t->memory = !obstacle && !request->disks && (request->memory == SF_YES || by_policy);
	if (!t->memory)
		return 0;
	rc = sf_hypervisor_host(t->op->engine->hv, host, err);
	if (rc == 0 && sf_record_set_host(&t->record.memory, host) < 0)
		rc = sf_fail(err, -ENOMEM, "out of memory");
	return rc;
}

/*
 * Not if RAM is saved, since it would come back frozen, nor if the guest is stopped next and cannot be
 * thawed.
 */
static int choose_quiesce(struct taking *t, struct sf_err *err)
{
	const struct sf_create_request *request = t->options->request;
	bool possible = t->record.power == SF_POWER_RUNNING &&
			sf_hypervisor_can(t->op->engine->hv, SF_HYPERVISOR_QUIESCE);

	if (request->quiesce == SF_YES && !possible)
		return sf_fail(err, -EOPNOTSUPP, "the guest cannot be quiesced: %s",
			       t->record.power == SF_POWER_RUNNING ? "this hypervisor does not support it"
								   : "it is not known to be running");
	t->record.quiesced =
		possible && !t->memory && !t->options->leave_at_rest &&
		(request->quiesce == SF_YES || (request->quiesce == SF_POLICY && t->policy->quiesce));
	return 0;
}

/*
 * Ensures that no one writes to the disks. For a guest that is or will be at rest the hypervisor does.
 * Otherwise all disks are claimed; if that fails, a single disk is acceptable if its snapshot is atomic by
 * itself.
 */
static int secure_instant(struct taking *t, struct sf_err *err)
{
	struct sf_volume_stat stat;
	int rc;

	if (sf_power_alive(t->record.power)) {
		t->at_rest_by_us = t->record.power == SF_POWER_RUNNING;
		t->record.consistency = t->memory            ? SF_CONSISTENCY_MEMORY
					: t->record.quiesced ? SF_CONSISTENCY_QUIESCED
					: !t->at_rest_by_us  ? SF_CONSISTENCY_PAUSED
							     : SF_CONSISTENCY_CRASH;
		return 0;
	}
	rc = sf_volumes_hold(&t->volumes, err);
	t->record.consistency = rc == 0 ? SF_CONSISTENCY_OFF : SF_CONSISTENCY_CRASH;
	if (rc != -EBUSY || t->volumes.n > 1)
		return rc;
	if (sf_volume_stat(t->volumes.list[0], &stat, NULL) == 0 && stat.instant)
		return 0;
	return rc;
}

/*
 * Space needed: the size of the stream plus what must stay free, for root and as the reserve. A guest that
 * writes much while it is saved live makes a longer stream; sf_ram_save() checks for that.
 */
static uint64_t ram_bytes(const struct taking *t, uint64_t for_root)
{
	return t->op->desc.memory_bytes + RAM_OVERHEAD_BYTES + for_root +
	       t->op->engine->config->state_reserve_bytes;
}

static int check_space(struct taking *t, struct sf_err *err)
{
	struct sf_budget none = {.npools = 0};
	struct sf_budget *budget = t->options->budget ? t->options->budget : &none;
	struct sf_space space;
	uint64_t need, for_root;
	int rc;

	for (size_t i = 0; i < t->volumes.n; i++) {
		rc = sf_volume_cost(t->volumes.list[i], SF_FOR_CREATE, NULL, &space, &need, err);
		if (rc < 0)
			return sf_wrap(err, rc, "disk %s", t->disks[i]->vdev);
		sf_budget_add(budget, &space, need);
	}
	rc = sf_state_space(t->op->engine->state, &space, &for_root, err);
	if (rc < 0)
		return rc;
	sf_budget_add(budget, &space, t->memory ? ram_bytes(t, for_root) : 0);
	return sf_budget_check(budget, err);
}

static int check_name(struct taking *t, struct sf_err *err)
{
	struct sf_engine *engine = t->op->engine;
	struct sf_snapshot *other;
	struct sf_vm_info info;

	if (sf_catalog_snapshot(engine->catalog, t->op->vm->id, t->options->name, &other) == 0) {
		sf_snapshot_unref(other);
		return sf_fail(err, -EEXIST, "a snapshot of this name already exists");
	}
	if (sf_catalog_vm_by_id(engine->catalog, t->op->vm->id, &info) == 0 &&
	    info.nsnapshots >= t->policy->max_snapshots)
		return sf_fail(err, -ENOSPC, "VM '%s' has %zu snapshots and max-snapshots is %" PRIu64,
			       t->op->name, info.nsnapshots, t->policy->max_snapshots);
	return 0;
}

static int fill_record(struct taking *t, struct sf_err *err)
{
	struct sf_record *record = &t->record;

	record->disks = calloc(t->volumes.n, sizeof(*record->disks));
	if (!record->disks || sf_record_set_description(record, t->options->request->description) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	record->ndisks = t->volumes.n;
	record->uuid = t->options->uuid;
	record->left = t->options->left_for != NULL;
	if (record->left)
		record->left_for = *t->options->left_for;
	record->state = SF_RECORD_CREATING;
	(void)snprintf(record->name, sizeof(record->name), "%s", t->options->name);
	(void)snprintf(record->vm_name, sizeof(record->vm_name), "%s", t->op->desc.name);
	(void)snprintf(record->vm_uuid, sizeof(record->vm_uuid), "%s", t->op->desc.uuid);
	record->taken_ns = record->edited_ns = sf_clock_real_ns();
	record->leased = t->at_rest_by_us;
	for (size_t i = 0; i < record->ndisks; i++) {
		struct sf_object *object = &record->disks[i].object;

		if (sf_record_set_origin(&record->disks[i], t->volumes.list[i]->origin) < 0)
			return sf_fail(err, -ENOMEM, "out of memory");
		object->token = sf_id_new();
		(void)snprintf(object->vdev, sizeof(object->vdev), "%s", t->disks[i]->vdev);
		(void)snprintf(record->disks[i].storage, sizeof(record->disks[i].storage), "%s",
			       t->volumes.list[i]->storage->ops->name);
	}
	sf_record_label(record);
	return 0;
}

static int prepare(struct taking *t, struct sf_err *err)
{
	const struct sf_create_request *request = t->options->request;
	const char *description = request->description ? request->description : "";
	int rc;

	if ((rc = sf_name_check(t->options->name, err)) < 0 ||
	    (rc = sf_description_check(description, err)) < 0 || (rc = check_name(t, err)) < 0 ||
	    (rc = sf_volumes_open(t->op, request->disks, request->ndisks, &t->volumes, t->disks, err)) < 0 ||
	    (rc = sf_hypervisor_power(t->op->engine->hv, &t->op->desc, &t->record.power, err)) < 0 ||
	    (rc = choose_memory(t, err)) < 0 || (rc = choose_quiesce(t, err)) < 0 ||
	    (rc = check_space(t, err)) < 0 || (rc = secure_instant(t, err)) < 0)
		return rc;
	return fill_record(t, err);
}

/* --- the actions --- */

static int write_record(struct taking *t, enum sf_life next, struct sf_err *err)
{
	int rc;

	t->record.state = next == SF_LIFE_READY ? SF_RECORD_READY : SF_RECORD_CREATING;
	if (t->dir < 0) {
		rc = sf_op_dir(t->op, true, err);
		if (rc == 0)
			rc = sf_durable_mkdir(t->op->dir, t->record.name, 0700, err);
		if (rc < 0)
			return rc;
		t->dir = rc = sf_open_dir(t->op->dir, t->record.name, err);
		if (rc < 0)
			return rc;
	}
	return sf_state_write_record(t->dir, &t->record, err);
}

/* Checks again after the disks were taken: others may resume a guest too. */
static int check_still_at_rest(struct taking *t, struct sf_err *err)
{
	enum sf_power power;
	int rc = t->lease ? sf_lease_check(t->lease, err) : 0;

	if (rc < 0 || !sf_power_alive(t->record.power))
		return rc < 0 ? rc : sf_volumes_check(&t->volumes, err);
	rc = sf_hypervisor_power(t->op->engine->hv, &t->op->desc, &power, err);
	if (rc == 0 && power != SF_POWER_PAUSED)
		rc = sf_fail(err, -EAGAIN,
			     "someone else resumed the guest while its disks were being snapshotted");
	return rc;
}

static int take_disks(struct taking *t, struct sf_err *err)
{
	t->record.taken_ns = t->record.edited_ns = sf_clock_real_ns();
	sf_record_label(&t->record);
	for (size_t i = 0; i < t->volumes.n; i++) {
		struct sf_record_disk *disk = &t->record.disks[i];
		int rc = sf_object_create(t->volumes.list[i], &disk->object, t->op->job, &disk->stat, err);

		if (rc < 0)
			return sf_wrap(err, rc, "disk %s", disk->object.vdev);
		(void)snprintf(disk->method, sizeof(disk->method), "%s", disk->stat.method);
	}
	return check_still_at_rest(t, err);
}

static int on_paused(void *arg, struct sf_err *err)
{
	struct taking *t = arg;

	if (!t->lease)
		return 0;
	sf_lease_arm(t->lease);
	return sf_lease_rests(t->lease, err);
}

static int on_at_rest(void *arg, struct sf_err *err)
{
	int rc = on_paused(arg, err);

	return rc < 0 ? rc : take_disks(arg, err);
}

static int take(struct taking *t, struct sf_err *err)
{
	const struct sf_save_hooks hooks = {.paused = on_paused, .at_rest = on_at_rest, .arg = t};
	const struct sf_ram_options options = {.live = t->policy->live,
					       .reserve_bytes = t->op->engine->config->state_reserve_bytes};
	struct sf_hypervisor *hv = t->op->engine->hv;
	int rc;

	if (t->at_rest_by_us) {
		rc = sf_lease_begin(t->op->engine->leases, &t->op->desc, t->policy->pause_deadline_ms,
				    &t->lease, err);
		if (rc < 0)
			return rc;
		t->rested = true;
	}
	if (t->memory) {
		sf_job_expect(t->op->job, t->op->desc.memory_bytes);
		return sf_ram_save(hv, &t->op->desc, t->dir, &options, &hooks, t->op->job, &t->record.memory,
				   err);
	}
	if (t->at_rest_by_us) {
		sf_lease_arm(t->lease);
		rc = sf_hypervisor_pause(hv, &t->op->desc, err);
		if (rc == 0)
			rc = sf_lease_rests(t->lease, err);
		if (rc < 0)
			return rc;
	}
	return take_disks(t, err);
}

static int resume(struct taking *t, struct sf_err *err)
{
	struct sf_lease *lease = t->lease;
	bool resumed;
	int rc;

	if (!lease)
		return 0;
	t->lease = NULL;
	rc = sf_lease_end(lease, &resumed, &t->record.pause_ms, err);
	t->record.paused = rc == 0;
	t->record.leased = !resumed; /* a guest that may be at rest stays in the record until it is resumed */
	return rc;
}

/* Once a VM: schedules would fill the log with it. */
static void warn_if_slow(struct taking *t)
{
	struct sf_volume_stat stat;

	if (t->op->vm->told_slow)
		return;
	for (size_t i = 0; i < t->volumes.n; i++) {
		if (sf_volume_stat(t->volumes.list[i], &stat, NULL) < 0 || stat.instant)
			continue;
		t->op->vm->told_slow = true;
		sf_log(SF_LOG_WARNING,
		       "VM '%s': snapshots of disk %s take the slow path: %s can only be copied", t->op->name,
		       t->disks[i]->vdev, t->volumes.list[i]->origin);
	}
}

static int settle(struct taking *t, struct sf_err *err)
{
	for (size_t i = 0; i < t->volumes.n; i++) {
		int rc = sf_object_settle(t->volumes.list[i]->storage, &t->record.disks[i].object, err);

		if (rc < 0)
			return sf_wrap(err, rc, "disk %s", t->record.disks[i].object.vdev);
		sf_volume_add_notes(t->volumes.list[i], t->disks[i]->vdev, t->op->job);
	}
	warn_if_slow(t);
	return t->memory ? sf_ram_settle(t->dir, err) : 0;
}

static int publish(struct taking *t, struct sf_err *err)
{
	struct sf_record copy;

	if (sf_record_copy(&t->record, &copy) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	return sf_publish_record(t->op, &copy, false, err);
}

static int perform(struct taking *t, enum sf_action action, enum sf_life next, struct sf_err *err)
{
	struct sf_hypervisor *hv = t->op->engine->hv;

	switch (action) {
	case SF_ACT_WRITE_RECORD:
		return write_record(t, next, err);
	case SF_ACT_QUIESCE:
		return t->record.quiesced ? sf_hypervisor_quiesce(hv, &t->op->desc, err) : 0;
	case SF_ACT_TAKE:
		return take(t, err);
	case SF_ACT_RESUME:
		return t->options->leave_at_rest ? 0 : resume(t, err);
	case SF_ACT_THAW:
		return t->record.quiesced ? sf_hypervisor_thaw(hv, &t->op->desc, err) : 0;
	case SF_ACT_SETTLE:
		return settle(t, err);
	case SF_ACT_PUBLISH:
		return publish(t, err);
	default:
		return sf_fail(err, -EINVAL, "no action '%s' in a create", sf_action_name(action));
	}
}

/* Runs one lifecycle transition; checks for cancellation before each action. */
static int run(struct taking *t, enum sf_life state, enum sf_event event, struct sf_err *err)
{
	const struct sf_step *step = sf_lifecycle(state, event);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < step->nactions; i++) {
		if (sf_job_cancelled(t->op->job) && step->actions[i] != SF_ACT_PUBLISH)
			rc = sf_fail(err, -EINTR, "cancelled");
		else
			rc = perform(t, step->actions[i], step->next, err);
	}
	return rc;
}

/*
 * Before the undo: the ready record may be on disk although its write failed. If it cannot be replaced,
 * returns the error, as the disks must stay. Also records that the guest was resumed, so that recovery does
 * not do it again.
 */
static int rewrite_as_creating(struct taking *t, bool resumed, struct sf_err *err)
{
	bool ready = t->record.state == SF_RECORD_READY;
	int rc;

	if (!ready && !resumed)
		return 0;
	t->record.state = SF_RECORD_CREATING;
	rc = sf_state_write_record(t->dir, &t->record, err);
	return ready ? rc : 0;
}

/* A guest that cannot be resumed keeps its record, which says that we brought it to rest. */
static void undo(struct taking *t)
{
	struct sf_err err = {0};
	bool written = t->dir >= 0;
	int rc;

	(void)resume(t, &err); /* if this fails, the record says so */
	if (!t->rested)
		t->record.leased = false;
	rc = written ? rewrite_as_creating(t, t->at_rest_by_us && !t->record.leased, &err) : 0;
	sf_cleanup_fd(&t->dir);
	t->dir = -1;
	if (!written) {
		sf_op_unsettle(t->op); /* an empty directory may remain */
		return;
	}
	if (rc == 0)
		rc = sf_lead(t->op, &t->record, t->record.name, SF_LIFE_CREATING, SF_EVENT_FAILED, &err);
	if (rc < 0) {
		sf_op_unsettle(t->op);
		sf_health_set(t->op->engine->health, "undo", t->op->name, "snapshot '%s': %s", t->record.name,
			      err.text);
	}
}

int sf_take(struct sf_vm_op *op, const struct sf_take_options *options, struct sf_lease **ret_lease,
	    struct sf_err *err)
{
	struct taking *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return sf_fail(err, -ENOMEM, "out of memory");
	t->op = op;
	t->options = options;
	t->policy = sf_config_policy(op->engine->config, op->desc.name);
	t->dir = -1;
	rc = prepare(t, err);
	if (rc == 0) {
		rc = run(t, SF_LIFE_ABSENT, SF_EVENT_BEGIN, err);
		if (rc == 0)
			rc = run(t, SF_LIFE_CREATING, SF_EVENT_DONE, err);
		if (rc < 0)
			undo(t);
	}
	if (rc == 0)
		*ret_lease = t->lease;
	sf_cleanup_fd(&t->dir);
	sf_volumes_close(&t->volumes);
	sf_record_fini(&t->record);
	free(t);
	return rc;
}

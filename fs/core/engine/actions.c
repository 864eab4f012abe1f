/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs one lifecycle transition on a record, for a failed create, a deletion or recovery. The first failing
 * action ends it; its subject stays on disk, and the transition is retried later.
 */
#include "actions.h"

#include "internal.h"
#include "lease.h"
#include "operation.h"
#include "ram.h"
#include "relocate.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct led {
	struct sf_vm_op *op;
	const struct sf_record *record;
	const char *dir_name; /* in the VM's directory */
	bool broken;
	struct sf_record shown; /* made by the verification, for the catalog */
};

/* What is known of a snapshot's content, the worst last. Only lost content makes it broken. */
enum content { CONTENT_WHOLE, CONTENT_UNREACHABLE, CONTENT_LOST };

int sf_resume_forgotten(struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_engine *engine = op->engine;
	int rc;

	if (!op->present) {
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		return engine->listed ? 0
				      : sf_fail(err, engine->list_error.code, "%s", engine->list_error.text);
	}
	rc = sf_hypervisor_resume(engine->hv, &op->desc, err);
	if (rc < 0) {
		sf_health_set(engine->health, "guest", op->name, "cannot be resumed, will be retried: %s",
			      err->text);
		return rc;
	}
	sf_leases_settle(engine->leases, &op->desc);
	sf_health_clear(engine->health, "guest", op->name);
	sf_log(SF_LOG_INFO, "VM '%s': resumed its guest, which may have been left at rest", op->name);
	return 0;
}

static int thaw(const struct led *led, struct sf_err *err)
{
	struct sf_vm_op *op = led->op;
	int rc;

	if (!led->record->quiesced || !op->present)
		return 0;
	rc = sf_hypervisor_thaw(op->engine->hv, &op->desc, err);
	if (rc < 0)
		sf_health_set(op->engine->health, "guest", op->name, "cannot be thawed, will be retried: %s",
			      err->text);
	return rc;
}

/*
 * Dropping the disks may fail for long, and recovery retries it. Clears leased and quiesced first, so that a
 * retry does not resume a guest that its owner has paused since. Best effort.
 */
static void write_resumed(const struct led *led)
{
	struct sf_record copy;
	auto_fd int dir = -1;

	if (!led->record->leased && !led->record->quiesced)
		return;
	dir = sf_open_dir(led->op->dir, led->dir_name, NULL);
	if (dir < 0 || sf_record_copy(led->record, &copy) < 0)
		return;
	copy.leased = copy.quiesced = false;
	(void)sf_state_write_record(dir, &copy, NULL);
	sf_record_fini(&copy);
}

/* Gives a disk its new origin, in memory and in the record's directory. */
static int move_disk(struct sf_vm_op *op, struct sf_record *record, size_t i, const char *origin,
		     const char *dir_name, struct sf_err *err)
{
	struct sf_record_disk *disk = &record->disks[i];
	auto_fd int dir = sf_open_dir(op->dir, dir_name, err);

	if (dir < 0)
		return dir;
	sf_log(SF_LOG_INFO, "%s/%s: disk %s has moved from %s to %s", op->name, record->name,
	       disk->object.vdev, disk->origin, origin);
	if (sf_record_set_origin(disk, origin) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	return sf_state_write_record(dir, record, err);
}

/*
 * If the object's disk has moved, the record must know the new place before the object is removed there: a
 * repeated removal would not find it.
 */
static int follow(const struct led *led, struct sf_record *record, size_t i, struct sf_storage *storage,
		  struct sf_err *err)
{
	const struct sf_object *object = &record->disks[i].object;
	struct sf_object_stat stat;
	const char *origin;
	int rc = led->op->timed_out ? -ETIMEDOUT : sf_object_stat(storage, object, &stat, NULL);

	led->op->timed_out = rc == -ETIMEDOUT;
	if ((rc != -ENOENT && rc != -ENODEV) || !sf_relocate(led->op, storage, object, &origin))
		return 0; /* the removal gives the answer */
	return move_disk(led->op, record, i, origin, led->dir_name, err);
}

static int drop_disk(const struct led *led, struct sf_record *record, size_t i, struct sf_err *err)
{
	const struct sf_record_disk *disk = &record->disks[i];
	struct sf_storage *storage = sf_storages_by_name(led->op->engine->storages, disk->storage);
	int rc;

	if (!storage)
		return sf_fail(err, -EOPNOTSUPP, "disk %s: this build has no storage '%s'", disk->object.vdev,
			       disk->storage);
	rc = follow(led, record, i, storage, err);
	if (rc == 0)
		rc = sf_object_remove(storage, &disk->object, err);
	return rc < 0 ? sf_wrap(err, rc, "disk %s", disk->object.vdev) : 0;
}

static int drop_disks(const struct led *led, struct sf_err *err)
{
	struct sf_record record;
	int rc = 0;

	if (led->record->forgotten)
		return 0;
	if (sf_record_copy(led->record, &record) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	/* As the record on disk is by now, in case it is written again. */
	record.leased = record.quiesced = false;
	if (record.state == SF_RECORD_READY)
		record.state = SF_RECORD_DELETING;
	for (size_t i = 0; i < record.ndisks && rc == 0; i++)
		rc = drop_disk(led, &record, i, err);
	sf_record_fini(&record);
	return rc;
}

/* *ret_origin: where it was found; NULL: at its place, or nowhere. */
static enum content find_disk(struct sf_vm_op *op, const struct sf_record_disk *disk, const char **ret_origin,
			      struct sf_err *err)
{
	struct sf_storage *storage = sf_storages_by_name(op->engine->storages, disk->storage);
	struct sf_object_stat stat;
	int rc;

	*ret_origin = NULL;
	if (!storage) {
		sf_fail(err, -EOPNOTSUPP, "disk %s: this build has no storage '%s'", disk->object.vdev,
			disk->storage);
		return CONTENT_LOST;
	}
	rc = op->timed_out ? sf_fail(err, -ETIMEDOUT, "its storage did not answer in time")
			   : sf_object_stat(storage, &disk->object, &stat, err);
	op->timed_out = rc == -ETIMEDOUT;
	if (rc == 0)
		return CONTENT_WHOLE;
	if (rc != -ESTALE && sf_relocate(op, storage, &disk->object, ret_origin))
		return CONTENT_WHOLE;
	sf_wrap(err, rc, "disk %s", disk->object.vdev);
	return rc == -ENOENT || rc == -ESTALE ? CONTENT_LOST : CONTENT_UNREACHABLE;
}

/* -EIO is RAM of another size than was saved. */
static enum content find_memory(struct sf_vm_op *op, const struct sf_record *record, const char *dir_name,
				struct sf_err *err)
{
	auto_fd int dir = sf_open_dir(op->dir, dir_name, err);
	auto_fd int fd = dir < 0 ? dir : sf_ram_open(dir, &record->memory, err);

	if (fd >= 0)
		return CONTENT_WHOLE;
	return dir >= 0 && (fd == -ENOENT || fd == -EIO) ? CONTENT_LOST : CONTENT_UNREACHABLE;
}

/* Best effort: with the old origin, the disk is found again after the next start. */
static void note_move(struct sf_vm_op *op, struct sf_record *record, size_t i, const char *origin,
		      const char *dir_name)
{
	struct sf_err err = {0};

	if (move_disk(op, record, i, origin, dir_name, &err) < 0)
		sf_log(SF_LOG_WARNING, "%s/%s: its record still has the old place: %s", op->name,
		       record->name, err.text);
}

/* The worst of disks and RAM, and why. Gives disks that have moved their new origins. */
static enum content find_content(struct sf_vm_op *op, struct sf_record *record, const char *dir_name,
				 bool *ret_moved, struct sf_err *err)
{
	enum content worst = CONTENT_WHOLE, found;
	struct sf_err why = {0};
	const char *origin;

	*ret_moved = false;
	for (size_t i = 0; i < record->ndisks; i++) {
		found = find_disk(op, &record->disks[i], &origin, &why);
		if (origin)
			note_move(op, record, i, origin, dir_name);
		*ret_moved = *ret_moved || origin;
		if (found > worst) {
			worst = found;
			*err = why;
		}
	}
	found = record->memory.present ? find_memory(op, record, dir_name, &why) : CONTENT_WHOLE;
	if (found > worst) {
		worst = found;
		*err = why;
	}
	return worst;
}

/*
 * Whether the snapshot is broken; was_broken while its content is unreachable, which leaves the VM unsettled,
 * so that it is checked again. *ret_moved: the record has new origins.
 */
static bool verify(struct sf_vm_op *op, struct sf_record *record, const char *dir_name, bool was_broken,
		   bool *ret_moved)
{
	struct sf_health *health = op->engine->health;
	char subject[2 * SF_NAME_MAX + 2];
	struct sf_err why = {0};
	enum content content = find_content(op, record, dir_name, ret_moved, &why);

	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, record->name);
	if (content == CONTENT_LOST)
		sf_health_set(health, "broken", subject, "%s", why.text);
	else if (content == CONTENT_WHOLE)
		sf_health_clear(health, "broken", subject);
	if (content == CONTENT_UNREACHABLE) {
		sf_health_set(health, "unreachable", subject, "%s", why.text);
		sf_op_unsettle(op);
	} else {
		sf_health_clear(health, "unreachable", subject);
	}
	return content == CONTENT_UNREACHABLE ? was_broken : content == CONTENT_LOST;
}

static bool is_known_broken(const struct led *led)
{
	struct sf_snapshot *known;
	bool broken;

	if (sf_catalog_snapshot_by_id(led->op->engine->catalog, sf_snapshot_id(&led->record->uuid), &known) <
	    0)
		return false;
	broken = known->broken;
	sf_snapshot_unref(known);
	return broken;
}

int sf_verify_snapshot(struct sf_vm_op *op, struct sf_snapshot **snapshot, struct sf_err *err)
{
	const struct sf_snapshot *was = *snapshot;
	struct sf_snapshot *now;
	struct sf_record record;
	bool broken, moved;
	int rc;

	rc = sf_op_dir(op, false, err);
	if (rc < 0)
		return rc;
	if (sf_record_copy(&was->record, &record) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	op->timed_out = false; /* a user waits for the answer */
	broken = verify(op, &record, record.name, was->broken, &moved);
	if (!moved && broken == was->broken) {
		sf_record_fini(&record);
		return 0;
	}
	rc = sf_publish_record(op, &record, broken, err);
	if (rc == 0)
		rc = sf_catalog_snapshot_by_id(op->engine->catalog, was->id, &now);
	if (rc < 0)
		return rc;
	sf_snapshot_unref(*snapshot);
	*snapshot = now;
	return 0;
}

int sf_publish_record(struct sf_vm_op *op, struct sf_record *record, bool broken, struct sf_err *err)
{
	struct sf_snapshot *snapshot = sf_snapshot_new(record, op->vm->id, broken);
	int rc;

	if (!snapshot) {
		sf_record_fini(record);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	sf_state_find_manifest(op->dir, snapshot->record.name, &snapshot->manifest_bytes,
			       &snapshot->manifest_ns);
	rc = sf_catalog_publish(op->engine->catalog, snapshot);
	if (rc < 0)
		sf_fail(err, rc, "show '%s': %s", snapshot->record.name, strerror(-rc));
	sf_snapshot_unref(snapshot);
	return rc;
}

static int verify_and_copy(struct led *led, struct sf_err *err)
{
	bool moved;

	if (sf_record_copy(led->record, &led->shown) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	led->broken = verify(led->op, &led->shown, led->dir_name, is_known_broken(led), &moved);
	return 0;
}

/*
 * Marks the record too, for people who look at the directory. The directory's name is authoritative, so a
 * failure does no harm.
 */
static void mark_deleting(int vm_dir, const char *name, const struct sf_record *record)
{
	struct sf_record copy;
	auto_fd int dir = sf_open_dir(vm_dir, name, NULL);

	if (dir < 0 || sf_record_copy(record, &copy) < 0)
		return;
	copy.state = SF_RECORD_DELETING;
	(void)sf_state_write_record(dir, &copy, NULL);
	sf_record_fini(&copy);
}

static int hide(struct sf_vm_op *op, const struct sf_record *record, struct sf_err *err)
{
	char name[SF_ID_TEXT + 1], subject[2 * SF_NAME_MAX + 2];
	int rc = sf_op_dir(op, false, err);

	if (rc < 0)
		return rc;
	sf_state_deleting_name(&record->uuid, name);
	rc = sf_durable_rename(op->dir, record->name, op->dir, name, err);
	if (rc < 0) {
		sf_op_unsettle(op); /* it may have taken effect: the disk decides */
		return rc;
	}
	mark_deleting(op->dir, name, record);
	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, record->name);
	sf_health_clear(op->engine->health, "broken", subject);
	sf_health_clear(op->engine->health, "unreachable", subject);
	return 0;
}

static int perform(struct led *led, enum sf_action action, struct sf_err *err)
{
	switch (action) {
	case SF_ACT_RESUME:
		return led->record->leased ? sf_resume_forgotten(led->op, err) : 0;
	case SF_ACT_THAW:
		return thaw(led, err);
	case SF_ACT_WRITE_RESUMED:
		write_resumed(led);
		return 0;
	case SF_ACT_DROP_DISKS:
		return drop_disks(led, err);
	case SF_ACT_DROP_RECORD:
		return sf_state_remove_snapshot(led->op->dir, led->dir_name, err);
	case SF_ACT_VERIFY:
		return verify_and_copy(led, err);
	case SF_ACT_PUBLISH:
		return sf_publish_record(led->op, &led->shown, led->broken, err);
	case SF_ACT_HIDE:
		return hide(led->op, led->record, err);
	case SF_ACT_FORGET:
		sf_catalog_forget(led->op->engine->catalog, sf_snapshot_id(&led->record->uuid));
		return 0;
	default:
		return sf_fail(err, -EINVAL, "no action '%s' for a record", sf_action_name(action));
	}
}

int sf_lead(struct sf_vm_op *op, const struct sf_record *record, const char *dir_name, enum sf_life state,
	    enum sf_event event, struct sf_err *err)
{
	const struct sf_step *step = sf_lifecycle(state, event);
	struct led led = {.op = op, .record = record, .dir_name = dir_name};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < step->nactions; i++)
		rc = perform(&led, step->actions[i], err);
	return rc;
}

/* Labels are for people and for rebuilding lost records: an outdated one is not an error. */
void sf_relabel_disks(struct sf_vm_op *op, const struct sf_record *record)
{
	for (size_t i = 0; i < record->ndisks; i++) {
		const struct sf_record_disk *disk = &record->disks[i];
		struct sf_storage *storage = sf_storages_by_name(op->engine->storages, disk->storage);
		struct sf_err why = {0};

		if (storage && sf_object_relabel(storage, &disk->object, &why) < 0)
			sf_log(SF_LOG_WARNING, "%s/%s: disk %s still has an old label: %s", op->name,
			       record->name, disk->object.vdev, why.text);
	}
}

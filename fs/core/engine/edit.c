/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits that do not touch a snapshot's storage: name, description, hold, manifest. */
#include "edit.h"

#include "actions.h"
#include "internal.h"
#include "operation.h"
#include "vms.h"

#include "core/state/manifest.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int write_record(struct sf_vm_op *op, const struct sf_record *record, struct sf_err *err)
{
	auto_fd int dir = -1;
	int rc = sf_op_dir(op, false, err);

	if (rc < 0)
		return rc;
	dir = sf_open_dir(op->dir, record->name, err);
	return dir < 0 ? dir : sf_state_write_record(dir, record, err);
}

/* --- rename --- */

/*
 * The rename of the directory is the point of no return. Recovery corrects a record that still has the old
 * name.
 */
static int rename_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, const char *to,
			   struct sf_err *err)
{
	struct sf_record record;
	struct sf_err why = {0};
	int rc = sf_op_dir(op, false, err);

	if (rc < 0)
		return rc;
	if (sf_record_copy(&snapshot->record, &record) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_durable_rename(op->dir, record.name, op->dir, to, err);
	if (rc < 0) {
		sf_op_unsettle(op); /* it may have taken effect: the disk decides */
		sf_record_fini(&record);
		return rc;
	}
	(void)snprintf(record.name, sizeof(record.name), "%s", to);
	sf_record_label(&record);
	record.edited_ns = sf_clock_real_ns();
	if (write_record(op, &record, &why) < 0) {
		sf_log(SF_LOG_WARNING, "%s/%s: its record still has the old name: %s", op->name, to,
		       why.text);
		sf_op_unsettle(op);
	}
	sf_relabel_disks(op, &record);
	return sf_publish_record(op, &record, snapshot->broken, err);
}

int sf_rename_named(struct sf_vm_op *op, const char *from, const char *to, struct sf_err *err)
{
	struct sf_snapshot *snapshot, *other;
	int rc = sf_name_check(to, err);

	if (rc < 0)
		return rc;
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, from, &snapshot) < 0)
		return sf_fail(err, -ENOENT, "VM '%s' has no snapshot '%s'", op->name, from);
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, to, &other) == 0) {
		sf_snapshot_unref(other);
		rc = sf_fail(err, -EEXIST, "a snapshot '%s' already exists", to);
	} else {
		rc = rename_snapshot(op, snapshot, to, err);
	}
	sf_snapshot_unref(snapshot);
	return rc;
}

/* --- manifest --- */

/* Content that cannot be read cannot have been hashed. */
static int check_content(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	for (size_t i = 0; i < snapshot->record.ndisks; i++) {
		const struct sf_record_disk *disk = &snapshot->record.disks[i];
		struct sf_storage *storage = sf_storages_by_name(op->engine->storages, disk->storage);
		struct sf_object_stat stat;
		int rc;

		if (!storage)
			return sf_fail(err, -EOPNOTSUPP, "this build has no storage '%s'", disk->storage);
		rc = sf_object_stat(storage, &disk->object, &stat, err);
		if (rc < 0)
			return sf_wrap(err, rc == -ENOENT ? -EIO : rc, "disk %s", disk->object.vdev);
	}
	return snapshot->broken ? sf_fail(err, -EIO, "the snapshot is broken") : 0;
}

static int write_manifest(struct sf_vm_op *op, const struct sf_snapshot *snapshot,
			  const struct sf_manifest *manifest, struct sf_err *err)
{
	uint64_t made_ns = sf_clock_real_ns();
	auto_free char *text = NULL;
	struct sf_record copy;
	auto_fd int dir = -1;
	size_t len;
	int rc;

	if ((rc = check_content(op, snapshot, err)) < 0 ||
	    (rc = sf_manifest_check(manifest, &snapshot->record, err)) < 0 ||
	    (rc = sf_op_dir(op, false, err)) < 0)
		return rc;
	text = sf_manifest_format(manifest, &snapshot->record.uuid, made_ns, &len);
	if (!text || sf_record_copy(&snapshot->record, &copy) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	dir = sf_open_dir(op->dir, copy.name, err);
	rc = dir < 0 ? dir : sf_durable_write_dated(dir, SF_STATE_MANIFEST, text, len, made_ns, err);
	if (rc < 0) {
		sf_op_unsettle(op); /* it may have happened all the same: recovery reads the disk */
		sf_record_fini(&copy);
		return rc;
	}
	return sf_publish_record(op, &copy, snapshot->broken, err);
}

static int edit_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, const struct sf_edit *edit,
			 struct sf_err *err)
{
	struct sf_record record;
	int rc;

	if (edit->manifest)
		return write_manifest(op, snapshot, edit->manifest, err);
	if (sf_record_copy(&snapshot->record, &record) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	if (edit->description && sf_record_set_description(&record, edit->description) < 0) {
		sf_record_fini(&record);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	if (edit->change_hold)
		record.held = edit->held;
	record.edited_ns = sf_clock_real_ns();
	rc = write_record(op, &record, err);
	if (rc < 0) {
		sf_op_unsettle(op); /* it may have happened all the same: recovery reads the disk */
		sf_record_fini(&record);
		return rc;
	}
	return sf_publish_record(op, &record, snapshot->broken, err);
}

/* The snapshot may have been renamed or deleted before the caller got the exclusion: look it up again. */
int sf_edit_by_id(struct sf_vm_op *op, uint64_t id, const struct sf_edit *edit, struct sf_err *err)
{
	struct sf_snapshot *snapshot, *visible = NULL;
	int rc = sf_catalog_snapshot_by_id(op->engine->catalog, id, &snapshot);

	if (rc < 0)
		return sf_fail(err, rc, "the snapshot is gone");
	rc = sf_catalog_snapshot(op->engine->catalog, op->vm->id, snapshot->record.name, &visible);
	if (rc < 0 || visible != snapshot)
		rc = sf_fail(err, -ENOENT, "the snapshot is being deleted");
	else if (edit->manifest && snapshot->broken)
		rc = sf_verify_snapshot(op, &snapshot, err);
	if (rc == 0)
		rc = edit_snapshot(op, snapshot, edit, err);
	sf_snapshot_unref(visible);
	sf_snapshot_unref(snapshot);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deletes snapshots in three steps: the directory in the state directory gets its deleting name (one rename,
 * the point of no return); the name leaves the tree; the storage is removed at once or, while someone reads
 * it, at the last close. Forgetting a snapshot works the same way but keeps its volumes; its record says so
 * first.
 */
#include "delete.h"

#include "actions.h"
#include "internal.h"
#include "operation.h"
#include "vms.h"

#include "core/state/revert_plan.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int sf_delete_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	int rc = sf_lead(op, &snapshot->record, snapshot->record.name, SF_LIFE_READY, SF_EVENT_DELETE, err);

	if (rc < 0)
		return rc;
	if (!sf_catalog_hide(op->engine->catalog, snapshot->id))
		return 0; /* being read: the last close continues from here */
	rc = sf_reap_snapshot(op, snapshot, err);
	return rc < 0 ? sf_wrap(err, rc, "the name is gone, the removal of the rest will be retried") : 0;
}

int sf_reap_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	char name[SF_ID_TEXT + 1];
	int rc = sf_op_dir(op, false, err);

	sf_state_deleting_name(&snapshot->record.uuid, name);
	if (rc == 0)
		rc = sf_lead(op, &snapshot->record, name, SF_LIFE_DELETING, SF_EVENT_UNUSED, err);
	if (rc < 0)
		sf_op_unsettle(op);
	return rc;
}

/* An unfinished revert may need the snapshot. */
static int check_plan(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	struct sf_plan plan;
	struct sf_err why = {0};
	int rc = sf_op_dir(op, false, err);

	if (rc < 0)
		return rc;
	rc = sf_plan_read(op->dir, &plan, &why);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return sf_fail(err, rc, "%s", why.text);
	if (sf_id_equal(&plan.snapshot, &snapshot->record.uuid) ||
	    (plan.has_safety && sf_id_equal(&plan.safety, &snapshot->record.uuid)))
		return sf_fail(err, -EBUSY, "an unfinished revert needs it");
	return 0;
}

/*
 * Records durably that the snapshot is being deleted and that its volumes stay. From here on every path,
 * including recovery, ends without removing them.
 */
static int mark_forgotten(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	struct sf_record copy;
	auto_fd int dir = -1;
	int rc = sf_op_dir(op, false, err);

	if (rc < 0 || (dir = sf_open_dir(op->dir, snapshot->record.name, err)) < 0)
		return rc < 0 ? rc : dir;
	if (sf_record_copy(&snapshot->record, &copy) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	copy.state = SF_RECORD_DELETING;
	copy.forgotten = true;
	rc = sf_state_write_record(dir, &copy, err);
	if (rc < 0) {
		sf_op_unsettle(op); /* it may have taken effect: the disk decides */
		sf_record_fini(&copy);
		return rc;
	}
	for (size_t i = 0; i < copy.ndisks; i++) {
		char token[SF_ID_TEXT];

		sf_id_format(&copy.disks[i].object.token, token);
		sf_log(SF_LOG_INFO, "%s/%s: forgotten; the snapshot of %s with token %s stays", op->name,
		       copy.name, copy.disks[i].object.origin, token);
	}
	rc = sf_publish_record(op, &copy, snapshot->broken, err);
	if (rc < 0)
		sf_op_unsettle(op);
	return rc;
}

static int forget_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	struct sf_snapshot *marked;
	int rc = mark_forgotten(op, snapshot, err);

	if (rc < 0)
		return rc;
	rc = sf_catalog_snapshot_by_id(op->engine->catalog, snapshot->id, &marked);
	if (rc < 0)
		return sf_fail(err, rc, "the snapshot is gone");
	rc = sf_delete_snapshot(op, marked, err);
	sf_snapshot_unref(marked);
	return rc;
}

int sf_delete_named(struct sf_vm_op *op, const char *name, uint64_t id, bool forget, struct sf_err *err)
{
	struct sf_snapshot *snapshot;
	int rc;

	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, name, &snapshot) < 0)
		return sf_fail(err, -ENOENT, "VM '%s' has no snapshot '%s'", op->name, name);
	if (id && id != snapshot->id)
		rc = sf_fail(err, -ENOENT, "the snapshot is gone, and another one has its name");
	else if (snapshot->record.held)
		rc = sf_fail(err, -EBUSY, "the snapshot is held (setfattr -x user.snapfs.hold releases it)");
	else
		rc = check_plan(op, snapshot, err);
	if (rc == 0)
		rc = forget ? forget_snapshot(op, snapshot, err) : sf_delete_snapshot(op, snapshot, err);
	sf_snapshot_unref(snapshot);
	return rc;
}

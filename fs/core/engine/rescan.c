/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovery from a lost state directory: finds out whose volumes there are, and rebuilds records from the
 * labels of volumes. Labels are untrusted: a rebuilt record must pass every check of a record read from disk,
 * and its volumes must exist.
 */
#include "rescan.h"

#include "actions.h"
#include "operation.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- finding the owner --- */

/* Most state directories that one host's VMs can plausibly have had. */
#define IDS_MAX 16

struct owners {
	struct sf_id ids[IDS_MAX];
	size_t nids;
	bool more;
	bool ours;
};

static int note_foreign(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err)
{
	struct owners *owners = arg;

	(void)where;
	(void)err;
	for (size_t i = 0; state_id && i < owners->nids; i++)
		if (sf_id_equal(&owners->ids[i], state_id))
			return 0;
	if (state_id && owners->nids < IDS_MAX)
		owners->ids[owners->nids++] = *state_id;
	else if (state_id)
		owners->more = true;
	return 0;
}

static int note_ours(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct owners *owners = arg;

	(void)object;
	(void)where;
	(void)err;
	owners->ours = true;
	return 0;
}

static int look_at_disk(const struct sf_storages *storages, const char *vm, const struct sf_disk *disk,
			struct owners *owners, struct sf_err *err)
{
	struct sf_err why = {0};
	struct sf_volume *volume;
	int rc;

	if (sf_volume_open(storages, vm, disk, &volume, &why) < 0) {
		sf_log(SF_LOG_WARNING, "VM '%s': disk %s is skipped: %s", vm, disk->vdev, why.text);
		return 0;
	}
	rc = sf_volume_foreign(volume, note_foreign, owners, err);
	if (rc == 0)
		rc = sf_object_list(volume->storage, volume->origin, note_ours, owners, err);
	sf_volume_close(volume);
	return rc < 0 ? sf_wrap(err, rc, "VM '%s': disk %s", vm, disk->vdev) : 0;
}

static int refuse_several(const struct owners *owners, struct sf_err *err)
{
	char list[IDS_MAX * (SF_ID_TEXT + 1) + 8] = "";

	for (size_t i = 0; i < owners->nids; i++) {
		char id[SF_ID_TEXT];

		sf_id_format(&owners->ids[i], id);
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", id);
	}
	return sf_fail(err, -EINVAL,
		       "volumes of several state directories were found; --rescan=ID with one of these: %s%s",
		       list, owners->more ? ", ..." : "");
}

int sf_rescan_identity(const struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_id *ret,
		       bool *ret_found, struct sf_err *err)
{
	struct owners owners = {.nids = 0};
	struct sf_vm_list list;
	int rc = sf_hypervisor_list(hv, &list, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < list.nvms; i++)
		for (size_t k = 0; rc == 0 && k < list.vms[i].ndisks; k++)
			rc = look_at_disk(storages, list.vms[i].name, &list.vms[i].disks[k], &owners, err);
	sf_vm_list_fini(&list);
	if (rc < 0)
		return rc;
	if (owners.nids > 1 && !owners.ours)
		return refuse_several(&owners, err);
	*ret_found = owners.nids == 1 && !owners.ours;
	if (*ret_found)
		*ret = owners.ids[0];
	return 0;
}

/* --- rebuilding records --- */

static int fill_disk(const struct sf_orphan *orphan, struct sf_record_disk *disk, struct sf_err *err)
{
	struct sf_object *object = &disk->object;
	int rc;

	if (sf_record_set_origin(disk, orphan->origin) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	object->token = orphan->token;
	memcpy(object->vdev, orphan->vdev, sizeof(object->vdev));
	(void)snprintf(disk->storage, sizeof(disk->storage), "%s", orphan->storage->ops->name);
	rc = sf_object_stat(orphan->storage, object, &disk->stat, err);
	if (rc < 0)
		return sf_wrap(err, rc, "disk %s", object->vdev);
	(void)snprintf(disk->method, sizeof(disk->method), "%s", disk->stat.method);
	return 0;
}

/* The caller frees *record even on failure. */
static int fill_record(const struct sf_orphan *group, size_t n, struct sf_record *record, struct sf_err *err)
{
	*record = (struct sf_record){
		.uuid = group->uuid,
		.state = SF_RECORD_READY,
		.taken_ns = group->taken_ns,
		.edited_ns = group->taken_ns,
		.consistency = SF_CONSISTENCY_CRASH,
		.power = SF_POWER_UNKNOWN,
		.rebuilt = true,
		.disks = calloc(n, sizeof(*record->disks)),
	};
	if (!record->disks || sf_record_set_description(record, "rebuilt from the labels of its volumes") < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	record->ndisks = n;
	memcpy(record->name, group->snapshot, sizeof(record->name));
	memcpy(record->vm_name, group->vm, sizeof(record->vm_name));
	memcpy(record->vm_uuid, group->vm_uuid, sizeof(record->vm_uuid));
	for (size_t i = 0; i < n; i++) {
		int rc = fill_disk(&group[i], &record->disks[i], err);

		if (rc < 0)
			return rc;
	}
	sf_record_label(record);
	return 0;
}

/* Checks that the next start can read the record. */
static int check_readable(const struct sf_record *record, struct sf_err *err)
{
	struct sf_record copy;
	size_t len;
	auto_free char *text = sf_record_format(record, &len);
	int rc;

	if (!text)
		return sf_fail(err, -EINVAL, "its labels cannot be written as a record");
	rc = sf_record_parse(text, len, &copy, err);
	if (rc == 0)
		sf_record_fini(&copy);
	return rc < 0 ? sf_wrap(err, rc, "its labels") : 0;
}

/* Appends the start of the uuid to the name, for when the name itself is taken. */
static void mark_name(struct sf_record *record)
{
	size_t len = strlen(record->name);
	char uuid[SF_ID_TEXT];

	sf_id_format(&record->uuid, uuid);
	if (len > SF_NAME_MAX - 9)
		len = SF_NAME_MAX - 9;
	while (len > 0 && ((unsigned char)record->name[len] & 0xc0) == 0x80)
		len--; /* do not split a UTF-8 character */
	(void)snprintf(record->name + len, sizeof(record->name) - len, "~%.8s", uuid);
	sf_record_label(record);
}

/* Creates the record's directory and returns its descriptor. */
static int make_dir(struct sf_vm_op *op, struct sf_record *record, bool *ret_renamed, struct sf_err *err)
{
	int rc = sf_op_dir(op, true, err);

	if (rc < 0)
		return rc;
	rc = sf_durable_mkdir(op->dir, record->name, 0700, err);
	*ret_renamed = rc == -EEXIST;
	if (rc == -EEXIST) {
		mark_name(record);
		rc = sf_durable_mkdir(op->dir, record->name, 0700, err);
	}
	return rc < 0 ? rc : sf_open_dir(op->dir, record->name, err);
}

static int write_and_show(struct sf_vm_op *op, struct sf_record *record, struct sf_err *err)
{
	struct sf_record shown;
	bool renamed = false;
	auto_fd int dir = make_dir(op, record, &renamed, err);
	int rc = dir;

	if (dir < 0)
		return rc;
	rc = sf_state_write_record(dir, record, err);
	if (rc < 0) {
		(void)sf_state_remove_snapshot(op->dir, record->name, NULL); /* best effort */
		return rc;
	}
	if (renamed)
		sf_relabel_disks(op, record);
	if (sf_record_copy(record, &shown) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_publish_record(op, &shown, false, err);
	if (rc == 0)
		sf_log(SF_LOG_INFO, "%s/%s: rebuilt from the labels of its volumes", op->name, record->name);
	return rc;
}

static int rebuild(struct sf_engine *engine, struct sf_record *record, struct sf_err *err)
{
	struct sf_engine_vm *vm;
	struct sf_vm_op op = {0};
	int rc;

	if (sf_engine_vm_of(engine, record->vm_uuid, record->vm_name, &vm) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_op_enter(engine, vm, true, &op, err);
	if (rc < 0)
		return rc;
	rc = write_and_show(&op, record, err);
	sf_op_leave(&op);
	return rc;
}

int sf_rebuild(struct sf_engine *engine, const struct sf_orphan *group, size_t n, struct sf_err *err)
{
	struct sf_record record;
	int rc = fill_record(group, n, &record, err);

	if (rc == 0)
		rc = check_readable(&record, err);
	if (rc == 0)
		rc = rebuild(engine, &record, err);
	sf_record_fini(&record);
	return rc;
}

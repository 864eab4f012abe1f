/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relocate.h"

#include "internal.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The storage's answer about an object; nothing more is asked once it did not answer in time. */
static int look(struct sf_vm_op *op, struct sf_storage *storage, const struct sf_object *object)
{
	struct sf_object_stat stat;
	int rc = op->timed_out ? -ETIMEDOUT : sf_object_stat(storage, object, &stat, NULL);

	op->timed_out = rc == -ETIMEDOUT;
	return rc;
}

/* The name of the snapshot's disk, in the directory or volume group of a present one. */
static bool beside(const char *present, const char *then, char ret[static SF_ORIGIN_MAX])
{
	const char *slash = strrchr(present, '/'), *name = strrchr(then, '/');

	return slash && name &&
	       snprintf(ret, SF_ORIGIN_MAX, "%.*s%s", (int)(slash - present), present, name) < SF_ORIGIN_MAX;
}

static bool is_at(struct sf_vm_op *op, struct sf_storage *storage, const struct sf_object *object,
		  const char *origin)
{
	struct sf_object moved = *object;

	moved.origin = origin;
	return strcmp(origin, object->origin) != 0 && look(op, storage, &moved) == 0;
}

/* Whether the object is where that disk of the VM is; a disk may have a new name as well. */
static bool is_with(struct sf_vm_op *op, struct sf_storage *storage, const struct sf_object *object,
		    const struct sf_disk *disk, char ret[static SF_ORIGIN_MAX])
{
	struct sf_volume *volume;
	bool found = false;

	if (sf_volume_open(op->engine->storages, op->desc.name, disk, &volume, NULL) < 0)
		return false;
	if (volume->storage == storage) {
		found = beside(volume->origin, object->origin, ret) && is_at(op, storage, object, ret);
		if (!found && strcmp(disk->vdev, object->vdev) == 0) {
			memcpy(ret, volume->origin, SF_ORIGIN_MAX);
			found = is_at(op, storage, object, ret);
		}
	}
	sf_volume_close(volume);
	return found;
}

static bool relocate_disk(struct sf_vm_op *op, const struct sf_record *record, struct sf_record_disk *disk)
{
	struct sf_storage *storage = sf_storages_by_name(op->engine->storages, disk->storage);
	char now[SF_ORIGIN_MAX];
	bool found = false;
	int rc = storage ? look(op, storage, &disk->object) : 0;

	if (rc == 0 || rc == -ESTALE) /* it is there */
		return false;
	for (size_t i = 0; i < op->desc.ndisks && !found && !op->timed_out; i++)
		found = is_with(op, storage, &disk->object, &op->desc.disks[i], now);
	if (!found)
		return false;
	sf_log(SF_LOG_INFO, "%s/%s: disk %s has moved from %s to %s", op->name, record->name,
	       disk->object.vdev, disk->origin, now);
	return sf_record_set_origin(disk, now) == 0;
}

bool sf_relocate(struct sf_vm_op *op, struct sf_record *record, const char *dir_name)
{
	auto_fd int dir = -1;
	struct sf_err err = {0};
	bool moved = false;
	int rc;

	for (size_t i = 0; op->present && i < record->ndisks; i++)
		moved = relocate_disk(op, record, &record->disks[i]) || moved;
	if (!moved)
		return false;
	rc = dir = sf_open_dir(op->dir, dir_name, &err);
	if (rc >= 0)
		rc = sf_state_write_record(dir, record, &err);
	if (rc < 0) /* it is found again after the next start */
		sf_log(SF_LOG_WARNING, "%s/%s: its record still has the old place: %s", op->name,
		       record->name, err.text);
	return true;
}

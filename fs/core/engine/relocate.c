/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relocate.h"

#include "internal.h"
#include "vms.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	struct sf_object_stat stat;
	int rc;

	if (strcmp(origin, object->origin) == 0)
		return false;
	moved.origin = origin;
	rc = sf_object_stat(storage, &moved, &stat, NULL);
	op->timed_out = rc == -ETIMEDOUT;
	return rc == 0;
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

bool sf_relocate(struct sf_vm_op *op, struct sf_storage *storage, const struct sf_object *object,
		 char ret[static SF_ORIGIN_MAX])
{
	bool found = false;

	for (size_t i = 0; op->present && i < op->desc.ndisks && !found && !op->timed_out; i++)
		found = is_with(op, storage, object, &op->desc.disks[i], ret);
	return found;
}

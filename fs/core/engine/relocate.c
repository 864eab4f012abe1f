/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relocate.h"

#include "internal.h"
#include "vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Each disk's storage and origin; both NULL if it cannot be opened. */
struct sf_present {
	size_t n;
	struct {
		struct sf_storage *storage;
		char *origin;
	} disks[];
};

void sf_present_free(struct sf_present *present)
{
	for (size_t i = 0; present && i < present->n; i++)
		free(present->disks[i].origin);
	free(present);
}

static void open_disk(struct sf_vm_op *op, struct sf_present *present, size_t i)
{
	struct sf_volume *volume;
	int rc;

	if (op->timed_out)
		return;
	rc = sf_volume_open(op->engine->storages, op->desc.name, &op->desc.disks[i], &volume, NULL);
	op->timed_out = rc == -ETIMEDOUT;
	if (rc < 0)
		return;
	present->disks[i].storage = volume->storage;
	present->disks[i].origin = strdup(volume->origin);
	sf_volume_close(volume);
}

/* NULL when out of memory. */
static const struct sf_present *present_disks(struct sf_vm_op *op)
{
	size_t n = op->desc.ndisks;

	if (op->present_disks)
		return op->present_disks;
	op->present_disks = calloc(1, sizeof(*op->present_disks) + n * sizeof(op->present_disks->disks[0]));
	if (!op->present_disks)
		return NULL;
	op->present_disks->n = n;
	for (size_t i = 0; i < n; i++)
		open_disk(op, op->present_disks, i);
	return op->present_disks;
}

/* Whether the disk is where it was, or may be: one that cannot be opened has not moved. */
static bool is_in_place(const struct sf_vm_op *op, const struct sf_present *present,
			const struct sf_object *object)
{
	for (size_t i = 0; i < present->n; i++) {
		const struct sf_disk *disk = &op->desc.disks[i];
		const char *origin = present->disks[i].origin;

		if (origin ? strcmp(origin, object->origin) == 0
			   : strcmp(disk->spec, object->origin) == 0 || strcmp(disk->vdev, object->vdev) == 0)
			return true;
	}
	return false;
}

static bool has_last_part(const char *origin, const char *then)
{
	const char *a = strrchr(origin, '/'), *b = strrchr(then, '/');

	return a && b && strcmp(a, b) == 0;
}

bool sf_relocate(struct sf_vm_op *op, const struct sf_storage *storage, const struct sf_object *object,
		 const char **ret)
{
	const struct sf_present *present = op->present ? present_disks(op) : NULL;

	if (!present || is_in_place(op, present, object))
		return false;
	for (size_t i = 0; i < present->n && !op->timed_out; i++) {
		struct sf_object moved = *object;
		struct sf_object_stat stat;
		int rc;

		moved.origin = present->disks[i].origin;
		if (!moved.origin || present->disks[i].storage != storage ||
		    !has_last_part(moved.origin, object->origin))
			continue;
		rc = sf_object_stat(present->disks[i].storage, &moved, &stat, NULL);
		op->timed_out = rc == -ETIMEDOUT;
		if (rc == 0) {
			*ret = moved.origin;
			return true;
		}
	}
	return false;
}

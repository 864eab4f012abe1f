/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sharing.h"

#include "internal.h"
#include "vms.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A disk of a VM, identified by its storage and origin. */
struct place {
	uint64_t vm_id;
	char vm[SF_NAME_MAX + 1];
	char vdev[SF_VDEV_MAX + 1];
	const struct sf_storage *storage;
	char *origin;
	const struct place *other; /* the same disk in another VM; NULL: none */
};

struct sf_sharing {
	struct place *list;
	size_t n, room;
};

void sf_sharing_free(struct sf_sharing *sharing)
{
	if (!sharing)
		return;
	for (size_t i = 0; i < sharing->n; i++)
		free(sharing->list[i].origin);
	free(sharing->list);
	free(sharing);
}

static void cleanup_sharing(struct sf_sharing **sharing)
{
	sf_sharing_free(*sharing);
}

/* --- collecting --- */

static int add(struct sf_sharing *sharing, const struct place *vm, const struct sf_disk *disk,
	       const struct sf_volume *volume)
{
	auto_free char *origin = strdup(volume->origin);
	size_t room = sharing->room ? 2 * sharing->room : 16;
	struct place *place;

	if (!origin)
		return -ENOMEM;
	if (sharing->n == sharing->room) {
		place = realloc(sharing->list, room * sizeof(*place));
		if (!place)
			return -ENOMEM;
		sharing->list = place;
		sharing->room = room;
	}
	place = &sharing->list[sharing->n++];
	*place = *vm;
	memcpy(place->vdev, disk->vdev, sizeof(place->vdev));
	place->storage = volume->storage;
	place->origin = sf_take_ptr(&origin);
	return 0;
}

/*
 * Skips disks that are known not to be there, or not to be anything that can be snapshotted. strict: any
 * other disk that cannot be opened is an error, because it may be the one that is looked for. -ETIMEDOUT
 * always is: each further disk of that storage would take as long.
 */
static int collect_vm(struct sf_sharing *sharing, struct sf_engine *engine, const struct place *vm,
		      const struct sf_vm_desc *desc, bool strict, struct sf_err *err)
{
	for (size_t i = 0; i < desc->ndisks; i++) {
		const struct sf_disk *disk = &desc->disks[i];
		struct sf_volume *volume;
		struct sf_err why = {0};
		int rc = sf_volume_open(engine->storages, desc->name, disk, &volume, &why);

		if (rc == -ENOENT || rc == -ENODEV || rc == -EINVAL ||
		    (rc < 0 && rc != -ETIMEDOUT && !strict))
			continue;
		if (rc < 0)
			return sf_fail(err, rc, "disk %s of VM '%s', which may be one of this VM's: %s",
				       disk->vdev, vm->vm, why.text);
		rc = add(sharing, vm, disk, volume);
		sf_volume_close(volume);
		if (rc < 0)
			return sf_fail(err, rc, "out of memory");
	}
	return 0;
}

/* Copies what the table of VMs knows of one. 1: there is one at that index. */
static int look_at(struct sf_engine *engine, size_t index, struct place *ret_vm, struct sf_vm_desc *ret,
		   struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	const struct sf_engine_vm *vm;

	if (index >= engine->nvms)
		return 0;
	vm = engine->vms[index];
	*ret_vm = (struct place){.vm_id = vm->id};
	memcpy(ret_vm->vm, vm->name, sizeof(ret_vm->vm));
	*ret = (struct sf_vm_desc){.ndisks = 0};
	if (vm->present && sf_vm_desc_copy(&vm->desc, ret) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	return 1;
}

/* The disks of all VMs that are there, except those of one. */
static int collect(struct sf_engine *engine, const struct sf_engine_vm *except, bool strict,
		   struct sf_sharing **ret, struct sf_err *err)
{
	__attribute__((cleanup(cleanup_sharing))) struct sf_sharing *sharing = calloc(1, sizeof(*sharing));
	struct sf_vm_desc desc;
	struct place vm;
	int rc = sharing ? 0 : sf_fail(err, -ENOMEM, "out of memory");

	for (size_t i = 0; rc == 0 && (rc = look_at(engine, i, &vm, &desc, err)) == 1; i++) {
		rc = except && vm.vm_id == except->id ? 0
						      : collect_vm(sharing, engine, &vm, &desc, strict, err);
		sf_vm_desc_fini(&desc);
	}
	if (rc == 0)
		*ret = sf_take_ptr(&sharing);
	return rc;
}

/* --- what is shown --- */

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->storage->ops->name, y->storage->ops->name);

	return order ? order : strcmp(x->origin, y->origin);
}

/* Sorts the disks, so that those that are the same follow each other, and links them. */
static void find_shared(struct sf_sharing *sharing)
{
	if (sharing->n)
		qsort(sharing->list, sharing->n, sizeof(*sharing->list), compare);
	for (size_t i = 1; i < sharing->n; i++) {
		struct place *a = &sharing->list[i - 1], *b = &sharing->list[i];

		if (compare(a, b) != 0 || a->vm_id == b->vm_id)
			continue;
		a->other = b;
		b->other = a;
	}
}

static const struct place *find(const struct sf_sharing *sharing, uint64_t vm_id, const char *vdev)
{
	for (size_t i = 0; sharing && i < sharing->n; i++)
		if (sharing->list[i].vm_id == vm_id && strcmp(sharing->list[i].vdev, vdev) == 0)
			return sharing->list[i].other ? &sharing->list[i] : NULL;
	return NULL;
}

static void report(struct sf_health *health, const struct place *place, bool shared)
{
	char subject[SF_NAME_MAX + SF_VDEV_MAX + 2];

	(void)snprintf(subject, sizeof(subject), "%s:%s", place->vm, place->vdev);
	if (shared)
		sf_health_set(health, "shared", subject,
			      "%s is also a disk of VM '%s': neither VM can be reverted", place->origin,
			      place->other->vm);
	else
		sf_health_clear(health, "shared", subject);
}

int sf_sharing_update(struct sf_engine *engine)
{
	struct sf_sharing *now, *before;
	int rc = collect(engine, NULL, false, &now, NULL);

	if (rc < 0)
		return rc;
	find_shared(now);
	pthread_mutex_lock(&engine->lock);
	before = engine->sharing;
	engine->sharing = now;
	pthread_mutex_unlock(&engine->lock);
	for (size_t i = 0; before && i < before->n; i++) {
		const struct place *still = find(now, before->list[i].vm_id, before->list[i].vdev);

		if (before->list[i].other && (!still || strcmp(still->vm, before->list[i].vm) != 0))
			report(engine->health, &before->list[i], false);
	}
	for (size_t i = 0; i < now->n; i++)
		if (now->list[i].other)
			report(engine->health, &now->list[i], true);
	sf_sharing_free(before);
	return 0;
}

bool sf_sharing_of(struct sf_engine *engine, uint64_t vm_id, const char *vdev,
		   char ret_other[static SF_NAME_MAX + 1])
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	const struct place *place = find(engine->sharing, vm_id, vdev);

	if (place)
		memcpy(ret_other, place->other->vm, sizeof(place->other->vm));
	return place != NULL;
}

/* --- before a revert --- */

int sf_sharing_check(const struct sf_vm_op *op, const struct sf_volumes *volumes, struct sf_err *err)
{
	__attribute__((cleanup(cleanup_sharing))) struct sf_sharing *others = NULL;
	int rc = collect(op->engine, op->vm, true, &others, err);

	for (size_t i = 0; rc == 0 && i < others->n; i++)
		for (size_t k = 0; rc == 0 && k < volumes->n; k++)
			if (others->list[i].storage == volumes->list[k]->storage &&
			    strcmp(others->list[i].origin, volumes->list[k]->origin) == 0)
				rc = sf_fail(err, -EBUSY, "%s is also a disk of VM '%s'",
					     others->list[i].origin, others->list[i].vm);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Implements the storage contract on top of world.h. A volume is created, all holes, when it is first opened,
 * and lives as long as its world. There is no hold: only guests of this process write to volumes, and the
 * engine stops those.
 */
#include "mem.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/contract/job.h"
#include "world.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR   512
#define DISK_MIN 4096
#define DISK_MAX (1ULL << 40)
#define METHOD   "memory"

struct mem_storage {
	struct sf_storage base;
	struct sf_mem_world *world;
	bool own_world;
	struct sf_id state_id;
};

struct mem_volume {
	struct sf_volume base;
	struct sf_mem_world *world;
	struct sf_mem_volume_slot *slot;
};

static struct mem_storage *to_storage(struct sf_storage *base)
{
	return (struct mem_storage *)base;
}

static struct mem_volume *to_volume(struct sf_volume *base)
{
	return (struct mem_volume *)base;
}

/* --- Volumes --- */

static int parse_size(const char *spec, uint64_t *ret, struct sf_err *err)
{
	static const char units[] = "KMG";
	const char *text = spec + 4;
	const char *unit;
	char *end;
	uint64_t n;

	errno = 0;
	n = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
	if (n == 0 || errno != 0)
		return sf_fail(err, -EINVAL, "%s: expected mem:SIZE, a number with an optional K, M or G",
			       spec);
	unit = *end ? strchr(units, *end) : NULL;
	if (*end && (!unit || end[1]))
		return sf_fail(err, -EINVAL, "%s: expected mem:SIZE, a number with an optional K, M or G",
			       spec);
	for (const char *u = units; unit && u <= unit && n <= DISK_MAX; u++)
		n *= 1024;
	if (n < DISK_MIN || n > DISK_MAX || n % SECTOR != 0)
		return sf_fail(err, -EINVAL, "%s: a disk has 4 KiB to 1 TiB in sectors of %d bytes", spec,
			       SECTOR);
	*ret = n;
	return 0;
}

static int mem_claims(struct sf_storage *storage, const char *spec, struct sf_err *err)
{
	(void)storage;
	(void)err;
	return strncmp(spec, "mem:", 4) == 0;
}

static struct sf_mem_volume_slot *find_volume(struct sf_mem_world *world, const char *origin)
{
	for (uint32_t i = 0; i < world->nvolumes; i++)
		if (world->volumes[i].used && strcmp(world->volumes[i].origin, origin) == 0)
			return &world->volumes[i];
	return NULL;
}

static int find_or_make(struct sf_mem_world *world, const char *origin, const char *spec, uint64_t size,
			struct sf_mem_volume_slot **ret, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_mem_lock(world);
	struct sf_mem_volume_slot *slot = find_volume(world, origin);

	if (slot && slot->size_bytes != size)
		return sf_fail(err, -EINVAL, "%s has %llu bytes, not %s", origin,
			       (unsigned long long)slot->size_bytes, spec);
	if (!slot && world->nvolumes == SF_MEM_VOLUMES_MAX)
		return sf_fail(err, -ENOSPC, "%s: mem holds at most %d disks", origin, SF_MEM_VOLUMES_MAX);
	if (!slot) {
		slot = &world->volumes[world->nvolumes];
		(void)snprintf(slot->origin, sizeof(slot->origin), "%s", origin); /* it fits */
		slot->size_bytes = size;
		slot->used = true;
		world->nvolumes++;
	}
	*ret = slot;
	return 0;
}

static int mem_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
			   struct sf_volume **ret, struct sf_err *err)
{
	auto_free struct mem_volume *volume = calloc(1, sizeof(*volume));
	uint64_t size = 0;
	int rc = parse_size(disk->spec, &size, err);

	if (rc < 0)
		return rc;
	if (!volume)
		return sf_fail(err, -ENOMEM, "open %s: out of memory", disk->spec);
	volume->base.storage = storage;
	volume->world = to_storage(storage)->world;
	(void)snprintf(volume->base.origin, SF_MEM_ORIGIN, "mem:%s/%s", vm,
		       disk->vdev); /* both are bounded */
	rc = find_or_make(volume->world, volume->base.origin, disk->spec, size, &volume->slot, err);
	if (rc < 0)
		return rc;
	*ret = &volume->base;
	(void)sf_take_ptr(&volume);
	return 0;
}

static void mem_volume_close(struct sf_volume *volume)
{
	free(to_volume(volume));
}

static uint64_t allocated(const struct sf_mem_tree *tree)
{
	return (uint64_t)tree->nchunks * SF_MEM_CHUNK;
}

static int mem_volume_stat(struct sf_volume *base, struct sf_volume_stat *ret, struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(volume->world);

	(void)err;
	*ret = (struct sf_volume_stat){
		.size_bytes = volume->slot->size_bytes,
		.allocated_bytes = allocated(&volume->slot->tree),
		.instant = true,
		.method = METHOD,
	};
	return 0;
}

static int mem_volume_read(struct sf_volume *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(volume->world);

	(void)err;
	sf_mem_tree_read(volume->world, volume->slot->tree.root, buf, len, off);
	return 0;
}

static int mem_volume_write(struct sf_volume *base, const void *buf, size_t len, uint64_t off,
			    struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(volume->world);
	int rc = sf_mem_tree_write(volume->world, &volume->slot->tree, buf, len, off, err);

	return rc < 0 ? sf_wrap(err, rc, "write %s", base->origin) : 0;
}

static void fill_space(const struct sf_mem_world *world, struct sf_space *ret)
{
	*ret = (struct sf_space){
		.pool = "mem",
		.total_bytes = (uint64_t)world->chunks.count * SF_MEM_CHUNK,
		.free_bytes = (uint64_t)(world->chunks.count - world->chunks.used) * SF_MEM_CHUNK,
	};
}

static int mem_space(struct sf_volume *base, struct sf_space *ret, struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(volume->world);

	(void)err;
	fill_space(volume->world, ret);
	return 0;
}

/*
 * A snapshot takes no space at first; the guest does when it overwrites shared chunks, at worst all it has. A
 * revert is never refused: it only shares, and may be the way out of a full pool.
 */
static int mem_cost(struct sf_volume *base, enum sf_purpose purpose, const struct sf_object *object,
		    struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(volume->world);

	(void)object;
	(void)err;
	fill_space(volume->world, ret_pool);
	*ret_need_bytes = purpose == SF_FOR_CREATE ? allocated(&volume->slot->tree) : 0;
	return 0;
}

/* --- Objects --- */

static bool is_ours(const struct mem_storage *storage, const struct sf_mem_object_slot *slot,
		    const char *origin)
{
	return slot->used && sf_id_equal(&slot->state_id, &storage->state_id) &&
	       strcmp(slot->origin, origin) == 0;
}

static struct sf_mem_object_slot *find_object(const struct mem_storage *storage,
					      const struct sf_object *object)
{
	struct sf_mem_world *world = storage->world;

	for (uint32_t i = 0; i < world->nobjects; i++) {
		struct sf_mem_object_slot *slot = &world->objects[i];

		if (is_ours(storage, slot, object->origin) && sf_id_equal(&slot->token, &object->token))
			return slot;
	}
	return NULL;
}

static int no_object(const struct sf_object *object, struct sf_err *err)
{
	char token[SF_ID_TEXT];

	sf_id_format(&object->token, token);
	return sf_fail(err, -ENOENT, "%s has no snapshot %s", object->origin, token);
}

static struct sf_mem_object_slot *free_slot(struct sf_mem_world *world)
{
	for (uint32_t i = 0; i < world->nobjects; i++)
		if (!world->objects[i].used)
			return &world->objects[i];
	return world->nobjects < SF_MEM_OBJECTS_MAX ? &world->objects[world->nobjects++] : NULL;
}

static void set_labels(struct sf_mem_labels *labels, const struct sf_object *object)
{
	labels->uuid = object->uuid;
	labels->index = object->index;
	labels->ndisks = object->ndisks;
	labels->taken_ns = object->taken_ns;
	memcpy(labels->vdev, object->vdev, sizeof(labels->vdev));
	memcpy(labels->vm, object->vm, sizeof(labels->vm));
	memcpy(labels->vm_uuid, object->vm_uuid, sizeof(labels->vm_uuid));
	memcpy(labels->snapshot, object->snapshot, sizeof(labels->snapshot));
}

static void get_labels(const struct sf_mem_labels *labels, struct sf_object *object)
{
	object->uuid = labels->uuid;
	object->index = labels->index;
	object->ndisks = labels->ndisks;
	object->taken_ns = labels->taken_ns;
	memcpy(object->vdev, labels->vdev, sizeof(object->vdev));
	memcpy(object->vm, labels->vm, sizeof(object->vm));
	memcpy(object->vm_uuid, labels->vm_uuid, sizeof(object->vm_uuid));
	memcpy(object->snapshot, labels->snapshot, sizeof(object->snapshot));
}

static void fill_stat(const struct sf_mem_object_slot *slot, struct sf_object_stat *ret)
{
	*ret = (struct sf_object_stat){
		.size_bytes = slot->size_bytes,
		.allocated_bytes = allocated(&slot->tree),
		.method = METHOD,
	};
}

static int mem_create(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		      struct sf_object_stat *ret, struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	const struct mem_storage *storage = to_storage(base->storage);
	struct sf_mem_world *world = volume->world;
	auto_unlock pthread_mutex_t *held = sf_mem_lock(world);
	struct sf_mem_object_slot *slot = find_object(storage, object);

	if (!slot && sf_job_cancelled(job))
		return sf_fail(err, -EINTR, "snapshot of %s: cancelled", base->origin);
	if (!slot) {
		slot = free_slot(world);
		if (!slot)
			return sf_fail(err, -ENOSPC, "snapshot of %s: mem holds at most %d snapshots",
				       base->origin, SF_MEM_OBJECTS_MAX);
		slot->state_id = storage->state_id;
		slot->token = object->token;
		memcpy(slot->origin, volume->slot->origin, sizeof(slot->origin));
		set_labels(&slot->labels, object);
		slot->size_bytes = volume->slot->size_bytes;
		sf_mem_tree_share(world, &volume->slot->tree, &slot->tree);
		slot->used = true;
	}
	fill_stat(slot, ret);
	return 0;
}

static int mem_stat(struct sf_storage *base, const struct sf_object *object, struct sf_object_stat *ret,
		    struct sf_err *err)
{
	const struct mem_storage *storage = to_storage(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(storage->world);
	const struct sf_mem_object_slot *slot = find_object(storage, object);

	if (!slot)
		return no_object(object, err);
	fill_stat(slot, ret);
	return 0;
}

static int mem_remove(struct sf_storage *base, const struct sf_object *object, struct sf_err *err)
{
	const struct mem_storage *storage = to_storage(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(storage->world);
	struct sf_mem_object_slot *slot = find_object(storage, object);

	(void)err;
	if (!slot)
		return 0;
	slot->generation++;
	slot->used = false;
	sf_mem_tree_drop(storage->world, &slot->tree);
	return 0;
}

/* What is reported of one object after the lock is released. */
struct told {
	struct sf_id token;
	struct sf_id state_id;
	struct sf_mem_labels labels;
};

/* Copies the origin's objects, either ours or all others. The caller frees *ret. */
static int collect(const struct mem_storage *storage, const char *origin, bool ours, struct told **ret,
		   size_t *ret_n, struct sf_err *err)
{
	const struct sf_mem_world *world = storage->world;
	auto_unlock pthread_mutex_t *held = sf_mem_lock(storage->world);
	struct told *list = calloc(world->nobjects + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return sf_fail(err, -ENOMEM, "list snapshots of %s: out of memory", origin);
	for (uint32_t i = 0; i < world->nobjects; i++) {
		const struct sf_mem_object_slot *slot = &world->objects[i];

		if (slot->used && strcmp(slot->origin, origin) == 0 && is_ours(storage, slot, origin) == ours)
			list[n++] = (struct told){slot->token, slot->state_id, slot->labels};
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

#define WHERE (SF_MEM_ORIGIN + SF_ID_TEXT)

static void fill_where(const char *origin, const struct sf_id *token, char where[static WHERE])
{
	char text[SF_ID_TEXT];

	sf_id_format(token, text);
	(void)snprintf(where, WHERE, "%s@%s", origin, text); /* stored origins have a limited length */
}

static int mem_list(struct sf_storage *base, const char *origin, sf_object_fn *fn, void *arg,
		    struct sf_err *err)
{
	auto_free struct told *list = NULL;
	char where[WHERE];
	size_t n = 0;
	int rc = collect(to_storage(base), origin, true, &list, &n, err);

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct sf_object object = {.token = list[i].token, .origin = origin};

		get_labels(&list[i].labels, &object);
		fill_where(origin, &list[i].token, where);
		rc = fn(arg, &object, where, err);
	}
	return rc;
}

static int mem_foreign(struct sf_volume *base, sf_foreign_fn *fn, void *arg, struct sf_err *err)
{
	auto_free struct told *list = NULL;
	char where[WHERE];
	size_t n = 0;
	int rc = collect(to_storage(base->storage), base->origin, false, &list, &n, err);

	for (size_t i = 0; i < n && rc == 0; i++) {
		fill_where(base->origin, &list[i].token, where);
		rc = fn(arg, where, &list[i].state_id, err);
	}
	return rc;
}

static int mem_relabel(struct sf_storage *base, const struct sf_object *object, struct sf_err *err)
{
	const struct mem_storage *storage = to_storage(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(storage->world);
	struct sf_mem_object_slot *slot = find_object(storage, object);

	if (!slot)
		return no_object(object, err);
	set_labels(&slot->labels, object);
	return 0;
}

static int mem_revert(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		      struct sf_err *err)
{
	const struct mem_volume *volume = to_volume(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(volume->world);
	const struct sf_mem_object_slot *slot = find_object(to_storage(base->storage), object);

	if (!slot)
		return no_object(object, err);
	if (sf_job_cancelled(job))
		return sf_fail(err, -EINTR, "revert of %s: cancelled", base->origin);
	sf_mem_tree_share(volume->world, &slot->tree, &volume->slot->tree);
	return 0;
}

static int mem_image_open(struct sf_storage *base, const struct sf_object *object, struct sf_image **ret,
			  struct sf_err *err)
{
	const struct mem_storage *storage = to_storage(base);
	auto_unlock pthread_mutex_t *held = sf_mem_lock(storage->world);
	const struct sf_mem_object_slot *slot = find_object(storage, object);

	return slot ? sf_mem_image_open(storage->world, slot, ret, err) : no_object(object, err);
}

/* --- The backend --- */

static void mem_close(struct sf_storage *base)
{
	struct mem_storage *storage = to_storage(base);

	if (storage->own_world)
		sf_mem_world_free(storage->world);
	free(storage);
}

static const struct sf_storage_ops mem_ops = {
	.name = "mem",
	.claims = mem_claims,
	.volume_open = mem_volume_open,
	.volume_close = mem_volume_close,
	.volume_stat = mem_volume_stat,
	.volume_read = mem_volume_read,
	.volume_write = mem_volume_write,
	.cost = mem_cost,
	.create = mem_create,
	.stat = mem_stat,
	.remove = mem_remove,
	.list = mem_list,
	.relabel = mem_relabel,
	.foreign = mem_foreign,
	.image_open = mem_image_open,
	.revert = mem_revert,
	.space = mem_space,
	.close = mem_close,
};

/* Half of the machine's memory: the rest is for the programs that use the disks. */
static unsigned long long default_bytes(void)
{
	return (unsigned long long)sysconf(_SC_PHYS_PAGES) * (unsigned long long)sysconf(_SC_PAGESIZE) / 2;
}

int sf_mem_open(const struct sf_backend_env *env, struct sf_mem_world *world, struct sf_storage **ret,
		struct sf_err *err)
{
	struct mem_storage *storage = calloc(1, sizeof(*storage));
	int rc = storage ? 0 : sf_fail(err, -ENOMEM, "mem: out of memory");

	if (rc == 0 && !world) {
		rc = sf_mem_world_new(default_bytes(), &storage->world, err);
		storage->own_world = true;
	} else if (rc == 0) {
		storage->world = world;
	}
	if (rc < 0) {
		free(storage);
		return rc;
	}
	storage->base.ops = &mem_ops;
	storage->state_id = env->state_id;
	*ret = &storage->base;
	return 0;
}

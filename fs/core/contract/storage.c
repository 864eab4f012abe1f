/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checked calls into storages, together with storage_listing.c. Arguments are checked so that backends
 * need not check them. Results are checked so that a faulty backend causes -EPROTO here and not wrong bytes
 * later. Stateless; any thread.
 */
#include "storage_call.h"

#include "extents.h"
#include "image.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Backends round allocation up to blocks or chunks: accept this much above the size. */
#define ROUNDING (1024 * 1024)
/* Longest method name that a record stores, with its NUL. */
#define METHOD_MAX 16

/* --- The set --- */

static bool complete(const struct sf_storage_ops *ops)
{
	bool all_holds = ops->hold && ops->hold_check && ops->release;
	bool no_hold = !ops->hold && !ops->hold_check && !ops->release;

	return ops->name && ops->claims && ops->volume_open && ops->volume_close && ops->volume_stat &&
	       ops->volume_read && ops->volume_write && ops->cost && ops->create && ops->stat &&
	       ops->remove && ops->list && ops->image_open && ops->revert && ops->space && ops->close &&
	       (all_holds || no_hold);
}

void sf_storages_add(struct sf_storages *set, struct sf_storage *storage)
{
	assert(set->nstorages < SF_STORAGES_MAX);
	assert(complete(storage->ops));
	set->list[set->nstorages++] = storage;
}

void sf_storages_close(struct sf_storages *set)
{
	while (set->nstorages > 0) {
		struct sf_storage *storage = set->list[--set->nstorages];

		storage->ops->close(storage);
	}
}

struct sf_storage *sf_storages_by_name(const struct sf_storages *set, const char *name)
{
	for (size_t i = 0; i < set->nstorages; i++)
		if (strcmp(set->list[i]->ops->name, name) == 0)
			return set->list[i];
	return NULL;
}

/* --- Opening --- */

static int check_disk(const char *vm, const struct sf_disk *disk, struct sf_err *err)
{
	int rc = sf_name_check(vm, err);

	if (rc < 0)
		return sf_wrap(err, rc, "VM '%s'", vm);
	rc = sf_vdev_check(disk->vdev, err);
	if (rc < 0)
		return sf_wrap(err, rc, "VM '%s'", vm);
	if (!sf_text_ok(disk->spec, sizeof(disk->spec)))
		return sf_fail(err, -EINVAL, "disk %s of VM '%s' has no specification", disk->vdev, vm);
	return 0;
}

static int find_claimer(const struct sf_storages *set, const struct sf_disk *disk, struct sf_storage **ret,
			struct sf_err *err)
{
	for (size_t i = 0; i < set->nstorages; i++) {
		struct sf_call call = sf_storage_call(set->list[i], "claims", disk->spec);
		int claimed = set->list[i]->ops->claims(set->list[i], disk->spec, &call.err);
		int rc = sf_call_end(&call, claimed < 0 ? claimed : 0, err);

		if (rc < 0)
			return rc;
		if (claimed) {
			*ret = set->list[i];
			return 0;
		}
	}
	if (disk->spec[0] == '/' && access(disk->spec, F_OK) < 0)
		return sf_fail(err, -errno, "disk %s: %s", disk->spec, strerror(errno));
	return sf_fail(err, -EINVAL, "disk %s: no storage backend can snapshot this", disk->spec);
}

static int check_volume(struct sf_call *call, const struct sf_storage *storage, struct sf_volume *volume)
{
	int rc;

	if (!volume)
		return sf_call_broken(call, "returned no volume");
	if (volume->storage == storage && sf_text_ok(volume->origin, sizeof(volume->origin)))
		return 0;
	rc = sf_call_broken(call,
			    volume->storage == storage ? "gave no origin" : "gave another storage's volume");
	storage->ops->volume_close(volume);
	return rc;
}

int sf_volume_open(const struct sf_storages *set, const char *vm, const struct sf_disk *disk,
		   struct sf_volume **ret, struct sf_err *err)
{
	struct sf_storage *storage = NULL;
	struct sf_volume *volume = NULL;
	struct sf_call call;
	int rc = check_disk(vm, disk, err);

	if (rc == 0)
		rc = find_claimer(set, disk, &storage, err);
	if (rc < 0)
		return rc;
	call = sf_storage_call(storage, "volume_open", disk->spec);
	rc = storage->ops->volume_open(storage, vm, disk, &volume, &call.err);
	if (rc == 0)
		rc = check_volume(&call, storage, volume);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = volume;
	return rc;
}

void sf_volume_close(struct sf_volume *volume)
{
	struct sf_call call;

	if (!volume)
		return;
	call = sf_storage_call(volume->storage, "volume_close", "a volume");
	volume->storage->ops->volume_close(volume);
	(void)sf_call_end(&call, 0, NULL); /* for the log only: it cannot fail */
}

/* --- Volumes --- */

static int check_sizes(struct sf_call *call, uint64_t size, uint64_t allocated, const char *method)
{
	if (size == 0)
		return sf_call_broken(call, "gave a size of 0");
	if (allocated > size && allocated - size > (ROUNDING - size % ROUNDING) % ROUNDING)
		return sf_call_broken(call, "gave %llu allocated bytes for a size of %llu",
				      (unsigned long long)allocated, (unsigned long long)size);
	if (!method || !sf_text_ok(method, METHOD_MAX))
		return sf_call_broken(call, "gave no method of at most %d bytes", METHOD_MAX - 1);
	return 0;
}

int sf_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "volume_stat", volume->origin);
	struct sf_volume_stat st = {0};
	int rc = volume->storage->ops->volume_stat(volume, &st, &call.err);

	if (rc == 0)
		rc = check_sizes(&call, st.size_bytes, st.allocated_bytes, st.method);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = st;
	return rc;
}

static int check_range(struct sf_volume *volume, size_t len, uint64_t off, struct sf_err *err)
{
	struct sf_volume_stat st;
	int rc = sf_volume_stat(volume, &st, err);

	if (rc < 0)
		return rc;
	if (off > st.size_bytes || len > st.size_bytes - off)
		return sf_fail(err, -EINVAL, "%s: %zu bytes at %llu are outside its %llu bytes",
			       volume->origin, len, (unsigned long long)off,
			       (unsigned long long)st.size_bytes);
	return 0;
}

int sf_volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "volume_read", volume->origin);
	int rc = check_range(volume, len, off, err);

	if (rc < 0 || len == 0)
		return rc;
	rc = volume->storage->ops->volume_read(volume, buf, len, off, &call.err);
	return sf_call_end(&call, rc, err);
}

int sf_volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "volume_write", volume->origin);
	int rc = check_range(volume, len, off, err);

	if (rc < 0 || len == 0)
		return rc;
	rc = volume->storage->ops->volume_write(volume, buf, len, off, &call.err);
	return sf_call_end(&call, rc, err);
}

int sf_volume_hold(struct sf_volume *volume, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "hold", volume->origin);
	const struct sf_storage_ops *ops = volume->storage->ops;
	int rc = sf_call_end(&call, ops->hold ? ops->hold(volume, &call.err) : 0, err);

	volume->held = volume->held || rc == 0;
	return rc;
}

int sf_volume_hold_check(struct sf_volume *volume, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "hold_check", volume->origin);
	const struct sf_storage_ops *ops = volume->storage->ops;

	return sf_call_end(&call, ops->hold_check ? ops->hold_check(volume, &call.err) : 0, err);
}

void sf_volume_release(struct sf_volume *volume)
{
	struct sf_call call = sf_storage_call(volume->storage, "release", volume->origin);

	if (volume->storage->ops->release)
		volume->storage->ops->release(volume);
	volume->held = false;
	(void)sf_call_end(&call, 0, NULL); /* for the log only: it cannot fail */
}

static int check_space(struct sf_call *call, const struct sf_space *space)
{
	if (!sf_text_ok(space->pool, sizeof(space->pool)))
		return sf_call_broken(call, "gave a pool without a name");
	if (space->free_bytes > space->total_bytes)
		return sf_call_broken(call, "gave %llu free bytes of %llu",
				      (unsigned long long)space->free_bytes,
				      (unsigned long long)space->total_bytes);
	return 0;
}

int sf_volume_space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "space", volume->origin);
	struct sf_space space = {0};
	int rc = volume->storage->ops->space(volume, &space, &call.err);

	if (rc == 0)
		rc = check_space(&call, &space);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = space;
	return rc;
}

/* --- Objects --- */

static int check_object(const struct sf_object *object, struct sf_err *err)
{
	static const struct sf_id none;

	if (sf_id_equal(&object->token, &none))
		return sf_fail(err, -EINVAL, "the snapshot of a volume has no token");
	if (!object->origin || !sf_text_ok(object->origin, SF_ORIGIN_MAX))
		return sf_fail(err, -EINVAL, "the snapshot of a volume has no origin");
	return 0;
}

/* An object passed with a volume must belong to it: never revert a disk to another disk's content. */
static int check_own(const struct sf_volume *volume, const struct sf_object *object, struct sf_err *err)
{
	int rc = check_object(object, err);

	if (rc == 0 && strcmp(object->origin, volume->origin) != 0)
		return sf_fail(err, -EINVAL, "the snapshot is of %s, not of %s", object->origin,
			       volume->origin);
	return rc;
}

static int check_labels(const struct sf_object *object, struct sf_err *err)
{
	int rc = sf_vdev_check(object->vdev, err);

	if (rc == 0)
		rc = sf_name_check(object->vm, err);
	if (rc == 0)
		rc = sf_name_check(object->snapshot, err);
	return rc < 0 ? sf_wrap(err, rc, "snapshot of %s", object->origin) : 0;
}

static int check_cost_args(const struct sf_volume *volume, enum sf_purpose purpose,
			   const struct sf_object *object, struct sf_err *err)
{
	if (purpose == SF_FOR_CREATE && !object)
		return 0;
	if (purpose != SF_FOR_REVERT || !object)
		return sf_fail(err, -EINVAL, "cost of %s: a revert requires a snapshot, a create takes none",
			       volume->origin);
	return check_own(volume, object, err);
}

int sf_volume_cost(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		   struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "cost", volume->origin);
	struct sf_space pool = {0};
	uint64_t need = 0;
	int rc = check_cost_args(volume, purpose, object, err);

	if (rc < 0)
		return rc;
	rc = volume->storage->ops->cost(volume, purpose, object, &pool, &need, &call.err);
	if (rc == 0)
		rc = check_space(&call, &pool);
	rc = sf_call_end(&call, rc, err);
	if (rc < 0)
		return rc;
	*ret_pool = pool;
	*ret_need_bytes = need;
	return 0;
}

int sf_volume_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		     struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "revert", volume->origin);
	int rc = check_own(volume, object, err);

	if (rc == 0 && !volume->held)
		rc = sf_volume_hold(volume, err);
	if (rc < 0)
		return rc;
	rc = sf_call_end(&call, volume->storage->ops->revert(volume, object, job, &call.err), err);
	sf_volume_release(volume);
	return rc;
}

int sf_object_create(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		     struct sf_object_stat *ret, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(volume->storage, "create", volume->origin);
	struct sf_object_stat st = {0};
	int rc = check_own(volume, object, err);

	if (rc == 0)
		rc = check_labels(object, err);
	if (rc < 0)
		return rc;
	rc = volume->storage->ops->create(volume, object, job, &st, &call.err);
	if (rc == 0)
		rc = check_sizes(&call, st.size_bytes, st.allocated_bytes, st.method);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = st;
	return rc;
}

int sf_object_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "settle", object->origin);
	int rc = check_object(object, err);

	if (rc < 0)
		return rc;
	return sf_call_end(&call, storage->ops->settle ? storage->ops->settle(storage, object, &call.err) : 0,
			   err);
}

int sf_object_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		   struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "stat", object->origin);
	struct sf_object_stat st = {0};
	int rc = check_object(object, err);

	if (rc < 0)
		return rc;
	rc = storage->ops->stat(storage, object, &st, &call.err);
	if (rc == 0)
		rc = check_sizes(&call, st.size_bytes, st.allocated_bytes, st.method);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = st;
	return rc;
}

int sf_object_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "remove", object->origin);
	int rc = check_object(object, err);

	if (rc < 0)
		return rc;
	rc = storage->ops->remove(storage, object, &call.err);
	return sf_call_end(&call, rc, err);
}

int sf_object_recreate(struct sf_storage *storage, const char *spec, const struct sf_object *object,
		       struct sf_job *job, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "recreate", object->origin);
	int rc = check_object(object, err);

	if (rc < 0)
		return rc;
	if (!storage->ops->recreate)
		return sf_fail(err, -EOPNOTSUPP, "storage '%s' cannot make a lost disk again",
			       storage->ops->name);
	rc = storage->ops->recreate(storage, spec, object, job, &call.err);
	return sf_call_end(&call, rc, err);
}

int sf_object_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "relabel", object->origin);
	int rc = check_object(object, err);

	if (rc == 0)
		rc = check_labels(object, err);
	if (rc < 0)
		return rc;
	rc = storage->ops->relabel ? storage->ops->relabel(storage, object, &call.err) : 0;
	return sf_call_end(&call, rc, err);
}

static int check_image(struct sf_call *call, struct sf_image *image)
{
	if (!image || !image->ops)
		return sf_call_broken(call, "returned no image");
	if (image->size_bytes > 0)
		return 0;
	image->ops->close(image);
	return sf_call_broken(call, "gave a size of 0");
}

int sf_object_image(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		    struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "image_open", object->origin);
	struct sf_image *image = NULL;
	int rc = check_object(object, err);

	if (rc < 0)
		return rc;
	rc = storage->ops->image_open(storage, object, &image, &call.err);
	if (rc == 0)
		rc = check_image(&call, image);
	rc = sf_call_end(&call, rc, err);
	if (rc == 0)
		*ret = image;
	return rc;
}

int sf_object_map(struct sf_storage *storage, const struct sf_object *object, uint64_t size_bytes,
		  struct sf_extents *ret, struct sf_err *err)
{
	struct sf_call call = sf_storage_call(storage, "map", object->origin);
	struct sf_extents extents = {.size_bytes = size_bytes};
	int rc = check_object(object, err);

	if (rc < 0)
		return rc;
	if (!storage->ops->map)
		return sf_fail(err, -EOPNOTSUPP, "storage %s keeps no maps", storage->ops->name);
	rc = storage->ops->map(storage, object, &extents, &call.err);
	if (rc == 0 && extents.size_bytes != size_bytes)
		rc = sf_call_broken(&call, "gave the map of another image");
	rc = sf_call_end(&call, rc, err);
	if (rc < 0)
		sf_extents_fini(&extents);
	else
		*ret = extents;
	return rc;
}

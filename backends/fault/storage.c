/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wraps a storage for the fault backend, with the same name and optional slots. Images are not wrapped:
 * reading one is not a call of the contract.
 */
#include "fault.h"

#include "call.h"
#include "base/err.h"
#include "core/contract/storage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fault_storage {
	struct sf_storage base;
	struct sf_storage_ops ops;
	struct sf_fault_plan *plan;
	struct sf_storage *inner;
};

struct fault_volume {
	struct sf_volume base;
	struct sf_volume *inner;
};

static struct fault_storage *to_fault(struct sf_storage *storage)
{
	return (struct fault_storage *)storage;
}

static struct sf_fault_plan *plan_of(struct sf_volume *volume)
{
	return to_fault(volume->storage)->plan;
}

static struct sf_volume *inner_of(struct sf_volume *volume)
{
	return ((struct fault_volume *)volume)->inner;
}

static const struct sf_storage_ops *ops_of(struct sf_volume *volume)
{
	return to_fault(volume->storage)->inner->ops;
}

static int fault_claims(struct sf_storage *storage, const char *spec, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.claims"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->claims(fault->inner, spec, err));
}

static int fault_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
			     struct sf_volume **ret, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.volume_open"};
	struct fault_storage *fault = to_fault(storage);
	struct fault_volume *volume;
	int rc = sf_fault_before(fault->plan, &call, err);

	if (rc < 0)
		return rc;
	volume = calloc(1, sizeof(*volume));
	if (!volume)
		return sf_fail(err, -ENOMEM, "fault: out of memory");
	rc = fault->inner->ops->volume_open(fault->inner, vm, disk, &volume->inner, err);
	if (rc < 0) {
		free(volume);
		return sf_fault_after(&call, rc);
	}
	volume->base.storage = storage;
	memcpy(volume->base.origin, volume->inner->origin, sizeof(volume->base.origin));
	*ret = &volume->base;
	return sf_fault_after(&call, rc);
}

static void fault_volume_close(struct sf_volume *volume)
{
	struct sf_fault_call call = {.name = "storage.volume_close"};

	(void)sf_fault_before(plan_of(volume), &call, NULL); /* plans cannot make it fail */
	ops_of(volume)->volume_close(inner_of(volume));
	free(volume);
	(void)sf_fault_after(&call, 0);
}

static int fault_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.volume_stat"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, ops_of(volume)->volume_stat(inner_of(volume), ret, err));
}

static int fault_notes(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.notes"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, ops_of(volume)->notes(inner_of(volume), fn, arg, err));
}

static int fault_volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off,
			     struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.volume_read"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, ops_of(volume)->volume_read(inner_of(volume), buf, len, off, err));
}

static int fault_volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			      struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.volume_write"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, ops_of(volume)->volume_write(inner_of(volume), buf, len, off, err));
}

static int fault_hold(struct sf_volume *volume, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.hold"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, ops_of(volume)->hold(inner_of(volume), err));
}

static int fault_hold_check(struct sf_volume *volume, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.hold_check"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, ops_of(volume)->hold_check(inner_of(volume), err));
}

static void fault_release(struct sf_volume *volume)
{
	struct sf_fault_call call = {.name = "storage.release"};

	(void)sf_fault_before(plan_of(volume), &call, NULL); /* plans cannot make it fail */
	ops_of(volume)->release(inner_of(volume));
	(void)sf_fault_after(&call, 0);
}

static int fault_cost(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		      struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.cost"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	if (rc < 0)
		return rc;
	rc = ops_of(volume)->cost(inner_of(volume), purpose, object, ret_pool, ret_need_bytes, err);
	return sf_fault_after(&call, rc);
}

static int fault_create(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			struct sf_object_stat *ret, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.create"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, ops_of(volume)->create(inner_of(volume), object, job, ret, err));
}

static int fault_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.settle"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->settle(fault->inner, object, err));
}

static int fault_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		      struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.stat"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->stat(fault->inner, object, ret, err));
}

static int fault_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.remove"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->remove(fault->inner, object, err));
}

static int fault_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		      struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.list"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc
		      : sf_fault_after(&call, fault->inner->ops->list(fault->inner, origin, fn, arg, err));
}

static int fault_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.relabel"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->relabel(fault->inner, object, err));
}

static int fault_foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.foreign"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, ops_of(volume)->foreign(inner_of(volume), fn, arg, err));
}

static int fault_map(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		     struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.map"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, fault->inner->ops->map(fault->inner, object, ret, err));
}

static int fault_watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		       struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.watch"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	if (rc < 0)
		return rc;
	rc = fault->inner->ops->watch(fault->inner, wake_fd, wait_ms, fn, arg, err);
	return sf_fault_after(&call, rc);
}

static int fault_image_open(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
			    struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.image_open"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, fault->inner->ops->image_open(fault->inner, object, ret, err));
}

static int fault_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.revert"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, ops_of(volume)->revert(inner_of(volume), object, job, err));
}

static int fault_recreate(struct sf_storage *storage, const char *spec, const struct sf_object *object,
			  struct sf_job *job, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.recreate"};
	struct fault_storage *fault = to_fault(storage);
	int rc = sf_fault_before(fault->plan, &call, err);

	if (rc < 0)
		return rc;
	return sf_fault_after(&call, fault->inner->ops->recreate(fault->inner, spec, object, job, err));
}

static int fault_space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err)
{
	struct sf_fault_call call = {.name = "storage.space"};
	int rc = sf_fault_before(plan_of(volume), &call, err);

	return rc < 0 ? rc : sf_fault_after(&call, ops_of(volume)->space(inner_of(volume), ret, err));
}

static void fault_close(struct sf_storage *storage)
{
	struct sf_fault_call call = {.name = "storage.close"};
	struct fault_storage *fault = to_fault(storage);

	(void)sf_fault_before(fault->plan, &call, NULL); /* plans cannot make it fail */
	fault->inner->ops->close(fault->inner);
	free(fault);
	(void)sf_fault_after(&call, 0);
}

static const struct sf_storage_ops fault_ops = {
	.claims = fault_claims,
	.volume_open = fault_volume_open,
	.volume_close = fault_volume_close,
	.volume_stat = fault_volume_stat,
	.notes = fault_notes,
	.volume_read = fault_volume_read,
	.volume_write = fault_volume_write,
	.hold = fault_hold,
	.hold_check = fault_hold_check,
	.release = fault_release,
	.cost = fault_cost,
	.create = fault_create,
	.settle = fault_settle,
	.stat = fault_stat,
	.remove = fault_remove,
	.list = fault_list,
	.relabel = fault_relabel,
	.foreign = fault_foreign,
	.map = fault_map,
	.watch = fault_watch,
	.image_open = fault_image_open,
	.revert = fault_revert,
	.recreate = fault_recreate,
	.space = fault_space,
	.close = fault_close,
};

int sf_fault_storage(struct sf_fault_plan *plan, struct sf_storage *inner, struct sf_storage **ret,
		     struct sf_err *err)
{
	struct fault_storage *fault = calloc(1, sizeof(*fault));

	if (!fault)
		return sf_fail(err, -ENOMEM, "fault: out of memory");
	fault->ops = fault_ops;
	fault->ops.name = inner->ops->name;
	fault->ops.lists_directories = inner->ops->lists_directories;
	if (!inner->ops->hold) {
		fault->ops.hold = NULL;
		fault->ops.hold_check = NULL;
		fault->ops.release = NULL;
	}
	if (!inner->ops->notes)
		fault->ops.notes = NULL;
	if (!inner->ops->settle)
		fault->ops.settle = NULL;
	if (!inner->ops->relabel)
		fault->ops.relabel = NULL;
	if (!inner->ops->foreign)
		fault->ops.foreign = NULL;
	if (!inner->ops->map)
		fault->ops.map = NULL;
	if (!inner->ops->recreate)
		fault->ops.recreate = NULL;
	if (!inner->ops->watch)
		fault->ops.watch = NULL;
	fault->base.ops = &fault->ops;
	fault->plan = plan;
	fault->inner = inner;
	*ret = &fault->base;
	return 0;
}

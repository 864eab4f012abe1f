/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage `lvm_thin`: LVs in thin pools. A snapshot is a thin LV that shares blocks with its origin. It uses
 * no space at first, and takes the same short time whatever the size. It is inactive until it is read.
 */
#include "base/err.h"
#include "block.h"
#include "command.h"
#include "core/contract/job.h"
#include "device.h"
#include "hold.h"
#include "internal.h"
#include "object.h"
#include "pool.h"
#include "report.h"
#include "storage.h"
#include "thin_revert.h"
#include "volume.h"
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int cost(struct sf_volume *base, enum sf_purpose purpose, const struct sf_object *object,
		struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	const struct sf_lvm_volume *volume = sf_lvm_volume(base);
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv;
	int rc = sf_lvm_report(sf_lvm_of(base), volume->vg, SF_LVM_FACTS_MS, true, &report, err);

	(void)purpose, (void)object; /* a revert takes a snapshot too */
	if (rc < 0 || (rc = sf_lvm_check_vg(report, err)) < 0)
		return rc;
	lv = sf_lvm_find(report, volume->lv);
	if (!lv)
		return sf_fail(err, -ENOENT, "%s is gone", base->origin);
	rc = sf_lvm_pool_check(sf_lvm_of(base), volume->vg, lv->pool, err);
	if (rc == 0)
		rc = sf_lvm_pool_space(base, ret_pool, err);
	if (rc == 0)
		*ret_need_bytes = 0;
	return rc;
}

/* Checks the device's table: a report may be old, and the wrong kind of volume gets a wrong snapshot. */
static int check_thin(const struct sf_lvm_volume *volume, struct sf_dm_thin *ret, bool *ret_active,
		      struct sf_err *err)
{
	int rc = sf_dm_thin(volume->dm, ret, err);

	*ret_active = rc == 0;
	if (rc == -EINVAL)
		return sf_fail(err, -EINVAL, "%s is no longer a thin volume", volume->base.origin);
	return rc == -ENOENT ? 0 : rc;
}

static int create(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		  struct sf_object_stat *ret, struct sf_err *err)
{
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	char name[SF_LVM_NAME];
	struct sf_lvm_new_lv spec = {.vg = volume->vg, .from = volume->lv, .name = name};
	struct sf_volume_stat stat;
	struct sf_dm_thin thin;
	bool active;
	int rc = check_thin(volume, &thin, &active, err);

	if (rc == 0)
		rc = sf_lvm_volume_stat(base, &stat, err);
	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0)
		return rc;
	sf_lvm_object_name(&object->token, SF_LVM_SNAPSHOT, name);
	spec.tags = (struct sf_lvm_tags){.state_id = sf_lvm_of(base)->state_id,
					 .object = *object,
					 .data_known = active,
					 .data_bytes = stat.allocated_bytes};
	(void)snprintf(spec.tags.origin, sizeof(spec.tags.origin), "%s", volume->lv);
	rc = sf_lvm_create_lv(base->storage, &spec, err);
	if (rc < 0)
		return rc;
	*ret = (struct sf_object_stat){stat.size_bytes, stat.allocated_bytes, "thin"};
	return 0;
}

/* lvcreate makes the whole volume, or none, in one commit of LVM's metadata. */
static int make_again(struct sf_lvm *lvm, const struct sf_lvm_report *report, const struct sf_lv *snapshot,
		      const char *lv, struct sf_err *err)
{
	char from[2 * SF_LVM_NAME];
	const char *const argv[] = {
		"lvcreate", "--yes", "--snapshot", "--name", lv,  "--permission", "rw", "--setactivationskip",
		"n",        "-ay",   "--",         from,     NULL};
	int rc = sf_lvm_check_vg(report, err);

	if (rc == 0)
		rc = sf_lvm_pool_check(lvm, report->vg, snapshot->pool, err);
	if (rc < 0)
		return rc;
	(void)snprintf(from, sizeof(from), "%s/%s", report->vg, snapshot->name);
	rc = sf_lvm_run(lvm, report->vg, argv, NULL, err);
	return rc < 0 ? rc : sf_lvm_settle_udev(err);
}

static int recreate(struct sf_storage *storage, const char *spec, const struct sf_object *object,
		    struct sf_job *job, struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME], of_vg[SF_LVM_NAME], of_lv[SF_LVM_NAME];
	const struct sf_lv *snapshot;
	int rc = sf_lvm_split_origin(object->origin, of_vg, of_lv, err);

	if (rc == 0 && (!sf_lvm_resolve(spec, vg, lv) || strcmp(vg, of_vg) != 0 || strcmp(lv, of_lv) != 0))
		rc = sf_fail(err, -EINVAL, "%s does not lead to %s", spec, object->origin);
	if (rc == 0)
		rc = sf_lvm_find_object(storage, object, SF_LVM_NOW, &report, &snapshot, err);
	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0 || sf_lvm_find(report, lv))
		return rc;
	rc = make_again(lvm, report, snapshot, lv, err);
	return rc < 0 ? sf_wrap(err, rc, "make %s again", object->origin) : 0;
}

static const struct sf_storage_ops ops = {
	.name = "lvm_thin",
	.claims = sf_lvm_claims,
	.volume_open = sf_lvm_volume_open,
	.volume_close = sf_lvm_volume_close,
	.volume_stat = sf_lvm_volume_stat,
	.volume_read = sf_lvm_volume_read,
	.volume_write = sf_lvm_volume_write,
	.hold = sf_lvm_hold,
	.hold_check = sf_lvm_hold_check,
	.release = sf_lvm_release,
	.cost = cost,
	.create = create,
	.settle = sf_lvm_settle,
	.stat = sf_lvm_stat,
	.remove = sf_lvm_remove,
	.list = sf_lvm_list,
	.relabel = sf_lvm_relabel,
	.foreign = sf_lvm_foreign,
	.image_open = sf_lvm_image_open,
	.map = sf_lvm_thin_map,
	.revert = sf_lvm_thin_revert,
	.recreate = recreate,
	.space = sf_lvm_pool_space,
	.watch = sf_lvm_watch,
	.close = sf_lvm_storage_close,
};

int sf_lvm_thin_open(struct sf_lvm *lvm, struct sf_storage **ret, struct sf_err *err)
{
	return sf_lvm_storage_new(lvm, &ops, true, ret, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage `lvm_classic`: LVs that are not thin: linear, striped, RAID, cached. Each snapshot has a COW store
 * of its own, which receives the origin's old content before it is overwritten. A store that overflows loses
 * the snapshot. Snapshots are read-only, so only changes of the origin use the store.
 */
#include "base/err.h"
#include "core/contract/extents.h"
#include "core/contract/job.h"
#include "classic_revert.h"
#include "cow.h"
#include "device.h"
#include "hold.h"
#include "internal.h"
#include "object.h"
#include "report.h"
#include "storage.h"
#include "volume.h"
#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* --- space --- */

static int space(struct sf_volume *base, struct sf_space *ret, struct sf_err *err)
{
	const struct sf_lvm_volume *volume = sf_lvm_volume(base);
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_lvm_cow_plan plan;
	int rc = sf_lvm_report(sf_lvm_of(base), volume->vg, SF_LVM_FACTS_MS, true, &report, err);

	if (rc < 0)
		return rc;
	sf_lvm_cow_plan(sf_lvm_of(base)->config, report, 0, &plan);
	if (snprintf(ret->pool, sizeof(ret->pool), "%s", report->vg) >= (int)sizeof(ret->pool))
		(void)snprintf(ret->pool, sizeof(ret->pool), "VG %s", report->vg_uuid);
	ret->total_bytes = report->vg_bytes;
	ret->free_bytes = plan.free;
	return 0;
}

/*
 * Bytes by which our other snapshots of the volume must grow for a revert: each keeps what copying back
 * overwrites. Foreign snapshots are not extended; -ENOSPC when one would overflow.
 */
static int need_of_others(const struct sf_lvm_volume *volume, struct sf_lvm *lvm,
			  const struct sf_lvm_report *report, const struct sf_lv *chosen,
			  const struct sf_extents *ranges, uint64_t *ret, struct sf_err *err)
{
	*ret = 0;
	for (size_t i = 0; i < report->n; i++) {
		const struct sf_lv *lv = &report->lvs[i];
		struct sf_dm_snapshot st;
		char dm[SF_DM_NAME];
		uint64_t need, room;

		if (lv == chosen || !sf_lvm_is_cow(lv, volume->lv) ||
		    sf_dm_name(report->vg, lv->name, NULL, dm, NULL) < 0 ||
		    sf_dm_snapshot(dm, &st, NULL) < 0 || st.state != SF_DM_SNAPSHOT_OK)
			continue;
		need = sf_lvm_cow_need(ranges, st.chunk_bytes);
		room = st.total_bytes - st.used_bytes;
		if (need <= room)
			continue;
		if (!sf_lvm_is_ours(&lvm->state_id, lv))
			return sf_fail(err, -ENOSPC,
				       "snapshot %s/%s of %s would overflow: up to %" PRIu64
				       " bytes go into it, %" PRIu64 " of %" PRIu64 " are free",
				       report->vg, lv->name, volume->base.origin, need, room, st.total_bytes);
		*ret += (need - room + report->extent_bytes - 1) / report->extent_bytes *
			report->extent_bytes;
	}
	return 0;
}

static int cost_of_revert(struct sf_volume *base, const struct sf_object *object, uint64_t *ret,
			  struct sf_err *err)
{
	const struct sf_lvm_volume *volume = sf_lvm_volume(base);
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_extents ranges = {0};
	struct sf_lvm_cow_plan plan;
	struct sf_volume_stat stat;
	const struct sf_lv *lv;
	uint64_t own;
	int rc = sf_lvm_find_object(base->storage, object, SF_LVM_OBJECTS_MS, &report, &lv, err);

	if (rc < 0 || (rc = sf_lvm_volume_stat(base, &stat, err)) < 0)
		return rc;
	rc = sf_lvm_check_snapshot_of(report, lv, volume->lv, err);
	if (rc == 0)
		rc = sf_lvm_exceptions(report->vg, lv, &ranges, err);
	if (rc == -ENOENT) { /* inactive, like all snapshots of the volume */
		*ret = 0;
		return 0;
	}
	if (rc == 0)
		rc = need_of_others(volume, sf_lvm_of(base), report, lv, &ranges, ret, err);
	if (rc == 0) { /* the snapshot of the current state starts with the size of the policy */
		sf_lvm_cow_plan(sf_lvm_of(base)->config, report, stat.size_bytes, &plan);
		own = sf_lvm_cow_need(&ranges, 4096);
		*ret += own > plan.want ? own - plan.want : 0;
	}
	sf_extents_fini(&ranges);
	return rc;
}

static int cost(struct sf_volume *base, enum sf_purpose purpose, const struct sf_object *object,
		struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err)
{
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_lvm_cow_plan plan;
	struct sf_volume_stat stat;
	uint64_t need = 0;
	int rc = sf_lvm_report(sf_lvm_of(base), sf_lvm_volume(base)->vg, SF_LVM_FACTS_MS, true, &report, err);

	if (rc < 0 || (rc = sf_lvm_check_vg(report, err)) < 0 || (rc = space(base, ret_pool, err)) < 0)
		return rc;
	if (purpose == SF_FOR_REVERT) {
		rc = cost_of_revert(base, object, &need, err);
	} else {
		rc = sf_lvm_volume_stat(base, &stat, err);
		if (rc == 0) {
			sf_lvm_cow_plan(sf_lvm_of(base)->config, report, stat.size_bytes, &plan);
			need = plan.want <= plan.free ? plan.want : plan.least;
		}
	}
	if (rc == 0)
		*ret_need_bytes = need;
	return rc;
}

/* --- taking snapshots --- */

/* LVM would make a classic snapshot of a thin volume too, and lose the sharing of blocks in its pool. */
static int check_classic(const struct sf_lvm_volume *volume, struct sf_err *err)
{
	struct sf_dm_target target;

	if (sf_dm_table(volume->dm, &target, NULL) == 0 && strcmp(target.type, "thin") == 0)
		return sf_fail(err, -EINVAL, "%s has become a thin volume", volume->base.origin);
	return 0;
}

static int choose_size(struct sf_volume *base, uint64_t max_age_ms, uint64_t origin_bytes, uint64_t *ret,
		       struct sf_err *err)
{
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_lvm_cow_plan plan;
	int rc = sf_lvm_report(sf_lvm_of(base), sf_lvm_volume(base)->vg, max_age_ms, max_age_ms > 0, &report,
			       err);

	if (rc < 0)
		return rc;
	sf_lvm_cow_plan(sf_lvm_of(base)->config, report, origin_bytes, &plan);
	if (plan.free < plan.least)
		return sf_fail(err, -ENOSPC,
			       "VG %s has no room for a COW store: it takes at least %" PRIu64
			       " bytes, %" PRIu64 " are free beyond the reserve",
			       report->vg, plan.least, plan.free);
	*ret = plan.want < plan.free ? plan.want : plan.free;
	return 0;
}

/* Keeps free_bytes right until the next report. */
static void note_taken(struct sf_volume *base, uint64_t bytes)
{
	auto_report struct sf_lvm_report *report = NULL;
	uint64_t now;

	if (sf_lvm_report(sf_lvm_of(base), sf_lvm_volume(base)->vg, SF_LVM_FACTS_MS, true, &report, NULL) < 0)
		return;
	now = atomic_load(&report->free_bytes);
	atomic_store(&report->free_bytes, now > bytes ? now - bytes : 0);
}

static int create(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		  struct sf_object_stat *ret, struct sf_err *err)
{
	static const uint64_t ages[] = {SF_LVM_FACTS_MS, SF_LVM_NOW};
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	char name[SF_LVM_NAME];
	struct sf_lvm_new_lv spec = {.vg = volume->vg, .from = volume->lv, .name = name};
	struct sf_volume_stat stat;
	int rc = check_classic(volume, err);

	if (rc == 0)
		rc = sf_lvm_volume_stat(base, &stat, err);
	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0)
		return rc;
	sf_lvm_object_name(&object->token, SF_LVM_SNAPSHOT, name);
	spec.tags = (struct sf_lvm_tags){.state_id = sf_lvm_of(base)->state_id, .object = *object};
	(void)snprintf(spec.tags.origin, sizeof(spec.tags.origin), "%s", volume->lv);
	/* The first report may be old; if space is short, a new one decides. */
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		rc = choose_size(base, ages[i], stat.size_bytes, &spec.size_bytes, err);
		if (rc == 0)
			rc = sf_lvm_create_lv(base->storage, &spec, err);
		if (rc != -ENOSPC)
			break;
	}
	if (rc < 0)
		return rc;
	note_taken(base, spec.size_bytes);
	*ret = (struct sf_object_stat){stat.size_bytes, stat.size_bytes, "classic"};
	return 0;
}

static const struct sf_storage_ops ops = {
	.name = "lvm_classic",
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
	.stat = sf_lvm_stat,
	.remove = sf_lvm_remove,
	.list = sf_lvm_list,
	.relabel = sf_lvm_relabel,
	.foreign = sf_lvm_foreign,
	.image_open = sf_lvm_image_open,
	.revert = sf_lvm_classic_revert,
	.space = space,
	.watch = sf_lvm_watch,
	.close = sf_lvm_storage_close,
};

int sf_lvm_classic_open(struct sf_lvm *lvm, struct sf_storage **ret, struct sf_err *err)
{
	return sf_lvm_storage_new(lvm, &ops, false, ret, err);
}

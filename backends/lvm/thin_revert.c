/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverts a thin volume; it takes the same short time whatever the size. When LVM would not merge the
 * snapshot, thin_exchange.c does it. Otherwise, SNAP being the snapshot's LV:
 *
 * lvcreate -s  SNAP -> COPY       a stand-in for the snapshot, with the same tags
 * lvconvert --merge SNAP          one commit of LVM's metadata: the volume has SNAP's content, SNAP is gone
 * lvrename  COPY -> SNAP          the snapshot has its name again
 *
 * From the merge until the rename, lookups find COPY in place of SNAP. An interrupted revert is repeated, and
 * continues from there. Other snapshots keep their content. LVM postpones the merge
 * of an open volume. That must not happen: the disk would change under its users at some later activation.
 * Sources: lvmthin(7), lvconvert(8); tried with LVM 2.03.16.
 */
#include "thin_revert.h"

#include "backends/common/users.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "core/contract/job.h"
#include "block.h"
#include "command.h"
#include "device.h"
#include "hold.h"
#include "internal.h"
#include "object.h"
#include "report.h"
#include "thin_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Time for the last read on the old device. A pool in trouble may take a minute; then the revert fails. */
#define DRAIN_TRIES 100
#define DRAIN_MS    20

struct reverting {
	struct sf_storage *storage;
	struct sf_lvm *lvm;
	struct sf_lvm_volume *volume;
	const struct sf_object *object;
	char snap[SF_LVM_NAME], copy[SF_LVM_NAME];
	char snap_dm[SF_DM_NAME], copy_dm[SF_DM_NAME];
	struct sf_lvm_report *report;
	bool merged; /* LVM may have replaced the volume: the revert cannot be undone */
};

static int refresh(struct reverting *r, struct sf_err *err)
{
	sf_lvm_report_unref(r->report);
	r->report = NULL;
	return sf_lvm_report(r->lvm, r->volume->vg, SF_LVM_NOW, false, &r->report, err);
}

static const struct sf_lv *ours(struct reverting *r, const char *name)
{
	const struct sf_lv *lv = sf_lvm_find(r->report, name);

	return lv && sf_lvm_is_ours(&r->lvm->state_id, lv) && strcmp(lv->tags.origin, r->volume->lv) == 0
		       ? lv
		       : NULL;
}

static int rename_copy(struct reverting *r, struct sf_err *err)
{
	const char *const argv[] = {"lvrename", "--yes", "--", r->volume->vg, r->copy, r->snap, NULL};
	int rc = sf_lvm_run(r->lvm, r->volume->vg, argv, NULL, err);

	if (rc == 0)
		sf_lvm_rename_device(sf_lvm_storage(r->storage), r->copy_dm, r->snap_dm);
	return rc;
}

/* The volume has no tags of ours, so this selects it by name only. */
static int set_active(struct reverting *r, bool active, struct sf_err *err)
{
	char target[2 * SF_LVM_NAME];
	const char *const argv[] = {"lvchange", "--yes", active ? "-ay" : "-an", "--", target, NULL};

	(void)snprintf(target, sizeof(target), "%s/%s", r->volume->vg, r->volume->lv);
	return sf_lvm_run(r->lvm, r->volume->vg, argv, NULL, err);
}

/* A merge of ours that LVM postponed; NULL: none. */
static const struct sf_lv *waiting_merge(const struct reverting *r)
{
	for (size_t i = 0; i < r->report->n; i++)
		if (r->report->lvs[i].merging && sf_lvm_is_ours(&r->lvm->state_id, &r->report->lvs[i]) &&
		    strcmp(r->report->lvs[i].tags.origin, r->volume->lv) == 0)
			return &r->report->lvs[i];
	return NULL;
}

/* -EBUSY when the revert would destroy or invalidate foreign LVs that depend on the volume. */
static int check_foreign(const struct reverting *r, struct sf_err *err)
{
	for (size_t i = 0; i < r->report->n; i++)
		if (r->report->lvs[i].merging && !sf_lvm_is_ours(&r->lvm->state_id, &r->report->lvs[i]) &&
		    strcmp(r->report->lvs[i].origin, r->volume->lv) == 0)
			return sf_fail(err, -EBUSY, "%s/%s is being merged into %s", r->volume->vg,
				       r->report->lvs[i].name, r->volume->lv);
	return sf_lvm_check_no_dependents(r->report, r->volume->lv, err);
}

static int check_closed(const char *vg, const char *lv, struct sf_err *err)
{
	char dm[SF_DM_NAME], users[SF_USERS_TEXT];
	struct sf_dm_info info;
	int rc = sf_dm_name(vg, lv, NULL, dm, err);

	if (rc < 0)
		return rc;
	if (sf_dm_info(dm, &info, NULL) == 0 && info.open_count > 0)
		return sf_fail(err, -EBUSY, "%s/%s is open %u times%s", vg, lv, info.open_count,
			       sf_users_of_device(makedev(info.major, info.minor), users));
	return 0;
}

/*
 * Completes an interrupted attempt. A postponed merge happens at the next activation of the volume, so this
 * activates it while nobody has it open. Then the copy takes the snapshot's name.
 */
static int finish_earlier(struct reverting *r, struct sf_err *err)
{
	const struct sf_lv *waits = waiting_merge(r);
	int rc = 0;

	if (waits) { /* LVM refuses to activate the volume while either is open */
		rc = check_closed(r->volume->vg, waits->name, err);
		if (rc == 0)
			rc = set_active(r, false, err);
		if (rc == 0)
			rc = set_active(r, true, err);
		if (rc == 0)
			rc = refresh(r, err);
		if (rc < 0)
			return rc;
	}
	if (!ours(r, r->snap) && ours(r, r->copy)) {
		rc = rename_copy(r, err);
		if (rc == 0)
			rc = refresh(r, err);
	}
	return rc;
}

static int make_copy(struct reverting *r, struct sf_err *err)
{
	struct sf_lvm_new_lv spec = {.vg = r->volume->vg, .from = r->snap, .name = r->copy};

	if (ours(r, r->copy))
		return 0; /* left by an earlier attempt; it is read-only, so it still equals the snapshot */
	spec.tags = ours(r, r->snap)->tags;
	return sf_lvm_create_lv(r->storage, &spec, err);
}

/* After a failure: SNAP still exists, with all of its content. */
static void drop_copy(struct reverting *r)
{
	char select[SF_LVM_SELECT];
	const char *const argv[] = {"lvremove", "--yes", "-S", select, "--", r->volume->vg, NULL};
	struct sf_err err = {0};

	sf_lvm_select_role(&r->lvm->state_id, &r->object->token, SF_LVM_COPY, select);
	if (sf_lvm_run(r->lvm, r->volume->vg, argv, NULL, &err) < 0)
		sf_log(SF_LOG_WARNING,
		       "%s/%s could not be removed, and stays until its snapshot is deleted: %s",
		       r->volume->vg, r->copy, err.text);
}

/* LVM cannot merge an open LV, so readers move to the copy, and back after a failure. */
static int move_readers(struct reverting *r, const char *from_dm, const char *to_dm, struct sf_err *err)
{
	char select[SF_LVM_SELECT], users[SF_USERS_TEXT];
	struct sf_dm_info info;
	auto_fd int fd = -1;
	bool any;
	int rc;

	if (sf_dm_info(from_dm, &info, NULL) < 0 || info.open_count == 0)
		return 0;
	sf_lvm_select(&r->lvm->state_id, &r->object->token, select);
	rc = sf_lvm_activate(r->lvm, r->volume->vg, select, true, err);
	fd = rc < 0 ? rc : sf_lvm_open_device(to_dm, O_RDONLY | O_DIRECT, err);
	if (fd < 0)
		return fd;
	rc = sf_lvm_switch_readers(sf_lvm_storage(r->storage), r->snap_dm, fd, &any, err);
	for (int i = 0; rc == 0 && i < DRAIN_TRIES; i++) {
		if (sf_dm_info(from_dm, &info, NULL) < 0 || info.open_count == 0)
			return 0;
		(void)poll(NULL, 0, DRAIN_MS);
	}
	return rc < 0 ? rc
		      : sf_fail(err, -EBUSY, "the snapshot's device %s is in use%s", from_dm,
				sf_users_of_device(makedev(info.major, info.minor), users));
}

/* After a merge, the volume has SNAP's thin id. If the volume is inactive, only LVM's metadata has it. */
static int check_merged(struct reverting *r, uint64_t snap_id, struct sf_err *err)
{
	struct sf_dm_thin thin;
	const struct sf_lv *lv;
	uint64_t id;
	int rc = sf_dm_thin(r->volume->dm, &thin, NULL);

	id = thin.id;
	if (rc < 0) {
		rc = refresh(r, err);
		lv = rc < 0 ? NULL : sf_lvm_find(r->report, r->volume->lv);
		if (!lv)
			return sf_fail(err, -EUCLEAN, "%s is missing after its merge",
				       r->volume->base.origin);
		id = lv->thin_id;
	}
	if (id != snap_id)
		return sf_fail(err, -EUCLEAN,
			       "%s was opened at that moment, so LVM postpones the merge until the volume is "
			       "closed",
			       r->volume->base.origin);
	return 0;
}

static int merge(struct reverting *r, struct sf_err *err)
{
	char target[2 * SF_LVM_NAME];
	const char *const argv[] = {"lvconvert", "--yes", "--merge", "--", target, NULL};
	uint64_t snap_id = ours(r, r->snap)->thin_id;
	struct sf_err why = {0};
	int rc;

	(void)snprintf(target, sizeof(target), "%s/%s", r->volume->vg, r->snap);
	r->merged = true;
	rc = sf_lvm_run(r->lvm, r->volume->vg, argv, NULL, &why);
	if (rc == -ETIMEDOUT)
		return sf_fail(err, -EUCLEAN, "%s", why.text); /* LVM continues; the outcome is unknown */
	if (rc == 0)
		return check_merged(r, snap_id, err);
	if (refresh(r, err) < 0)
		return sf_fail(err, -EUCLEAN, "%s", why.text);
	if (!ours(r, r->snap))
		return 0; /* the merge happened before the failure */
	r->merged = ours(r, r->snap)->merging;
	return sf_fail(err, r->merged ? -EUCLEAN : rc, "%s", why.text);
}

static uint64_t size_in(const struct sf_lvm_report *report, const char *name)
{
	const struct sf_lv *lv = sf_lvm_find(report, name);

	return lv ? lv->size_bytes : 0;
}

/* Checks everything that can be checked before the first change. */
static int prepare(struct reverting *r, struct sf_err *err)
{
	int rc = refresh(r, err);

	if (rc == 0)
		rc = sf_lvm_check_vg(r->report, err);
	if (rc < 0)
		return rc;
	if (!ours(r, r->snap) && !ours(r, r->copy))
		return sf_fail(err, -ENOENT, "there is no snapshot %s/%s of %s", r->volume->vg, r->snap,
			       r->object->origin);
	rc = check_foreign(r, err);
	if (rc < 0)
		return rc;
	sf_lvm_release(&r->volume->base); /* LVM would postpone the merge because of our own claim */
	rc = sf_lvm_check_unused(r->volume, err);
	return rc < 0 ? rc : finish_earlier(r, err);
}

/*
 * LVM merges only what it records as a snapshot of the volume. After a revert, it no longer records the other
 * snapshots as such, because the volume became another LV.
 */
static bool can_merge(struct reverting *r)
{
	return strcmp(ours(r, r->snap)->origin, r->volume->lv) == 0;
}

static int swap_by_merge(struct reverting *r, struct sf_err *err)
{
	struct sf_err why = {0};
	int rc = make_copy(r, err);

	if (rc == 0)
		rc = move_readers(r, r->snap_dm, r->copy_dm, err);
	if (rc == 0)
		rc = sf_lvm_settle_udev(err);
	if (rc == 0)
		rc = sf_lvm_check_unused(r->volume, err);
	if (rc == 0)
		rc = check_closed(r->volume->vg, r->snap, err);
	if (rc == 0)
		rc = merge(r, err);
	if (rc < 0) {
		if (!r->merged && move_readers(r, r->copy_dm, r->snap_dm, NULL) == 0)
			drop_copy(r);
		return rc;
	}
	if (rename_copy(r, &why) < 0) /* its tags still identify it */
		sf_log(SF_LOG_WARNING, "%s/%s could not take its snapshot's name: %s", r->volume->vg, r->copy,
		       why.text);
	return 0;
}

static int revert(struct reverting *r, struct sf_job *job, struct sf_err *err)
{
	uint64_t before, after;
	int rc = prepare(r, err);

	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc < 0)
		return rc;
	before = size_in(r->report, r->volume->lv);
	after = size_in(r->report, r->snap);
	rc = can_merge(r) ? swap_by_merge(r, err)
			  : sf_lvm_exchange(r->volume, r->report, ours(r, r->snap), err);
	if (rc < 0)
		return rc;
	if (before != after)
		sf_job_note(job,
			    "%s had been resized: it is back at the snapshot's %" PRIu64
			    " bytes, from %" PRIu64,
			    r->volume->base.origin, after, before);
	return 0;
}

int sf_lvm_thin_revert(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
		       struct sf_err *err)
{
	struct reverting r = {.storage = base->storage,
			      .lvm = sf_lvm_of(base),
			      .volume = sf_lvm_volume(base),
			      .object = object};
	int rc;

	sf_lvm_object_name(&object->token, SF_LVM_SNAPSHOT, r.snap);
	sf_lvm_object_name(&object->token, SF_LVM_COPY, r.copy);
	rc = sf_dm_name(r.volume->vg, r.snap, NULL, r.snap_dm, err);
	if (rc == 0)
		rc = sf_dm_name(r.volume->vg, r.copy, NULL, r.copy_dm, err);
	if (rc == 0)
		rc = revert(&r, job, err);
	sf_lvm_report_unref(r.report);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverts a thin volume; it takes the same short time whatever the size. When LVM would not merge the
 * snapshot, thin_exchange.c does it. Otherwise, SNAP being the snapshot's LV:
 *
 * lvcreate -s  SNAP -> COPY       a stand-in for the snapshot, with the same tags; readers move to it
 * lvconvert --merge SNAP          one commit of LVM's metadata: the volume has SNAP's content, SNAP is gone
 * lvrename  COPY -> SNAP          the snapshot has its name again
 *
 * From before the merge until the end, whoever opens the snapshot gets COPY's device. An interrupted revert
 * is repeated, and continues from there. Other snapshots keep their content. LVM postpones the merge of an
 * open volume. That must not happen: the disk would change under its users at some later activation. Sources:
 * lvmthin(7), lvconvert(8); tried with LVM 2.03.16.
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
	struct sf_lvm_device *readers; /* the snapshot's device, on COPY; NULL: not diverted */
	bool copy_stays;               /* under its name, at least until the next attempt */
	bool merged;                   /* LVM may have replaced the volume: the revert cannot be undone */
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
		sf_lvm_rename_device(sf_lvm_storage(r->storage), &r->object->token, r->snap_dm);
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

/* Activates the LV with that role, and opens its device. */
static int open_role(struct reverting *r, enum sf_lvm_role role, const char *dm, struct sf_err *err)
{
	char select[SF_LVM_SELECT];
	int rc;

	sf_lvm_select_role(&r->lvm->state_id, &r->object->token, role, select);
	rc = sf_lvm_activate(r->lvm, r->volume->vg, select, true, err);
	if (rc < 0)
		return rc;
	rc = sf_lvm_open_device(dm, O_RDONLY | O_DIRECT, err);
	return rc < 0 ? sf_lvm_explain_inactive(r->lvm, r->volume->vg, rc, err) : rc;
}

/* Waits for reads in flight on a device that no reader of ours can open any more. */
static int drain(const char *dm, struct sf_err *err)
{
	char users[SF_USERS_TEXT];
	struct sf_dm_info info;

	for (int i = 0; i < DRAIN_TRIES; i++) {
		if (sf_dm_info(dm, &info, NULL) < 0 || info.open_count == 0)
			return 0;
		(void)poll(NULL, 0, DRAIN_MS);
	}
	return sf_fail(err, -EBUSY, "the snapshot's device %s is in use%s", dm,
		       sf_users_of_device(makedev(info.major, info.minor), users));
}

/* LVM cannot merge an open LV. */
static int divert_readers(struct reverting *r, struct sf_err *err)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(r->storage);
	auto_fd int fd = open_role(r, SF_LVM_COPY, r->copy_dm, err);
	int rc;

	if (fd < 0)
		return fd;
	rc = r->readers ? sf_lvm_switch_device(storage, r->readers, fd, err)
			: sf_lvm_divert(storage, r->volume->vg, r->snap_dm, &r->object->token, fd,
					&r->readers, err);
	return rc < 0 ? rc : drain(r->snap_dm, err);
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
		if (strcmp(waits->name, r->snap) == 0 && ours(r, r->copy))
			rc = divert_readers(r, err);
		if (rc == 0)
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

/* After a failure. */
static int return_readers(struct reverting *r)
{
	auto_fd int fd = -1;
	int rc;

	if (!r->readers)
		return 0;
	fd = open_role(r, SF_LVM_SNAPSHOT, r->snap_dm, NULL);
	rc = fd < 0 ? fd : sf_lvm_switch_device(sf_lvm_storage(r->storage), r->readers, fd, NULL);
	return rc < 0 ? rc : drain(r->copy_dm, NULL);
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
		rc = divert_readers(r, err);
	if (rc == 0)
		rc = sf_lvm_settle_udev(err);
	if (rc == 0)
		rc = sf_lvm_check_unused(r->volume, err);
	if (rc == 0)
		rc = check_closed(r->volume->vg, r->snap, err);
	if (rc == 0)
		rc = merge(r, err);
	if (rc < 0 && r->merged) {
		r->copy_stays = true;
		(void)refresh(r, NULL); /* look-ups must find COPY now */
	} else if (rc < 0 && return_readers(r) == 0) {
		drop_copy(r);
	}
	if (rc < 0 || rename_copy(r, &why) == 0)
		return rc;
	r->copy_stays = true;
	sf_log(SF_LOG_WARNING, "%s/%s could not take its snapshot's name: %s", r->volume->vg, r->copy,
	       why.text); /* its tags still identify it */
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
	if (r.readers && r.copy_stays)
		sf_lvm_rename_device(sf_lvm_storage(base->storage), &object->token, r.copy_dm);
	if (r.readers)
		sf_lvm_put_device(sf_lvm_storage(base->storage), r.readers);
	sf_lvm_report_unref(r.report);
	return rc;
}

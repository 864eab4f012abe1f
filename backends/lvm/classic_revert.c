/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverts a classic volume: copies every chunk that the snapshot has a copy of back to the origin. The
 * snapshot does not grow, as its store already has these chunks. Every other snapshot may have to keep what
 * is overwritten, so they are extended first. After an interruption the volume is a mixture until the call is
 * repeated, which copies the same chunks again. The cost depends on what has changed, not on the disk's size.
 */
#include "classic_revert.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "core/contract/extents.h"
#include "core/contract/job.h"
#include "block.h"
#include "command.h"
#include "cow.h"
#include "hold.h"
#include "internal.h"
#include "object.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)1024 * 1024)

struct reverting {
	struct sf_volume *base;
	struct sf_lvm_volume *volume;
	const struct sf_lv *snapshot; /* in report */
	struct sf_lvm_report *report;
	struct sf_extents ranges;
	uint64_t live_bytes;
	bool begun; /* the origin was written to */
};

/* The snapshot and its store have devices only while the volume is active. */
static int activate(struct reverting *r, struct sf_err *err)
{
	char target[2 * SF_LVM_NAME];
	const char *const argv[] = {"lvchange", "--yes", "-ay", "--", target, NULL};
	struct sf_dm_info info;

	if (sf_dm_info(r->volume->dm, &info, NULL) == 0)
		return 0;
	(void)snprintf(target, sizeof(target), "%s/%s", r->volume->vg, r->volume->lv);
	return sf_lvm_run(sf_lvm_of(r->base), r->volume->vg, argv, NULL, err);
}

static int check_sizes(struct reverting *r, struct sf_err *err)
{
	struct sf_dm_target target;
	int rc = sf_dm_table(r->volume->dm, &target, err);

	if (rc < 0)
		return rc;
	r->live_bytes = target.size_bytes;
	if (r->ranges.size_bytes > r->live_bytes)
		return sf_fail(err, -EINVAL,
			       "%s has shrunk since: %" PRIu64 " bytes cannot hold the snapshot's %" PRIu64,
			       r->base->origin, r->live_bytes, r->ranges.size_bytes);
	return 0;
}

static int prepare(struct reverting *r, const struct sf_object *object, struct sf_err *err)
{
	int rc = sf_lvm_find_object(r->base->storage, object, SF_LVM_NOW, &r->report, &r->snapshot, err);

	if (rc == 0)
		rc = sf_lvm_check_vg(r->report, err);
	if (rc == 0)
		rc = sf_lvm_check_snapshot_of(r->report, r->snapshot, r->volume->lv, err);
	if (rc == 0)
		rc = activate(r, err);
	if (rc == 0)
		rc = sf_lvm_hold(r->base, err);
	if (rc == 0)
		rc = sf_lvm_exceptions(r->report->vg, r->snapshot, &r->ranges, err);
	return rc < 0 ? rc : check_sizes(r, err);
}

/* Extends a newer snapshot as estimated by cost(). By now these include the snapshot of the current state. */
static int make_room_in(struct reverting *r, const struct sf_lv *lv, struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_of(r->base);
	struct sf_dm_snapshot st;
	char dm[SF_DM_NAME];
	uint64_t need, room;
	int rc = sf_dm_name(r->report->vg, lv->name, NULL, dm, err);

	if (rc < 0 || (rc = sf_dm_snapshot(dm, &st, err)) < 0)
		return rc;
	if (st.state != SF_DM_SNAPSHOT_OK)
		return 0; /* its content is lost already */
	need = sf_lvm_cow_need(&r->ranges, st.chunk_bytes);
	room = st.total_bytes - st.used_bytes;
	if (need <= room)
		return 0;
	if (sf_lvm_is_ours(&lvm->state_id, lv))
		return sf_lvm_extend(lvm, r->report, lv, need - room, err);
	return sf_fail(err, -ENOSPC,
		       "snapshot %s/%s of %s would overflow: up to %" PRIu64 " bytes go into it, %" PRIu64
		       " of %" PRIu64 " are free",
		       r->report->vg, lv->name, r->base->origin, need, room, st.total_bytes);
}

static int make_room(struct reverting *r, struct sf_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->report->n; i++) {
		const struct sf_lv *lv = &r->report->lvs[i];

		if (lv != r->snapshot && sf_lvm_is_cow(lv, r->volume->lv))
			rc = make_room_in(r, lv, err);
	}
	return rc;
}

static int write_fully(struct reverting *r, const char *at, size_t len, uint64_t off, struct sf_err *err)
{
	int rc;

	r->begun = true;
	rc = sf_pwrite_all(r->volume->claim_fd, at, len, off);
	return rc < 0 ? sf_fail(err, rc, "write %s at %" PRIu64 ": %s", r->base->origin, off, strerror(-rc))
		      : 0;
}

static int copy_range(struct reverting *r, int from, const struct sf_range *range, char *buf,
		      struct sf_job *job, struct sf_err *err)
{
	for (uint64_t done = 0; done < range->len;) {
		size_t piece = range->len - done < PIECE ? (size_t)(range->len - done) : PIECE;
		int rc = sf_lvm_pread(from, r->snapshot->name, buf, piece, range->off + done, err);

		if (rc == 0)
			rc = write_fully(r, buf, piece, range->off + done, err);
		if (rc < 0)
			return rc;
		done += piece;
		sf_job_advance(job, piece);
	}
	return 0;
}

/* Uncancellable: an interruption would leave a mixture. */
static int copy_back(struct reverting *r, struct sf_job *job, struct sf_err *err)
{
	auto_free char *buf = NULL;
	auto_fd int from = -1;
	struct sf_dm_snapshot st;
	char dm[SF_DM_NAME];
	int rc = sf_dm_name(r->report->vg, r->snapshot->name, NULL, dm, err);

	from = rc < 0 ? rc : sf_lvm_open_device(dm, O_RDONLY | O_DIRECT, err);
	if (from < 0)
		return from;
	if (posix_memalign((void **)&buf, 4096, PIECE) != 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	sf_job_expect(job, sf_extents_bytes(&r->ranges));
	for (size_t i = 0; rc == 0 && i < r->ranges.n; i++)
		rc = copy_range(r, from, &r->ranges.list[i], buf, job, err);
	if (rc == 0 && fdatasync(r->volume->claim_fd) < 0)
		rc = sf_fail(err, -errno, "flush %s: %s", r->base->origin, strerror(errno));
	if (rc == 0)
		rc = sf_dm_snapshot(dm, &st, err);
	if (rc == 0 && st.state != SF_DM_SNAPSHOT_OK)
		rc = sf_fail(err, -ESTALE, "the snapshot lost its content while it was copied back");
	return rc < 0 && r->begun ? sf_wrap(err, -EUCLEAN, "copying back was interrupted") : rc;
}

static int revert(struct reverting *r, const struct sf_object *object, struct sf_job *job, struct sf_err *err)
{
	int rc = prepare(r, object, err);

	if (rc == 0 && r->volume->claim_fd < 0)
		rc = sf_fail(err, -EIO, "%s has no device", r->base->origin);
	if (rc == 0)
		rc = make_room(r, err);
	if (rc == 0 && sf_job_cancelled(job))
		rc = sf_fail(err, -EINTR, "cancelled");
	if (rc == 0)
		rc = copy_back(r, job, err);
	if (rc == 0 && r->live_bytes > r->ranges.size_bytes)
		sf_job_note(job,
			    "%s had been resized: it keeps its %" PRIu64 " bytes, of which the first %" PRIu64
			    " are the snapshot's",
			    r->base->origin, r->live_bytes, r->ranges.size_bytes);
	return rc;
}

int sf_lvm_classic_revert(struct sf_volume *base, const struct sf_object *object, struct sf_job *job,
			  struct sf_err *err)
{
	struct reverting r = {.base = base, .volume = sf_lvm_volume(base)};
	int rc;

	if (r.volume->claim_fd < 0)
		sf_lvm_release(base); /* held while it had no device; it gets one now */
	rc = revert(&r, object, job, err);
	sf_extents_fini(&r.ranges);
	sf_lvm_report_unref(r.report);
	return rc;
}

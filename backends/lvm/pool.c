/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thin pools: how full they are, and which blocks of a snapshot they map. */
#include "pool.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "internal.h"
#include "object.h"
#include "report.h"
#include "run_dir.h"
#include "thin_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAP_LOCK "metadata-snap.lock"
#define MARK     ".metadata-snap-"
/* LVM creates nothing in a pool with less free metadata than this or a quarter of it (lvm2, thin_manip.c). */
#define METADATA_FREE ((uint64_t)4 * 1024 * 1024)
/* Most of thin_dump's own message that is copied into an error text. */
#define MESSAGE 400

int sf_lvm_pool_status(const char *vg, const char *pool, struct sf_dm_pool *ret, struct sf_err *err)
{
	char dm[SF_DM_NAME];
	int rc = sf_dm_name(vg, pool, "tpool", dm, err);

	return rc < 0 ? rc : sf_dm_pool(dm, ret, err);
}

/* --- space --- */

static int pool_of(struct sf_volume *base, struct sf_lvm_report **ret_report, const struct sf_lv **ret,
		   struct sf_err *err)
{
	const struct sf_lvm_volume *volume = sf_lvm_volume(base);
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv, *pool;
	int rc = sf_lvm_report(sf_lvm_of(base), volume->vg, SF_LVM_FACTS_MS, true, &report, err);

	if (rc < 0)
		return rc;
	lv = sf_lvm_find(report, volume->lv);
	pool = lv ? sf_lvm_find(report, lv->pool) : NULL;
	if (!pool)
		return sf_fail(err, -ENOENT, "%s has no thin pool", base->origin);
	*ret = pool;
	*ret_report = sf_take_ptr(&report);
	return 0;
}

/* The status of an inactive pool is unknown: then its size is the limit. */
int sf_lvm_pool_space(struct sf_volume *base, struct sf_space *ret, struct sf_err *err)
{
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *pool = NULL;
	struct sf_dm_pool status;
	int rc = pool_of(base, &report, &pool, err);

	if (rc < 0)
		return rc;
	rc = sf_lvm_pool_status(report->vg, pool->name, &status, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (snprintf(ret->pool, sizeof(ret->pool), "%s/%s", report->vg, pool->name) >= (int)sizeof(ret->pool))
		(void)snprintf(ret->pool, sizeof(ret->pool), "pool %s", pool->uuid);
	if (rc == -ENOENT || status.mode == SF_DM_POOL_FAILED) {
		ret->total_bytes = pool->size_bytes;
		ret->free_bytes = rc == -ENOENT ? pool->size_bytes : 0;
	} else {
		ret->total_bytes = status.data_bytes;
		ret->free_bytes = status.data_bytes - status.data_used_bytes;
	}
	return 0;
}

static unsigned percent(uint64_t used, uint64_t total)
{
	return total ? (unsigned)((long double)used * 100 / (long double)total) : 100;
}

uint64_t sf_lvm_metadata_limit(const struct sf_dm_pool *status, uint64_t stop)
{
	uint64_t total = status->metadata_bytes, ours = total / 100 * stop;
	uint64_t lvms = total - (total / 4 < METADATA_FREE ? total / 4 : METADATA_FREE);

	return ours < lvms ? ours : lvms;
}

int sf_lvm_pool_check(struct sf_lvm *lvm, const char *vg, const char *pool, struct sf_err *err)
{
	uint64_t stop = lvm->config->pool_stop;
	struct sf_dm_pool st;
	int rc = sf_lvm_pool_status(vg, pool, &st, err);

	if (rc == -ENOENT)
		return 0; /* inactive: LVM checks it on activation */
	if (rc < 0)
		return rc;
	if (st.mode == SF_DM_POOL_FAILED)
		return sf_fail(err, -EIO, "thin pool %s/%s has failed: lvconvert --repair", vg, pool);
	if (st.needs_check)
		return sf_fail(err, -ENOSPC,
			       "thin pool %s/%s needs a check (lvconvert --repair): no snapshots until then",
			       vg, pool);
	if (st.mode != SF_DM_POOL_RW || percent(st.data_used_bytes, st.data_bytes) >= stop)
		return sf_fail(err, -ENOSPC,
			       "thin pool %s/%s%s: %" PRIu64 " of %" PRIu64
			       " bytes of data are used; no snapshots from %" PRIu64 "%% on",
			       vg, pool,
			       st.mode == SF_DM_POOL_RO         ? " is read-only"
			       : st.mode == SF_DM_POOL_NO_SPACE ? " is out of data space"
								: "",
			       st.data_used_bytes, st.data_bytes, stop);
	if (st.metadata_used_bytes >= sf_lvm_metadata_limit(&st, stop))
		return sf_fail(err, -ENOSPC,
			       "thin pool %s/%s: %" PRIu64 " of %" PRIu64
			       " bytes of metadata are used; no snapshots from %" PRIu64 " on",
			       vg, pool, st.metadata_used_bytes, st.metadata_bytes,
			       sf_lvm_metadata_limit(&st, stop));
	return 0;
}

/* --- maps --- */

/*
 * A pool has at most one metadata snapshot, which outlives the process that reserved it. A mark in the state
 * directory tells ours from a foreign one. It is written before we reserve one and removed after the release.
 * It holds the root's block, so that a snapshot which another program reserved later is not taken for ours. A
 * crash between the reservation and the second write leaves a mark without a root. Then nothing is
 * released, and the failure says so.
 */
struct metadata_snap {
	const char *vg;
	const char *pool;
	char dm[SF_DM_NAME];
	char mark[sizeof(MARK) + SF_DM_NAME];
	int state_dir;
};

static uint64_t held_root(const struct metadata_snap *snap)
{
	struct sf_dm_pool st;

	return sf_dm_pool(snap->dm, &st, NULL) == 0 ? st.metadata_root : 0;
}

static int write_mark(const struct metadata_snap *snap, uint64_t root, struct sf_err *err)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", root);

	return sf_durable_write(snap->state_dir, snap->mark, text, (size_t)len, err);
}

/* Releases a metadata snapshot that a crash of ours left. */
static int release_leftover(const struct metadata_snap *snap, struct sf_err *err)
{
	uint64_t root = held_root(snap);
	auto_free char *text = NULL;
	size_t len;
	int rc;

	if (root == 0)
		return 0;
	rc = sf_durable_read(snap->state_dir, snap->mark, 32, &text, &len, NULL);
	if (rc < 0 || strtoull(text, NULL, 10) != root)
		return sf_fail(err, -EBUSY,
			       "another program holds the metadata snapshot of %s/%s (dmsetup message %s 0 "
			       "release_metadata_snap releases it)",
			       snap->vg, snap->pool, snap->dm);
	sf_log(SF_LOG_WARNING, "%s/%s: releasing a metadata snapshot that was left behind", snap->vg,
	       snap->pool);
	return sf_dm_release_metadata_snap(snap->dm, err);
}

static int take_snap(const struct metadata_snap *snap, struct sf_err *err)
{
	int rc = release_leftover(snap, err);

	if (rc == 0)
		rc = write_mark(snap, 0, err);
	if (rc == 0)
		rc = sf_dm_reserve_metadata_snap(snap->dm, err);
	if (rc < 0)
		return rc;
	rc = write_mark(snap, held_root(snap), err);
	if (rc < 0)
		(void)sf_dm_release_metadata_snap(snap->dm, NULL); /* the failure is being reported */
	return rc;
}

static void release_snap(const struct metadata_snap *snap)
{
	struct sf_err err = {0};

	if (sf_dm_release_metadata_snap(snap->dm, &err) < 0)
		sf_log(SF_LOG_ERROR, "%s/%s: its metadata snapshot is not released: %s", snap->vg, snap->pool,
		       err.text);
	else
		(void)sf_durable_unlink(snap->state_dir, snap->mark, NULL); /* overwritten the next time */
}

/* thin_dump only reads, so killing it is safe. It writes to a memfd and thus never waits for us. */
static int dump(const struct metadata_snap *snap, uint64_t dev_id, uint64_t timeout_ms, int out,
		struct sf_err *err)
{
	char id[24], device[SF_DM_NAME + 16], meta[SF_DM_NAME + 8], message[MESSAGE];
	const char *const argv[] = {"thin_dump", "-m", "--dev-id", id, device, NULL}, *const env[] = {NULL};
	auto_fd int complaint = sf_proc_memfd("thin_dump-stderr", err);
	const struct sf_proc_spec spec = {
		.argv = argv, .extra_env = env, .stdout_fd = out, .stderr_fd = complaint};
	auto_free char *said = NULL;
	struct sf_proc proc;
	size_t len;
	int status, rc = complaint;

	if (rc < 0 || (rc = sf_dm_name(snap->vg, snap->pool, NULL, meta, err)) < 0)
		return rc;
	(void)snprintf(id, sizeof(id), "%" PRIu64, dev_id);
	(void)snprintf(device, sizeof(device), "/dev/mapper/%s_tmeta", meta);
	rc = sf_proc_start(&spec, &proc, err);
	if (rc == 0)
		rc = sf_proc_wait(&proc, timeout_ms, &status, err);
	if (rc == -ETIMEDOUT)
		(void)sf_proc_kill(&proc, 1000, NULL); /* the deadline is reported */
	if (rc == 0)
		rc = sf_proc_read(complaint, 65536, &said, &len, err);
	if (rc == 0 && status != 0) {
		sf_proc_message(said, message, sizeof(message));
		rc = sf_fail(err, -EIO, "thin_dump: %s", message);
	}
	return rc;
}

/*
 * Checks the id again under the metadata snapshot: a revert may have exchanged the thin device meanwhile, and
 * the map of the wrong one would be kept for good.
 */
static int check_id(const char *dm, uint64_t id, struct sf_err *err)
{
	struct sf_dm_thin thin;
	int rc = sf_dm_thin(dm, &thin, err);

	return rc == 0 && thin.id != id ? sf_fail(err, -EAGAIN, "%s has become another thin device", dm) : rc;
}

static int map_under_lock(struct sf_lvm *lvm, const struct metadata_snap *snap, const char *dm,
			  struct sf_extents *ret, struct sf_err *err)
{
	auto_fd int out = sf_proc_memfd("thin_dump", err);
	struct sf_dm_thin thin;
	int rc = out < 0 ? out : sf_dm_thin(dm, &thin, err);

	if (rc == 0 && thin.external_origin)
		return sf_fail(err, -EOPNOTSUPP, "%s reads unmapped blocks from another volume", dm);
	if (rc == 0)
		rc = take_snap(snap, err);
	if (rc < 0)
		return rc;
	rc = check_id(dm, thin.id, err);
	if (rc == 0)
		rc = dump(snap, thin.id, lvm->config->deadline_ms, out, err);
	release_snap(snap);
	if (rc == 0 && lseek(out, 0, SEEK_SET) < 0)
		rc = sf_fail(err, -errno, "thin_dump's output: %s", strerror(errno));
	return rc < 0 ? rc : sf_thin_map_read(out, thin.id, ret, err);
}

int sf_lvm_thin_map(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		    struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	struct metadata_snap snap = {.state_dir = -1};
	auto_fd int state_dir = -1, lock = -1;
	char dm[SF_DM_NAME];
	const struct sf_lv *lv;
	int rc = sf_lvm_find_object(storage, object, SF_LVM_FACTS_MS, &report, &lv, err);

	if (rc < 0 || (rc = sf_dm_name(report->vg, lv->name, NULL, dm, err)) < 0 ||
	    (rc = sf_dm_name(report->vg, lv->pool, "tpool", snap.dm, err)) < 0)
		return rc;
	snap.vg = report->vg;
	snap.pool = lv->pool;
	(void)snprintf(snap.mark, sizeof(snap.mark), MARK "%s", snap.dm);
	snap.state_dir = state_dir = open(lvm->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state_dir < 0)
		return sf_fail(err, -errno, "open %s: %s", lvm->state_dir, strerror(errno));
	lock = sf_lvm_open_run_file(lvm, MAP_LOCK, O_RDWR, err);
	if (lock < 0)
		return lock;
	if (flock(lock, LOCK_EX) < 0)
		return sf_fail(err, -errno, "lock the metadata of %s/%s: %s", snap.vg, snap.pool,
			       strerror(errno));
	return map_under_lock(lvm, &snap, dm, ret, err);
}

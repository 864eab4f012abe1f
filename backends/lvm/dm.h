/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper, as libdevmapper shows it. It only looks, with two exceptions: the messages that reserve and
 * release a thin pool's metadata snapshot. Nothing here makes, loads, suspends or removes a device. No call
 * flushes a pool, so none waits for one that is full. Thread-safe (sf_dm_events: one thread each). -ENODEV
 * where the kernel has no device-mapper. Source: linux/Documentation/admin-guide/device-mapper (snapshot.rst,
 * thin-provisioning.rst), libdevmapper.h.
 */
#ifndef SF_BACKENDS_LVM_DM_H
#define SF_BACKENDS_LVM_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

/* DM_NAME_LEN and DM_UUID_LEN of linux/dm-ioctl.h. */
#define SF_DM_NAME 128
#define SF_DM_UUID 129

/*
 * The device's name of a volume: hyphens doubled, layer ("real", "cow", "tpool") behind one; NULL: none.
 * -EINVAL for what LVM would not have as a name, -ENAMETOOLONG.
 */
int sf_dm_name(const char *vg, const char *lv, const char *layer, char name[static SF_DM_NAME],
	       struct sf_err *err);

struct sf_dm_info {
	char uuid[SF_DM_UUID]; /* "LVM-" and the ids of VG and LV */
	unsigned major, minor;
	unsigned open_count;
	bool read_only;
	bool suspended;
};
/* -ENOENT: no such device. */
int sf_dm_info(const char *name, struct sf_dm_info *ret, struct sf_err *err);

/* The first target of a device's table. */
struct sf_dm_target {
	char type[32];       /* "thin", "snapshot-origin", "linear", … */
	uint64_t size_bytes; /* of the whole device */
	unsigned ntargets;
	char params[512]; /* empty when they are longer: those that are read here never are */
};
/* -ENODATA: a device without a table. */
int sf_dm_table(const char *name, struct sf_dm_target *ret, struct sf_err *err);

/* A thin volume: its id in the pool, and whether what is unmapped reads from another device. */
struct sf_dm_thin {
	uint64_t id;
	bool external_origin;
	uint64_t mapped_bytes;
};
/* -EINVAL: not a thin volume. -EIO: its pool has failed. -EAGAIN, here and below: its table keeps changing.
 */
int sf_dm_thin(const char *name, struct sf_dm_thin *ret, struct sf_err *err);

enum sf_dm_pool_mode { SF_DM_POOL_RW, SF_DM_POOL_RO, SF_DM_POOL_NO_SPACE, SF_DM_POOL_FAILED };

struct sf_dm_pool {
	enum sf_dm_pool_mode mode;
	bool needs_check;
	uint64_t metadata_root; /* block of the metadata snapshot that somebody holds; 0: none */
	uint64_t data_block_bytes;
	uint64_t data_used_bytes, data_bytes;
	uint64_t metadata_used_bytes, metadata_bytes;
};
/* name: of the "tpool" layer. A failed pool tells no more than data_block_bytes. -EINVAL: not a pool. */
int sf_dm_pool(const char *name, struct sf_dm_pool *ret, struct sf_err *err);

enum sf_dm_snapshot_state {
	SF_DM_SNAPSHOT_OK,
	SF_DM_SNAPSHOT_INVALID,
	SF_DM_SNAPSHOT_OVERFLOW,
	SF_DM_SNAPSHOT_MERGE_FAILED
};

struct sf_dm_snapshot {
	enum sf_dm_snapshot_state state;
	uint64_t chunk_bytes;
	uint64_t used_bytes, total_bytes; /* of the COW store; used includes metadata_bytes */
	uint64_t metadata_bytes;
};
/* Usage is known while the state is SF_DM_SNAPSHOT_OK. -EINVAL: not a classic snapshot. */
int sf_dm_snapshot(const char *name, struct sf_dm_snapshot *ret, struct sf_err *err);

/* Of a pool's "tpool" layer. -EBUSY when somebody holds one, whoever that is; it survives its maker. */
int sf_dm_reserve_metadata_snap(const char *name, struct sf_err *err);
/* -EINVAL when nobody holds one. */
int sf_dm_release_metadata_snap(const char *name, struct sf_err *err);

/*
 * The kernel's global event counter: it moves when a device comes, goes, changes its table or has an event of
 * its own (a snapshot overflowed, a pool reached its mark). Linux 4.13 and later; -EOPNOTSUPP before.
 */
struct sf_dm_events {
	int fd; /* of /dev/mapper/control */
};
int sf_dm_events_open(struct sf_dm_events *ret, struct sf_err *err);
void sf_dm_events_close(struct sf_dm_events *events);
/*
 * Returns 1 when something has happened since the call before, or since the opening; 0 when timeout_ms passed
 * (-1: never), or at once when wake_fd (-1: none) is readable. An event that came with a wake is not lost.
 */
int sf_dm_events_wait(struct sf_dm_events *events, int wake_fd, int timeout_ms, struct sf_err *err);

/* --- The kernel's words by themselves, for the calls above and for tests. -EPROTO: not understood. --- */
int sf_dm_read_pool(const char *table, const char *status, struct sf_dm_pool *ret, struct sf_err *err);
int sf_dm_read_snapshot(const char *table, const char *status, struct sf_dm_snapshot *ret,
			struct sf_err *err);
int sf_dm_read_thin(const char *table, const char *status, struct sf_dm_thin *ret, struct sf_err *err);

#endif

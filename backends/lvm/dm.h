/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries to the kernel's device-mapper, through libdevmapper.
 *
 * Read-only, except for two messages that reserve and release a thin pool's metadata snapshot: nothing here
 * creates, loads, suspends or removes a device. No call flushes a pool, so none blocks on a full one.
 * Thread-safe; a struct sf_dm_events belongs to one thread. Every call fails with -ENODEV when the kernel has
 * no device-mapper. Sources: linux/Documentation/admin-guide/device-mapper (snapshot.rst,
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
 * Builds the device name of a volume: hyphens are doubled, and layer ("real", "cow", "tpool"; NULL: none)
 * follows a single hyphen. -EINVAL when LVM does not allow such a name, -ENAMETOOLONG.
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
/* -ENOENT: there is no such device. */
int sf_dm_info(const char *name, struct sf_dm_info *ret, struct sf_err *err);

/* The first target of a device's table. */
struct sf_dm_target {
	char type[32];       /* "thin", "snapshot-origin", "linear", … */
	uint64_t size_bytes; /* of the whole device */
	unsigned ntargets;
	char params[512]; /* empty when they do not fit; those parsed here always do */
};
/* -ENODATA: the device has no table. */
int sf_dm_table(const char *name, struct sf_dm_target *ret, struct sf_err *err);

/* A thin volume. */
struct sf_dm_thin {
	uint64_t id;          /* in its pool */
	bool external_origin; /* unmapped blocks are read from another device */
	uint64_t mapped_bytes;
};
/*
 * -EINVAL   not a thin volume
 * -EIO      its pool has failed
 * -EAGAIN   its table keeps changing; sf_dm_pool() and sf_dm_snapshot() fail with this too
 */
int sf_dm_thin(const char *name, struct sf_dm_thin *ret, struct sf_err *err);

enum sf_dm_pool_mode { SF_DM_POOL_RW, SF_DM_POOL_RO, SF_DM_POOL_NO_SPACE, SF_DM_POOL_FAILED };

struct sf_dm_pool {
	enum sf_dm_pool_mode mode;
	bool needs_check;
	uint64_t metadata_root; /* block of the reserved metadata snapshot; 0: none is reserved */
	uint64_t data_block_bytes;
	uint64_t data_used_bytes, data_bytes;
	uint64_t metadata_used_bytes, metadata_bytes;
};
/* name: the pool's "tpool" layer. Of a failed pool only data_block_bytes is set. -EINVAL: not a pool. */
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
/* The byte counts are set only in the state SF_DM_SNAPSHOT_OK. -EINVAL: not a classic snapshot. */
int sf_dm_snapshot(const char *name, struct sf_dm_snapshot *ret, struct sf_err *err);

/* name: the pool's "tpool" layer. A reservation outlives its process. -EBUSY: there is one already. */
int sf_dm_reserve_metadata_snap(const char *name, struct sf_err *err);
/* -EINVAL: the pool has none. */
int sf_dm_release_metadata_snap(const char *name, struct sf_err *err);

/*
 * The kernel's global event counter. It changes when a device is created, removed, gets a new table or raises
 * an event of its own (a snapshot overflowed, a pool reached its low-water mark). Needs Linux 4.13;
 * -EOPNOTSUPP before.
 */
struct sf_dm_events {
	int fd; /* of /dev/mapper/control */
};
int sf_dm_events_open(struct sf_dm_events *ret, struct sf_err *err);
void sf_dm_events_close(struct sf_dm_events *events);
/*
 * Returns 1 when there was an event since the previous call (the first time: since the opening). Returns 0
 * after timeout_ms (-1: no limit), or at once when wake_fd (-1: none) is readable; the next call reports an
 * event that coincided with the wake.
 */
int sf_dm_events_wait(struct sf_dm_events *events, int wake_fd, int timeout_ms, struct sf_err *err);

/* --- Parsers of the table and status lines, for the calls above and for tests. -EPROTO: malformed. --- */
int sf_dm_read_pool(const char *table, const char *status, struct sf_dm_pool *ret, struct sf_err *err);
int sf_dm_read_snapshot(const char *table, const char *status, struct sf_dm_snapshot *ret,
			struct sf_err *err);
int sf_dm_read_thin(const char *table, const char *status, struct sf_dm_thin *ret, struct sf_err *err);

#endif

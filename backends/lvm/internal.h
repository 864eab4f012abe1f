/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lvm_thin and lvm_classic have in common, for lvm_*.c only: live volumes (lvm_volume.c), snapshots as
 * LVs with our tags (lvm_object.c), their devices and images (lvm_device.c), and who looks after them
 * (lvm_watch.c).
 */
#ifndef SF_BACKENDS_STORAGE_LVM_STORAGE_H
#define SF_BACKENDS_STORAGE_LVM_STORAGE_H

#include "dm.h"
#include "lvm.h"

#include <pthread.h>

/* A snapshot's device node, open while somebody reads it. */
struct sf_lvm_device {
	char vg[SF_LVM_NAME];
	char dm[SF_DM_NAME]; /* of the LV under its lasting name */
	struct sf_id token;
	int fd; /* O_DIRECT; -1 while refs is 0 */
	unsigned refs;
	uint64_t idle_since_ms; /* CLOCK_MONOTONIC; while refs is 0 */
	struct sf_lvm_device *next;
};

struct sf_lvm_storage {
	struct sf_storage base;
	struct sf_lvm *lvm;
	bool thin;
	struct sf_dm_events events; /* the watch's own */
	bool events_open;

	pthread_mutex_t exchange; /* held while a volume has no name; taken before lock */
	pthread_mutex_t lock;     /* guards devices; held while one is activated or laid idle */
	struct sf_lvm_device *devices;
	pthread_mutex_t claiming; /* guards claims; a leaf */
	struct sf_lvm_claim *claims;
};

/* A live volume's device, claimed once for all of its users in this process: a revert and the snapshot it
 * takes. */
struct sf_lvm_claim {
	char dm[SF_DM_NAME];
	int fd; /* O_DIRECT | O_EXCL, writable where it can be */
	unsigned refs;
	struct sf_lvm_claim *next;
};

/* One per user of the volume; calls on it come one at a time. */
struct sf_lvm_volume {
	struct sf_volume base;
	char vg[SF_LVM_NAME];
	char lv[SF_LVM_NAME];
	char dm[SF_DM_NAME];
	bool claimed;
	struct sf_lvm_claim *claim; /* NULL: not claimed, or the LV is inactive */
	int claim_fd;               /* the claim's, or -1 */
	uint64_t writes;            /* that its device had seen when it was claimed */
};

static inline struct sf_lvm_storage *sf_lvm_storage(struct sf_storage *storage)
{
	return (struct sf_lvm_storage *)storage;
}

static inline struct sf_lvm_volume *sf_lvm_volume(struct sf_volume *volume)
{
	return (struct sf_lvm_volume *)volume;
}

static inline struct sf_lvm *sf_lvm_of(struct sf_volume *volume)
{
	return sf_lvm_storage(volume->storage)->lvm;
}

int sf_lvm_storage_new(struct sf_lvm *lvm, const struct sf_storage_ops *ops, bool thin,
		       struct sf_storage **ret, struct sf_err *err);
void sf_lvm_storage_close(struct sf_storage *storage);

/* --- lvm_volume.c: slots of both --- */
bool sf_lvm_claims(struct sf_storage *storage, const char *spec);
int sf_lvm_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err);
void sf_lvm_volume_close(struct sf_volume *volume);
int sf_lvm_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);
int sf_lvm_volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err);
int sf_lvm_volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			struct sf_err *err);
int sf_lvm_hold(struct sf_volume *volume, struct sf_err *err);
int sf_lvm_hold_check(struct sf_volume *volume, struct sf_err *err);
void sf_lvm_release(struct sf_volume *volume);

/* "/dev/VG/LV" taken apart; -EINVAL for an origin that no volume of ours has. */
int sf_lvm_split_origin(const char *origin, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME],
			struct sf_err *err);
/* Opens /dev/mapper/NAME with O_CLOEXEC added; the descriptor or -errno. */
int sf_lvm_open_device(const char *dm, int flags, struct sf_err *err);
/* -EBUSY when anyone but the holder of our own claim has the volume open. An inactive one is not open. */
int sf_lvm_check_unused(struct sf_lvm_volume *volume, struct sf_err *err);
/* -EIO when PVs of the VG are missing: LVM changes nothing then. */
int sf_lvm_check_vg(const struct sf_lvm_report *report, struct sf_err *err);
/* Whole range or failure; any alignment. */
int sf_lvm_pread(int fd, const char *what, void *buf, size_t len, uint64_t off, struct sf_err *err);

/* --- lvm_object.c: slots of both --- */
int sf_lvm_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		struct sf_err *err);
int sf_lvm_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_lvm_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		struct sf_err *err);
int sf_lvm_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_lvm_strangers(struct sf_volume *volume, sf_stranger_fn *fn, void *arg, struct sf_err *err);

/*
 * The object's LV in a report as fresh as asked for; -ENOENT. Under its lasting name or, after a revert was
 * cut short, its copy's.
 */
int sf_lvm_find_object(struct sf_storage *storage, const struct sf_object *object, uint64_t max_age_ms,
		       struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err);
/* The same by what is remembered, however old, without asking LVM. */
int sf_lvm_find_known_object(struct sf_storage *storage, const struct sf_object *object,
			     struct sf_lvm_report **ret_report, const struct sf_lv **ret);
bool sf_lvm_is_ours(struct sf_lvm *lvm, const struct sf_lv *lv);
/*
 * -EBUSY when an LV hangs on the one named lv that would be lost with it: a classic snapshot of it, or one of
 * another pool that reads through it.
 */
int sf_lvm_check_no_dependents(const struct sf_lvm_report *report, const char *lv, struct sf_err *err);
bool sf_lvm_has_role(struct sf_lvm *lvm, const struct sf_lv *lv, enum sf_lvm_role role);
/* The LV is a classic snapshot (of the volume named lv; NULL: of any). */
bool sf_lvm_is_cow(const struct sf_lvm_report *report, const struct sf_lv *snapshot, const char *lv);

/*
 * lvcreate -s: a snapshot of VG/FROM called name with these tags; size_bytes 0 makes a thin one, which stays
 * inactive. One that is there already with the same token is success.
 */
struct sf_lvm_new_lv {
	const char *vg;
	const char *from;
	const char *name;
	uint64_t size_bytes;
	struct sf_lvm_tags tags;
	bool writable;          /* a volume's successor, not a snapshot */
	bool active;            /* of a writable one */
	const char *other_tags; /* with commas; NULL: none */
};
int sf_lvm_create_lv(struct sf_storage *storage, const struct sf_lvm_new_lv *spec, struct sf_err *err);

/* --- lvm_device.c --- */
int sf_lvm_image_open(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		      struct sf_err *err);
/* Readers of the snapshot go on with what fd is, which is of equal content; fd stays the caller's. */
int sf_lvm_switch_readers(struct sf_lvm_storage *storage, const char *dm, int fd, bool *ret_any,
			  struct sf_err *err);
/* The LV has another name now, and so has its device. */
void sf_lvm_rename_device(struct sf_lvm_storage *storage, const char *from, const char *to);
/* lvchange -ay of the LVs that select names, whatever their flags say. */
int sf_lvm_activate(struct sf_lvm *lvm, const char *vg, const char *select, bool active, struct sf_err *err);
/* Lays idle what has had no reader for the grace time; with report, takes up what another process left
 * active. */
void sf_lvm_sweep_idle(struct sf_lvm_storage *storage);
void sf_lvm_adopt_active(struct sf_lvm_storage *storage, struct sf_lvm_report *report);
void sf_lvm_close_devices(struct sf_lvm_storage *storage);

/* --- lvm_watch.c --- */
int sf_lvm_watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		 struct sf_err *err);

/* --- lvm_pool.c: what a thin pool says of itself --- */
int sf_lvm_pool_space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err);
/* -ENOSPC with the figures when no snapshot should be begun in it. */
int sf_lvm_pool_check(struct sf_lvm *lvm, const char *vg, const char *pool, struct sf_err *err);
/* Used bytes from which on LVM, or the configuration (stop percent), makes no more snapshots. */
uint64_t sf_lvm_metadata_limit(const struct sf_dm_pool *status, uint64_t stop);
int sf_lvm_pool_status(const char *vg, const char *pool, struct sf_dm_pool *ret, struct sf_err *err);
int sf_lvm_thin_map(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		    struct sf_err *err);

/* --- lvm_thin_revert.c, lvm_classic_revert.c, lvm_cow.c --- */
int sf_lvm_thin_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		       struct sf_err *err);
/* Waits until udev has done with what it looks into, where there is one. */
int sf_lvm_settle_udev(struct sf_err *err);
/* Where LVM has no merge: the volume's name goes from one LV to another (lvm_thin_exchange.c). */
int sf_lvm_exchange(struct sf_lvm_volume *volume, const struct sf_lvm_report *report,
		    const struct sf_lv *snapshot, struct sf_err *err);
/* Gives a volume that an exchange was cut short of its name again; -ENOENT when it is not that. */
int sf_lvm_heal(struct sf_lvm_storage *storage, const char *vg, const char *lv, struct sf_err *err);
/* Removes what finished exchanges left. */
void sf_lvm_sweep_left(struct sf_lvm_storage *storage, const struct sf_lvm_report *report);
int sf_lvm_classic_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
			  struct sf_err *err);

/* Sizes of COW stores in one VG, all in bytes. */
struct sf_lvm_cow_plan {
	uint64_t want;  /* what the policy would like */
	uint64_t least; /* below this it is not worth beginning */
	uint64_t most;  /* a store of this size cannot overflow */
	uint64_t free;  /* what the VG has beyond its reserve */
};
void sf_lvm_cow_plan(const struct sf_lvm_config *config, const struct sf_lvm_report *report,
		     uint64_t origin_bytes, struct sf_lvm_cow_plan *ret);
/* lvextend of an LV of ours by this much, rounded up to extents. -ENOSPC. */
int sf_lvm_extend(struct sf_lvm *lvm, const struct sf_lvm_report *report, const struct sf_lv *lv,
		  uint64_t bytes, struct sf_err *err);
/* What copying ranges back would put into a COW store of this chunk size, at most. */
uint64_t sf_lvm_cow_need(const struct sf_extents *ranges, uint64_t chunk_bytes);
/* -EINVAL when LVM says that the snapshot is of another volume, which had the name, and may be merging. */
int sf_lvm_check_snapshot_of(const struct sf_lvm_report *report, const struct sf_lv *snapshot, const char *lv,
			     struct sf_err *err);
/* The exceptions of a classic snapshot; *ret: uninitialised before. -ESTALE. */
int sf_lvm_exceptions(const char *vg, const struct sf_lv *snapshot, struct sf_extents *ret,
		      struct sf_err *err);

#endif

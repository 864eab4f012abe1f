/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage contract: where disks live and how they are snapshotted.
 *
 * A *storage* is one backend, a *volume* one live disk of a VM, an *object* the snapshot of one volume. Every
 * object carries a 128-bit token and the state directory's id. All recovery rests on three rules: creating an
 * object whose token exists succeeds and changes nothing; removing one that is gone succeeds; nothing that
 * does not carry our state id is ever listed, changed or removed. The one exception is the live volume
 * itself, in revert.
 *
 * Each call is durable when it returns, except create, which settle completes. A call either happens or
 * changes nothing that a repeat of the call would not put right. Calls on different volumes may run at the
 * same time; the engine never runs two changing calls on one volume at once.
 *
 * Backends fill in struct sf_storage_ops; everyone else calls the sf_storage_… functions below, the only
 * door, which check arguments and results, clamp ranges, log under SNAPFS_DEBUG, and stand in for optional
 * slots.
 */
#ifndef SF_CORE_CONTRACT_STORAGE_H
#define SF_CORE_CONTRACT_STORAGE_H

#include "base/id.h"
#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_extents;
struct sf_image;
struct sf_job;
struct sf_storage;
struct sf_volume;

/* Longest disk specification or origin, with its NUL (PATH_MAX of Linux). */
#define SF_ORIGIN_MAX 4096
/* Backends that can be registered at once. */
#define SF_STORAGES_MAX 8

/* A disk as configuration or hypervisor names it. */
struct sf_disk {
	char vdev[SF_VDEV_MAX + 1];
	char spec[SF_ORIGIN_MAX]; /* "/data/web.img", "mem:64M", "/dev/vg0/web" */
};

/* The snapshot of one volume: all that is needed to find it again after the process died. */
struct sf_object {
	struct sf_id token;
	/*
	 * The volume's canonical name: struct sf_volume.origin. Text of whoever made the object, and good for
	 * as long as that says; NULL where a list does not tell it.
	 */
	const char *origin;
	char vdev[SF_VDEV_MAX + 1];

	/* Labels: what a storage that can writes down beside the object, so that lost records can be rebuilt.
	 */
	struct sf_id uuid;      /* of the snapshot that this is a part of */
	unsigned index, ndisks; /* which of its disks, boot disk first, of how many; ndisks 0: not known */
	uint64_t taken_ns;      /* the instant, CLOCK_REALTIME */
	char vm[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	char snapshot[SF_NAME_MAX + 1];
};

struct sf_object_stat {
	uint64_t size_bytes;
	uint64_t allocated_bytes; /* what reading it would find stored; <= size_bytes rounded up to blocks */
	const char *method;       /* static text: how it was made, "reflink", "copy", "memory", "thin", … */
};

struct sf_volume_stat {
	uint64_t size_bytes;
	uint64_t allocated_bytes;
	bool instant; /* a snapshot takes the same short time whatever the size, and is atomic by itself */
	const char *method; /* static text, as in sf_object_stat */
};

/* The pool that a volume's snapshots live in. */
struct sf_space {
	char pool[64]; /* equal text: same pool, so that needs are added up; "dev 8:1", "mem", "vg0/pool" */
	uint64_t total_bytes;
	uint64_t free_bytes; /* for root */
};

enum sf_purpose { SF_FOR_CREATE, SF_FOR_REVERT };

/* object: its token and, where the storage keeps them (ndisks is not 0), origin, vdev and labels. */
typedef int sf_object_fn(void *arg, const struct sf_object *object, const char *where, struct sf_err *err);

/* A snapshot of a volume that is not ours. state_id: whose of snapfs it is; NULL: nobody's. */
typedef int sf_stranger_fn(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err);

/* How full something is that can run full while snapshots live in it. */
struct sf_usage {
	const char *kind; /* "pool data", "pool metadata", "COW store" */
	char pool[64];    /* as in struct sf_space; where it is */
	char subject[SF_ORIGIN_MAX];
	char origin[SF_ORIGIN_MAX]; /* the volume whose snapshot it is; empty: several volumes' */
	uint64_t used_bytes;
	uint64_t total_bytes;
	unsigned warn_percent; /* full to this, somebody is told, or it is enlarged; 0: never */
	unsigned stop_percent; /* full to this, no more snapshots are taken; 0: never */
	char problem[256];     /* a sentence when somebody should do something; empty otherwise */
};

typedef void sf_usage_fn(void *arg, const struct sf_usage *usage);

/* Slots are required unless marked optional. Arguments arrive checked. Failures leave outputs untouched. */
struct sf_storage_ops {
	const char *name; /* "file"; stored in meta.json, so it never changes */

	/* Whether this backend serves disks specified so. Quick, changes nothing. */
	bool (*claims)(struct sf_storage *storage, const char *spec);

	/*
	 * Opens a live disk. Fills volume->origin. -ENOENT missing, -EINVAL not something this backend can
	 * snapshot. Nothing is held: the guest may go on using it.
	 */
	int (*volume_open)(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
			   struct sf_volume **ret, struct sf_err *err);
	void (*volume_close)(struct sf_volume *volume);
	int (*volume_stat)(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);

	/* The live disk as a guest in this process sees it (sim) and as tests do. Whole range or failure. */
	int (*volume_read)(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err);
	int (*volume_write)(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			    struct sf_err *err);

	/*
	 * Claims the live disk: nobody else has it open for writing, and anyone who tries before release is
	 * kept waiting or noticed. -EBUSY when somebody has, or when it cannot be told. hold_check says
	 * whether a claim is still undisturbed (-EBUSY when not). Optional, all three together: always
	 * granted.
	 */
	int (*hold)(struct sf_volume *volume, struct sf_err *err);
	int (*hold_check)(struct sf_volume *volume, struct sf_err *err);
	void (*release)(struct sf_volume *volume);

	/*
	 * Pool and worst-case need in bytes of a create or revert; -ENOSPC when the pool's own state forbids
	 * it.
	 */
	int (*cost)(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		    struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err);

	/*
	 * Snapshots the volume at one instant; the caller vouches that nobody writes to it, or the volume is
	 * `instant`. Polls job: -EINTR when cancelled. *ret counts once the call returned 0.
	 */
	int (*create)(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		      struct sf_object_stat *ret, struct sf_err *err);
	/* Makes a created object durable; called once the guest runs again. Optional: create was durable. */
	int (*settle)(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);

	/* -ENOENT: no such object. -ESTALE: it is there and its content is gone. */
	int (*stat)(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		    struct sf_err *err);
	/* Also clears away what a crashed create of this token left behind. */
	int (*remove)(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
	/*
	 * Calls fn for every object with our state id that is kept where origin's snapshots are kept, whole
	 * or half-made; where says where an administrator finds it. Stops at fn's first failure and returns
	 * it.
	 */
	int (*list)(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		    struct sf_err *err);
	bool lists_directories; /* list tells the same for all origins of one directory */
	/* The labels have changed (a rename): writes them anew. Optional: it keeps none. */
	int (*relabel)(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
	/* As list, for snapshots of the volume without our state id. Optional: it cannot tell. */
	int (*strangers)(struct sf_volume *volume, sf_stranger_fn *fn, void *arg, struct sf_err *err);

	int (*image_open)(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
			  struct sf_err *err);
	/*
	 * Where the object holds data, from the storage's own metadata; may take long. Optional: the image
	 * itself tells. Adds to *ret, whose size_bytes is set; -EOPNOTSUPP when this object has no such map.
	 */
	int (*map)(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		   struct sf_err *err);

	/*
	 * Gives the live volume the object's content; the object stays as it is. At every instant, a crash
	 * included, the volume's name leads to a complete disk, old or new, or a repeat of the call makes it
	 * so. -EINTR when cancelled. A failure leaves the volume as it was; when that cannot be said it is
	 * -EUCLEAN, and only a repeat helps. The caller holds the volume or stopped its guest.
	 */
	int (*revert)(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		      struct sf_err *err);

	int (*space)(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err);
	/*
	 * Looks after what lives in the storage: waits until something happens, at most wait_ms and not once
	 * wake_fd is readable; then enlarges what runs full, lays idle what nobody reads, and calls fn for
	 * everything that can run full. Called again and again from a thread of its own. Optional.
	 */
	int (*watch)(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		     struct sf_err *err);
	void (*close)(struct sf_storage *storage);
};

/* The bases, embedded first by each backend. */
struct sf_storage {
	const struct sf_storage_ops *ops;
};

struct sf_volume {
	struct sf_storage *storage;
	char origin[SF_ORIGIN_MAX];
};

/* All registered backends; owns them. */
struct sf_storages {
	struct sf_storage *list[SF_STORAGES_MAX];
	size_t nstorages;
};

/* Takes ownership of storage; more than SF_STORAGES_MAX is a bug. */
void sf_storages_add(struct sf_storages *set, struct sf_storage *storage);
void sf_storages_close(struct sf_storages *set);
/* NULL when no backend has that name. */
struct sf_storage *sf_storages_by_name(const struct sf_storages *set, const char *name);

/*
 * Opens a disk with the first backend that claims it; -EINVAL when none does (-ENOENT for a path that is not
 * there).
 */
int sf_volume_open(const struct sf_storages *set, const char *vm, const struct sf_disk *disk,
		   struct sf_volume **ret, struct sf_err *err);
/* Accepts NULL. */
void sf_volume_close(struct sf_volume *volume);

int sf_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);
/* -EINVAL outside the volume. */
int sf_volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err);
int sf_volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off, struct sf_err *err);
int sf_volume_hold(struct sf_volume *volume, struct sf_err *err);
int sf_volume_hold_check(struct sf_volume *volume, struct sf_err *err);
void sf_volume_release(struct sf_volume *volume);
/* object: the one to revert to; NULL for SF_FOR_CREATE. */
int sf_volume_cost(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		   struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err);
int sf_volume_space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err);
int sf_volume_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		     struct sf_err *err);

int sf_object_create(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		     struct sf_object_stat *ret, struct sf_err *err);
int sf_object_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_object_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		   struct sf_err *err);
int sf_object_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_object_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		   struct sf_err *err);
int sf_object_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_object_image(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		    struct sf_err *err);
/* -EOPNOTSUPP: there is none. *ret: uninitialised before, untouched on failure. */
int sf_object_map(struct sf_storage *storage, const struct sf_object *object, uint64_t size_bytes,
		  struct sf_extents *ret, struct sf_err *err);
int sf_volume_strangers(struct sf_volume *volume, sf_stranger_fn *fn, void *arg, struct sf_err *err);
/* -EOPNOTSUPP: this storage needs no watching. */
int sf_storage_watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		     struct sf_err *err);

#endif

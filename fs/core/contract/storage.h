/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage contract: where disks live and how they are snapshotted.
 *
 * A *storage* is one backend, a *volume* one live disk of a VM, an *object* the snapshot of one volume. Every
 * object carries a 128-bit token and the state directory's id. Recovery depends on three rules:
 *   - Creating an object whose token already exists is a no-op.
 *   - Removing an object that does not exist is a no-op.
 *   - An object without our state id is never listed, changed or removed. The only exception is the live
 *     volume itself, in revert.
 *
 * Every call is durable when it returns, except create, which settle completes. A call either takes effect or
 * leaves nothing that a repeated call would not put right. Calls on different volumes may run concurrently;
 * the engine never runs two modifying calls on one volume at once.
 *
 * Backends implement struct sf_storage_ops. Everyone else calls the sf_storage_…, sf_volume_… and sf_object_…
 * functions below, which check arguments and results, log under SNAPFS_DEBUG, and stand in for optional
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
/* Most backends registered at once. */
#define SF_STORAGES_MAX 8

/* A disk as named by the configuration or the hypervisor. */
struct sf_disk {
	char vdev[SF_VDEV_MAX + 1];
	char spec[SF_ORIGIN_MAX]; /* "/data/web.img", "mem:64M", "/dev/vg0/web" */
};

/* The snapshot of one volume: everything needed to find it again after the process died. */
struct sf_object {
	struct sf_id token;
	/*
	 * The volume's canonical name, from struct sf_volume.origin. Owned by whoever filled in the object,
	 * who defines its lifetime; NULL where a list does not report it.
	 */
	const char *origin;
	char vdev[SF_VDEV_MAX + 1];

	/* Labels. Storages that support it store them with the object, so that lost records can be rebuilt.
	 */
	struct sf_id uuid;      /* of the snapshot that contains this object */
	unsigned index, ndisks; /* disk number (0: boot disk) and number of disks; ndisks 0: unknown */
	uint64_t taken_ns;      /* when it was taken, CLOCK_REALTIME */
	char vm[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	char snapshot[SF_NAME_MAX + 1];
};

struct sf_object_stat {
	uint64_t size_bytes;
	uint64_t allocated_bytes; /* bytes stored; <= size_bytes rounded up to blocks */
	const char *method;       /* static text, how it was made: "reflink", "copy", "memory", "thin", … */
};

struct sf_volume_stat {
	uint64_t size_bytes;
	uint64_t allocated_bytes;
	bool instant;       /* a snapshot is atomic and equally fast at any size */
	const char *method; /* static text, as in sf_object_stat */
};

/* The pool that holds a volume's snapshots. */
struct sf_space {
	char pool[64]; /* "dev 8:1", "mem", "vg0/pool"; needs of equal names are added up */
	uint64_t total_bytes;
	uint64_t free_bytes; /* available to root */
};

enum sf_purpose { SF_FOR_CREATE, SF_FOR_REVERT };

/*
 * Receives one listed object: its token and, if the storage stores them (ndisks is not 0), origin, vdev and
 * labels. where tells an administrator where the object is.
 */
typedef int sf_object_fn(void *arg, const struct sf_object *object, const char *where, struct sf_err *err);

/*
 * Receives one foreign snapshot of a volume. state_id is the id of the state directory that owns it; NULL if
 * it was not made by snapfs.
 */
typedef int sf_foreign_fn(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err);

/*
 * Receives one note about a volume for its administrator: a fact about the disk that limits what its
 * snapshots are good for. One line without the name of the disk.
 */
typedef void sf_note_fn(void *arg, const char *text);

/* Fill level of something that can run full while it holds snapshots. */
struct sf_usage {
	const char *kind; /* "pool data", "pool metadata", "COW store" */
	char pool[64];    /* where it is, as in struct sf_space */
	char subject[SF_ORIGIN_MAX];
	char origin[SF_ORIGIN_MAX]; /* the snapshotted volume; empty: shared by several */
	uint64_t used_bytes;
	uint64_t total_bytes;
	unsigned warn_percent; /* warn or enlarge at this level; 0: never */
	unsigned stop_percent; /* refuse new snapshots at this level; 0: never */
	char problem[256];     /* message for the administrator if action is needed, else empty */
};

typedef void sf_usage_fn(void *arg, const struct sf_usage *usage);

/*
 * The backend's implementation. Slots are required unless marked optional. Arguments arrive checked. Failures
 * leave outputs untouched.
 */
struct sf_storage_ops {
	const char *name; /* "file"; stored in meta.json, so it must never change */

	/*
	 * 1 if this backend serves a disk with this specification, 0 if not. Must be fast and change nothing.
	 * A negative errno if it cannot tell now: nobody else gets the disk meanwhile.
	 */
	int (*claims)(struct sf_storage *storage, const char *spec, struct sf_err *err);

	/*
	 * Opens a live disk and sets volume->origin. -ENOENT if it does not exist, -EINVAL if this backend
	 * cannot snapshot it. Claims nothing: the guest may keep using the disk.
	 */
	int (*volume_open)(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
			   struct sf_volume **ret, struct sf_err *err);
	void (*volume_close)(struct sf_volume *volume); /* also ends a hold */
	int (*volume_stat)(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);
	/*
	 * Calls fn for whatever the administrator should know before relying on snapshots of the disk: that
	 * it holds a container, that a revert would be refused. Optional: nothing is known.
	 */
	int (*notes)(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err);

	/*
	 * Access to the live disk for guests in this process (sim) and for tests. The whole range or failure.
	 */
	int (*volume_read)(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err);
	int (*volume_write)(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			    struct sf_err *err);

	/*
	 * Claims the live disk: no one else has it open for writing, and anyone who opens it before release
	 * is delayed or detected. -EBUSY if someone has it open, or if that cannot be determined. hold_check
	 * fails with -EBUSY if the claim was disturbed. Optional, all three together: without them, claims
	 * always succeed.
	 */
	int (*hold)(struct sf_volume *volume, struct sf_err *err);
	int (*hold_check)(struct sf_volume *volume, struct sf_err *err);
	void (*release)(struct sf_volume *volume);

	/*
	 * Pool and worst-case space, in bytes, that a create or revert needs. -ENOSPC if the state of the
	 * pool itself forbids it.
	 */
	int (*cost)(struct sf_volume *volume, enum sf_purpose purpose, const struct sf_object *object,
		    struct sf_space *ret_pool, uint64_t *ret_need_bytes, struct sf_err *err);

	/*
	 * Snapshots the volume at one point in time. Either the caller guarantees that no one writes to it,
	 * or the volume is `instant`. Polls job: -EINTR when cancelled. *ret is valid only on success.
	 */
	int (*create)(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		      struct sf_object_stat *ret, struct sf_err *err);
	/*
	 * Makes a created object durable, and checks what create could not check in time, such as whether it
	 * can be read; called once the guest is running again. Optional: create has done all that.
	 */
	int (*settle)(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);

	/*
	 * Also asked about an object that was made elsewhere: whether one with its token is where the
	 * snapshots of its origin would be. -ENOENT: the object is known not to exist. -ESTALE: it exists,
	 * but its content is lost. Any other error means that it is unreachable now, and says nothing about
	 * the object: -ENODEV if its place is missing, such as a file system that is not mounted or a VG that
	 * is gone.
	 */
	int (*stat)(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		    struct sf_err *err);
	/*
	 * Also cleans up after a crashed create of this token. Succeeds only if the place is known to be the
	 * one where the object was made; else -ENODEV, and the object may still exist.
	 */
	int (*remove)(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
	/*
	 * Calls fn for every object with our state id, complete or half-made, stored where origin's snapshots
	 * are stored. Stops at the first failure of fn and returns it.
	 */
	int (*list)(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		    struct sf_err *err);
	bool lists_directories; /* list gives the same result for all origins in one directory */
	/* Updates the labels after a change (a rename). Optional: the storage then keeps none. */
	int (*relabel)(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
	/*
	 * As list, for foreign snapshots of the volume: those without our state id. Optional: the storage
	 * cannot tell.
	 */
	int (*foreign)(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err);

	int (*image_open)(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
			  struct sf_err *err);
	/*
	 * Adds the object's data ranges, from the storage's own metadata, to *ret, whose size_bytes is set.
	 * May take long. Optional: the image itself reports holes. -EOPNOTSUPP if this object has no such
	 * map.
	 */
	int (*map)(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		   struct sf_err *err);

	/*
	 * Gives the live volume the object's content; the object stays unchanged. The volume is held, and the
	 * call ends the hold: it may need to, and what was held may be gone.
	 *
	 * At every instant, even after a crash, the volume's name leads to a complete disk, old or new, or a
	 * repeated call makes it so. -EINTR when cancelled. A failure leaves the volume unchanged; if that
	 * cannot be guaranteed, the error is -EUCLEAN and only a repeated call helps.
	 */
	int (*revert)(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		      struct sf_err *err);

	/*
	 * Makes a lost live disk again, durably, with the object's content; the object stays unchanged. spec
	 * is how the VM names the disk. A no-op if the disk exists. -EINVAL if spec does not lead to the
	 * object's origin. -EINTR when cancelled. Optional: a lost disk stays lost.
	 */
	int (*recreate)(struct sf_storage *storage, const char *spec, const struct sf_object *object,
			struct sf_job *job, struct sf_err *err);

	int (*space)(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err);
	/*
	 * Maintains the storage: waits for an event, at most wait_ms and only until wake_fd becomes readable.
	 * Then enlarges what is running full, deactivates what nobody reads, and calls fn for everything that
	 * can run full. Called repeatedly from a dedicated thread. Optional.
	 */
	int (*watch)(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		     struct sf_err *err);
	void (*close)(struct sf_storage *storage);
};

/* The base objects, embedded first by each backend. */
struct sf_storage {
	const struct sf_storage_ops *ops;
};

struct sf_volume {
	struct sf_storage *storage;
	char origin[SF_ORIGIN_MAX];
	bool held; /* set by sf_volume_hold() */
};

/* All registered backends. The set owns them. */
struct sf_storages {
	struct sf_storage *list[SF_STORAGES_MAX];
	size_t nstorages;
};

/* Takes ownership of storage. Adding more than SF_STORAGES_MAX is a bug. */
void sf_storages_add(struct sf_storages *set, struct sf_storage *storage);
void sf_storages_close(struct sf_storages *set);
/* NULL if no backend has that name. */
struct sf_storage *sf_storages_by_name(const struct sf_storages *set, const char *name);

/*
 * Opens a disk with the first backend that claims it. -EINVAL if none does, -ENOENT if its path does not
 * exist. Fails as the backend does that cannot tell.
 */
int sf_volume_open(const struct sf_storages *set, const char *vm, const struct sf_disk *disk,
		   struct sf_volume **ret, struct sf_err *err);
/* Accepts NULL. */
void sf_volume_close(struct sf_volume *volume);

int sf_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);
int sf_volume_notes(struct sf_volume *volume, sf_note_fn *fn, void *arg, struct sf_err *err);
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
/* Holds the volume unless the caller does. The hold ends with the call, even if it fails. */
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
/* -EOPNOTSUPP if this storage cannot. */
int sf_object_recreate(struct sf_storage *storage, const char *spec, const struct sf_object *object,
		       struct sf_job *job, struct sf_err *err);
int sf_object_image(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		    struct sf_err *err);
/* *ret may be uninitialised; it is untouched on failure. -EOPNOTSUPP if there is no map. */
int sf_object_map(struct sf_storage *storage, const struct sf_object *object, uint64_t size_bytes,
		  struct sf_extents *ret, struct sf_err *err);
int sf_volume_foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err);
/* -EOPNOTSUPP if this storage needs no watching. */
int sf_storage_watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		     struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of `mem`: trees of chunks in shared memory, copied when they are written (as btrfs does it).
 *
 * A tree has two levels of nodes above its chunks and each of them counts who refers to it, so a snapshot is
 * one more reference to the root, and what two trees share is never written. Whoever writes owns the path
 * first. world->lock guards everything but one thing: the tree of an object cannot change, so readers of
 * images walk it without the lock and look afterwards whether the object is still there (its generation).
 *
 * The volumes' and objects' roots are the truth. Counts and free space follow from them and are counted anew
 * when a process was killed inside the lock; changes are therefore ordered so that a root never leads to
 * anything half-made.
 */
#ifndef SF_BACKENDS_MEM_WORLD_H
#define SF_BACKENDS_MEM_WORLD_H

#include "core/contract/image.h"
#include "core/contract/storage.h"
#include "mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Chunks or nodes below one node; two levels of 64 KiB chunks cover 1 TiB, the largest disk. */
#define SF_MEM_FANOUT 4096
/* "mem:VM/VDEV" and its NUL. */
#define SF_MEM_ORIGIN (4 + SF_NAME_MAX + 1 + SF_VDEV_MAX + 1)

struct sf_mem_tree {
	_Atomic uint32_t root; /* 0: never written */
	uint32_t nchunks;
};

struct sf_mem_volume_slot {
	atomic_bool used;
	char origin[SF_MEM_ORIGIN];
	uint64_t size_bytes;
	struct sf_mem_tree tree;
};

/* What struct sf_object says of it beside token and origin. */
struct sf_mem_labels {
	struct sf_id uuid;
	unsigned index, ndisks;
	uint64_t taken_ns;
	char vdev[SF_VDEV_MAX + 1];
	char vm[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	char snapshot[SF_NAME_MAX + 1];
};

struct sf_mem_object_slot {
	atomic_bool used;
	_Atomic uint64_t generation; /* goes up when the object goes */
	struct sf_id state_id;
	struct sf_id token;
	char origin[SF_MEM_ORIGIN];
	struct sf_mem_labels labels;
	uint64_t size_bytes;
	struct sf_mem_tree tree;
};

/* Equal units, numbered from 1. */
struct sf_mem_pool {
	uint32_t count;
	uint32_t used;
	uint32_t hint; /* nothing below is free */
	uint32_t *refs;
	char *base;
	size_t unit;
};

struct sf_mem_world {
	pthread_mutex_t lock;
	size_t map_bytes;
	struct sf_mem_pool chunks;
	struct sf_mem_pool nodes;
	uint32_t nvolumes; /* slots ever used */
	uint32_t nobjects;
	struct sf_mem_volume_slot volumes[SF_MEM_VOLUMES_MAX];
	struct sf_mem_object_slot objects[SF_MEM_OBJECTS_MAX];
};

pthread_mutex_t *sf_mem_lock(struct sf_mem_world *world);

/* Under the lock. Ranges lie inside the disk. -ENOSPC may come after a part was written. */
int sf_mem_tree_write(struct sf_mem_world *world, struct sf_mem_tree *tree, const char *buf, size_t len,
		      uint64_t off, struct sf_err *err);
/* Makes *to a second name for the content of *from; what *to held is let go. */
void sf_mem_tree_share(struct sf_mem_world *world, const struct sf_mem_tree *from, struct sf_mem_tree *to);
void sf_mem_tree_drop(struct sf_mem_world *world, struct sf_mem_tree *tree);

/*
 * Under the lock or of a tree that cannot change; of a tree that went meanwhile the answer is nonsense but
 * safe.
 */
void sf_mem_tree_read(struct sf_mem_world *world, uint32_t root, char *buf, size_t len, uint64_t off);
/* The run of written or unwritten chunks at off, at most to the end of the node that holds it. */
void sf_mem_tree_extent(struct sf_mem_world *world, uint32_t root, uint64_t size_bytes, uint64_t off,
			struct sf_extent *ret);

/* mem_image.c. Under the lock. -ENOMEM. */
int sf_mem_image_open(struct sf_mem_world *world, const struct sf_mem_object_slot *slot,
		      struct sf_image **ret, struct sf_err *err);

#endif

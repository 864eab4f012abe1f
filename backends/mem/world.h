/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data structures of `mem`: trees of chunks in shared memory, copied on write (as in btrfs).
 *
 * A tree has two levels of nodes above its chunks. Nodes and chunks are reference-counted: a snapshot is one
 * more reference to the root. Shared nodes and chunks are never written; a writer first copies its path.
 * world->lock guards everything, with one exception: the tree of an object never changes, so readers of
 * images walk it without the lock, and check the object's generation afterwards.
 *
 * The roots in the volume and object slots are authoritative. When a process was killed under the lock, the
 * reference counts and the free space are recomputed from them. Updates are therefore ordered so that a root
 * never leads to an incomplete node or chunk.
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

/* Entries of a node. Two levels above chunks of 64 KiB cover 1 TiB, the largest disk. */
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

/* The fields of struct sf_object other than token and origin. */
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
	_Atomic uint64_t generation; /* incremented when the object is removed */
	struct sf_id state_id;
	struct sf_id token;
	char origin[SF_MEM_ORIGIN];
	struct sf_mem_labels labels;
	uint64_t size_bytes;
	struct sf_mem_tree tree;
};

/* Units of equal size, numbered from 1. */
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

/* Needs the lock. The range must lie inside the disk. -ENOSPC: a part may have been written. */
int sf_mem_tree_write(struct sf_mem_world *world, struct sf_mem_tree *tree, const char *buf, size_t len,
		      uint64_t off, struct sf_err *err);
/* Makes *to refer to the content of *from; releases what *to referred to. Needs the lock, as does drop. */
void sf_mem_tree_share(struct sf_mem_world *world, const struct sf_mem_tree *from, struct sf_mem_tree *to);
void sf_mem_tree_drop(struct sf_mem_world *world, struct sf_mem_tree *tree);

/*
 * Needs the lock, unless the tree cannot change. If the tree is removed during the call, the result is
 * meaningless but the call is safe.
 */
void sf_mem_tree_read(struct sf_mem_world *world, uint32_t root, char *buf, size_t len, uint64_t off);
/* The run of written or unwritten chunks from off, at most to the end of the node that covers it. */
void sf_mem_tree_extent(struct sf_mem_world *world, uint32_t root, uint64_t size_bytes, uint64_t off,
			struct sf_extent *ret);

/* Needs the lock. -ENOMEM. */
int sf_mem_image_open(struct sf_mem_world *world, const struct sf_mem_object_slot *slot,
		      struct sf_image **ret, struct sf_err *err);

#endif

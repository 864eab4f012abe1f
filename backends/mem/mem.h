/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage `mem`: disks that live in memory, specified as "mem:SIZE" (K, M, G suffixes, powers of 1024, whole
 * sectors of 512 bytes, 4 KiB to 1 TiB). Copy on write in chunks of SF_MEM_CHUNK, so a snapshot is instant
 * and holes are true. For trying snapfs out and for tests: the content goes with its world.
 */
#ifndef SF_BACKENDS_MEM_MEM_H
#define SF_BACKENDS_MEM_MEM_H

struct sf_backend_env;
struct sf_err;
struct sf_mem_world;
struct sf_storage;

#define SF_MEM_CHUNK (64 * 1024)
/* Of one world; the tables that hold them have a fixed place in it. */
#define SF_MEM_VOLUMES_MAX 256
#define SF_MEM_OBJECTS_MAX 4096

/*
 * The memory itself: a shared mapping, so that a world made before fork() outlives the children that change
 * it, as a disk outlives a crashed daemon. max_bytes bounds all content together (-ENOSPC above it); it is
 * address space, not memory, until it is written.
 */
int sf_mem_world_new(unsigned long long max_bytes, struct sf_mem_world **ret, struct sf_err *err);
void sf_mem_world_free(struct sf_mem_world *world);

/* world: NULL for one of its own, freed at close. */
int sf_mem_open(const struct sf_backend_env *env, struct sf_mem_world *world, struct sf_storage **ret,
		struct sf_err *err);

#endif

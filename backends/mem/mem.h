/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage `mem`: disks in memory, for tests and for trying snapfs out. Their content is lost with their
 * world.
 *
 * A disk is specified as "mem:SIZE": whole 512-byte sectors, 4 KiB to 1 TiB, with an optional suffix K, M or
 * G (powers of 1024). Disks are copy-on-write in chunks of SF_MEM_CHUNK, so a snapshot is instant, and
 * unwritten chunks are reported as holes.
 */
#ifndef SF_BACKENDS_MEM_MEM_H
#define SF_BACKENDS_MEM_MEM_H

struct sf_backend_env;
struct sf_err;
struct sf_mem_world;
struct sf_storage;

#define SF_MEM_CHUNK (64 * 1024)
/* Limits of one world, whose tables have a fixed size. */
#define SF_MEM_VOLUMES_MAX 256
#define SF_MEM_OBJECTS_MAX 4096

/*
 * Creates a world: the memory that holds the disks. It is a shared mapping, so a world created before fork()
 * outlives children that change it, as a disk outlives a crashed daemon.
 *
 * max_bytes limits all content together (-ENOSPC above it). It reserves address space; memory is used as it
 * is written. -EINVAL when out of range, -ENOMEM.
 */
int sf_mem_world_new(unsigned long long max_bytes, struct sf_mem_world **ret, struct sf_err *err);
void sf_mem_world_free(struct sf_mem_world *world);

/* world: NULL to create one, which closing the storage frees. */
int sf_mem_open(const struct sf_backend_env *env, struct sf_mem_world *world, struct sf_storage **ret,
		struct sf_err *err);

#endif

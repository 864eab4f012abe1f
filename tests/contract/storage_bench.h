/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bench of the storage suite: two live disks, a model of their content, and snapshots of both. */
#ifndef SF_TESTS_CONTRACT_STORAGE_BENCH_H
#define SF_TESTS_CONTRACT_STORAGE_BENCH_H

#include "base/err.h"
#include "core/contract/image.h"
#include "suite.h"

#define BENCH_SNAPS 32

struct snap {
	struct sf_object object;
	char *content; /* what the image must read as */
};

struct bench {
	const struct contract_storage *driver;
	void *ground;
	struct sf_disk disks[CONTRACT_DISKS];
	struct sf_id state_id;
	struct sf_storages ours;
	struct sf_storages foreign; /* storages of another state directory on the same ground */
	struct sf_volume *volumes[CONTRACT_DISKS];
	char origins[CONTRACT_DISKS][SF_ORIGIN_MAX]; /* objects outlive their volume and need it */
	char *models[CONTRACT_DISKS];
	uint64_t size;
	struct snap snaps[BENCH_SNAPS];
	size_t nsnaps;
	struct sf_err err;
};

/* cmocka's setup and teardown. The former expects the driver in *state and replaces it with the bench. */
int bench_setup(void **state);
int bench_teardown(void **state);

struct sf_storage *bench_storage(struct bench *bench);

/* Closes and reopens everything, as a new process does. */
void bench_reopen(struct bench *bench);

/* Writes a pattern derived from seed to the disk and to its model. */
void bench_write(struct bench *bench, size_t disk, uint64_t off, size_t len, uint64_t seed);
/* Asserts that the disk equals its model. */
void bench_check_disk(struct bench *bench, size_t disk);

/* A new object of the disk with a new token; nothing is created yet. */
struct sf_object bench_object(struct bench *bench, size_t disk);
/* Creates and settles a snapshot of the disk. */
const struct snap *bench_take(struct bench *bench, size_t disk);
/* Asserts that the image reads as the disk did when the snapshot was taken. */
void bench_check_snap(struct bench *bench, const struct snap *snap);
void bench_revert(struct bench *bench, size_t disk, const struct snap *snap);
struct sf_image *bench_image(struct bench *bench, const struct sf_object *object);

/*
 * Counts how often the disk's list contains the token. Asserts that every token in the list has a location.
 */
size_t bench_listed(struct bench *bench, size_t disk, const struct sf_id *token);
/* The number of objects in the disk's list. */
size_t bench_list_length(struct bench *bench, size_t disk);

#endif

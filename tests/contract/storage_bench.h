/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the cases of the storage suite work with: two live disks, a model of what they hold, and snapshots of
 * both.
 */
#ifndef SF_TESTS_CONTRACT_STORAGE_BENCH_H
#define SF_TESTS_CONTRACT_STORAGE_BENCH_H

#include "base/err.h"
#include "core/contract/image.h"
#include "suite.h"

#define BENCH_SNAPS 32

struct snap {
	struct sf_object object;
	char *content; /* what its image must read as */
};

struct bench {
	const struct contract_storage *driver;
	void *ground;
	struct sf_disk disks[CONTRACT_DISKS];
	struct sf_id state_id;
	struct sf_storages ours;
	struct sf_storages foreign; /* the same ground, another state directory */
	struct sf_volume *volumes[CONTRACT_DISKS];
	char origins[CONTRACT_DISKS]
		    [SF_ORIGIN_MAX]; /* theirs, which objects have for longer than a volume is open */
	char *models[CONTRACT_DISKS];
	uint64_t size;
	struct snap snaps[BENCH_SNAPS];
	size_t nsnaps;
	struct sf_err err;
};

/* cmocka's setup and teardown; *state is the driver before. */
int bench_setup(void **state);
int bench_teardown(void **state);

struct sf_storage *bench_storage(struct bench *bench);

/* Closes everything and opens it again, as a new process would. */
void bench_reopen(struct bench *bench);

/* Writes what follows from seed, to the disk and to its model. */
void bench_write(struct bench *bench, size_t disk, uint64_t off, size_t len, uint64_t seed);
/* The disk holds what its model does. */
void bench_check_disk(struct bench *bench, size_t disk);

/* A new object of the disk with a new token, not created yet. */
struct sf_object bench_object(struct bench *bench, size_t disk);
/* Creates and settles a snapshot. */
const struct snap *bench_take(struct bench *bench, size_t disk);
/* The image reads as the disk was. */
void bench_check_snap(struct bench *bench, const struct snap *snap);
void bench_revert(struct bench *bench, size_t disk, const struct snap *snap);
struct sf_image *bench_image(struct bench *bench, const struct sf_object *object);

/* How often the list for the disk names the token; every token is checked to have a place. */
size_t bench_listed(struct bench *bench, size_t disk, const struct sf_id *token);
/* How many objects it names. */
size_t bench_list_length(struct bench *bench, size_t disk);

#endif

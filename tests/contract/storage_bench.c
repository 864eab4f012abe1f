/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage_bench.h"

#include "base/clock.h"
#include "core/views/mapped.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A piece that fits no block size, so images are read unaligned and beyond their end. */
#define ODD_PIECE (100 * 1024 + 7)

static void open_volumes(struct bench *bench)
{
	for (size_t i = 0; i < CONTRACT_DISKS; i++) {
		contract_ok(sf_volume_open(&bench->ours, CONTRACT_VM, &bench->disks[i], &bench->volumes[i],
					   &bench->err),
			    &bench->err);
		memcpy(bench->origins[i], bench->volumes[i]->origin, sizeof(bench->origins[i]));
	}
}

static void open_all(struct bench *bench)
{
	struct sf_id other = bench->state_id;

	other.bytes[0] ^= 0xff;
	sf_storages_add(&bench->ours, bench->driver->open(bench->ground, &bench->state_id));
	sf_storages_add(&bench->foreign, bench->driver->open(bench->ground, &other));
	open_volumes(bench);
}

static void close_all(struct bench *bench)
{
	for (size_t i = 0; i < CONTRACT_DISKS; i++) {
		sf_volume_close(bench->volumes[i]);
		bench->volumes[i] = NULL;
	}
	sf_storages_close(&bench->foreign);
	sf_storages_close(&bench->ours);
}

int bench_setup(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct sf_volume_stat st;

	assert_non_null(bench);
	bench->driver = *state;
	bench->state_id = sf_id_new();
	bench->ground = bench->driver->setup(bench->disks);
	open_all(bench);
	contract_ok(sf_volume_stat(bench->volumes[0], &st, &bench->err), &bench->err);
	bench->size = st.size_bytes;
	assert_true(bench->size >= CONTRACT_DISK_BYTES);
	for (size_t i = 0; i < CONTRACT_DISKS; i++) {
		bench->models[i] = calloc(1, bench->size);
		assert_non_null(bench->models[i]);
	}
	*state = bench;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *bench = *state;

	close_all(bench);
	bench->driver->teardown(bench->ground);
	for (size_t i = 0; i < bench->nsnaps; i++)
		free(bench->snaps[i].content);
	for (size_t i = 0; i < CONTRACT_DISKS; i++)
		free(bench->models[i]);
	free(bench);
	return 0;
}

struct sf_storage *bench_storage(struct bench *bench)
{
	return bench->ours.list[0];
}

void bench_reopen(struct bench *bench)
{
	close_all(bench);
	open_all(bench);
}

static void fill(char *buf, size_t len, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15U + 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 6364136223846793005U + 1442695040888963407U;
		buf[i] = (char)(x >> 56);
	}
}

void bench_write(struct bench *bench, size_t disk, uint64_t off, size_t len, uint64_t seed)
{
	char *at = bench->models[disk] + off;

	fill(at, len, seed);
	contract_ok(sf_volume_write(bench->volumes[disk], at, len, off, &bench->err), &bench->err);
}

void bench_check_disk(struct bench *bench, size_t disk)
{
	char *content = malloc(bench->size);

	assert_non_null(content);
	contract_ok(sf_volume_read(bench->volumes[disk], content, bench->size, 0, &bench->err), &bench->err);
	assert_memory_equal(content, bench->models[disk], bench->size);
	free(content);
}

struct sf_object bench_object(struct bench *bench, size_t disk)
{
	struct sf_object object = {.token = sf_id_new(),
				   .uuid = sf_id_new(),
				   .index = (unsigned)disk,
				   .ndisks = CONTRACT_DISKS,
				   .origin = bench->origins[disk],
				   .taken_ns = sf_clock_real_ns(),
				   .vm = CONTRACT_VM,
				   .snapshot = "of the contract"};

	memcpy(object.vdev, bench->disks[disk].vdev, sizeof(object.vdev));
	return object;
}

const struct snap *bench_take(struct bench *bench, size_t disk)
{
	struct snap *snap = &bench->snaps[bench->nsnaps];
	struct sf_object_stat st;

	assert_true(bench->nsnaps < BENCH_SNAPS);
	snap->object = bench_object(bench, disk);
	snap->content = malloc(bench->size);
	assert_non_null(snap->content);
	bench->nsnaps++;
	memcpy(snap->content, bench->models[disk], bench->size);
	contract_ok(sf_object_create(bench->volumes[disk], &snap->object, NULL, &st, &bench->err),
		    &bench->err);
	assert_int_equal(st.size_bytes, bench->size);
	contract_ok(sf_object_settle(bench_storage(bench), &snap->object, &bench->err), &bench->err);
	return snap;
}

struct sf_image *bench_image(struct bench *bench, const struct sf_object *object)
{
	struct sf_image *image = NULL;

	contract_ok(sf_object_image_mapped(bench_storage(bench), object, -1, "", &image, &bench->err),
		    &bench->err);
	assert_int_equal(image->size_bytes, bench->size);
	return image;
}

void bench_check_snap(struct bench *bench, const struct snap *snap)
{
	struct sf_image *image = bench_image(bench, &snap->object);
	char *piece = malloc(ODD_PIECE);
	uint64_t off = 0;
	size_t len = 1;

	assert_non_null(piece);
	while (len > 0) {
		contract_ok(sf_image_pread(image, piece, ODD_PIECE, off, &len, &bench->err), &bench->err);
		assert_true(len <= bench->size - off);
		assert_memory_equal(piece, snap->content + off, len);
		off += len;
	}
	assert_int_equal(off, bench->size);
	free(piece);
	sf_image_close(image);
}

void bench_revert(struct bench *bench, size_t disk, const struct snap *snap)
{
	contract_ok(sf_volume_revert(bench->volumes[disk], &snap->object, NULL, &bench->err), &bench->err);
	memcpy(bench->models[disk], snap->content, bench->size);
}

struct count {
	const struct sf_id *token; /* NULL: all */
	size_t n;
};

static int count_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct count *count = arg;

	(void)where; /* checked by core/contract/storage_listing.c */
	(void)err;
	count->n += !count->token || sf_id_equal(count->token, &object->token);
	return 0;
}

size_t bench_listed(struct bench *bench, size_t disk, const struct sf_id *token)
{
	struct count count = {token, 0};

	contract_ok(sf_object_list(bench_storage(bench), bench->volumes[disk]->origin, count_object, &count,
				   &bench->err),
		    &bench->err);
	return count.n;
}

size_t bench_list_length(struct bench *bench, size_t disk)
{
	return bench_listed(bench, disk, NULL);
}

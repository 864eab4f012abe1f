/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases of the storage suite: images of snapshots and their readers. */
#include "storage_bench.h"
#include "storage_cases.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define G CONTRACT_GRANULE

static void check_read(struct bench *bench, struct sf_image *image, const struct snap *snap, uint64_t off,
		       size_t len, size_t expected)
{
	char *buf = malloc(len);
	size_t got = SIZE_MAX;

	assert_non_null(buf);
	contract_ok(sf_image_pread(image, buf, len, off, &got, &bench->err), &bench->err);
	assert_int_equal(got, expected);
	if (got > 0)
		assert_memory_equal(buf, snap->content + off, got);
	free(buf);
}

static void images_are_read_at_any_offset(void **state)
{
	struct bench *bench = *state;
	const struct snap *snap;
	struct sf_image *image;

	bench_write(bench, 0, G, 3 * G, 1);
	bench_write(bench, 0, bench->size - 100, 100, 2);
	snap = bench_take(bench, 0);
	image = bench_image(bench, &snap->object);
	check_read(bench, image, snap, G - 1, 3, 3);
	check_read(bench, image, snap, 2 * G - 511, 1023, 1023);
	check_read(bench, image, snap, 4 * G - 4096, 8192, 8192);
	check_read(bench, image, snap, 0, bench->size, bench->size);
	check_read(bench, image, snap, bench->size - 1, 1, 1);
	check_read(bench, image, snap, bench->size - 50, 4096, 50);
	check_read(bench, image, snap, bench->size, 1, 0);
	check_read(bench, image, snap, UINT64_MAX - 5, 4096, 0);
	sf_image_close(image);
}

static void check_seek(struct bench *bench, struct sf_image *image, uint64_t off, bool data,
		       uint64_t expected)
{
	uint64_t found = UINT64_MAX;

	contract_ok(sf_image_seek(image, off, data, &found, &bench->err), &bench->err);
	assert_int_equal(found, expected);
}

static void no_seek(struct bench *bench, struct sf_image *image, uint64_t off, bool data)
{
	uint64_t found;

	assert_int_equal(sf_image_seek(image, off, data, &found, &bench->err), -ENXIO);
}

static void holes_are_where_nothing_was_written(void **state)
{
	struct bench *bench = *state;
	struct sf_object_stat st;
	const struct snap *snap;
	struct sf_image *image;
	uint64_t bytes = 0;

	bench_write(bench, 0, 2 * G, G, 1);
	bench_write(bench, 0, 8 * G, 2 * G, 2);
	snap = bench_take(bench, 0);
	bench_write(bench, 0, 0, 16 * G, 3);
	image = bench_image(bench, &snap->object);
	check_seek(bench, image, 0, true, 2 * G);
	check_seek(bench, image, 0, false, 0);
	check_seek(bench, image, 2 * G, false, 3 * G);
	check_seek(bench, image, 2 * G + 5, true, 2 * G + 5);
	check_seek(bench, image, 3 * G, true, 8 * G);
	check_seek(bench, image, 9 * G, false, 10 * G);
	no_seek(bench, image, 10 * G, true);
	check_seek(bench, image, bench->size - 1, false, bench->size - 1);
	no_seek(bench, image, bench->size, true);
	no_seek(bench, image, bench->size, false);
	contract_ok(sf_image_data_bytes(image, &bytes, &bench->err), &bench->err);
	assert_int_equal(bytes, 3 * G);
	contract_ok(sf_object_stat(bench_storage(bench), &snap->object, &st, &bench->err), &bench->err);
	assert_true(st.allocated_bytes >= 3 * G && st.allocated_bytes < bench->size);
	sf_image_close(image);
}

static void the_end_of_a_full_image_is_a_hole(void **state)
{
	struct bench *bench = *state;
	struct sf_image *image;

	bench_write(bench, 0, 0, bench->size, 1);
	image = bench_image(bench, &bench_take(bench, 0)->object);
	check_seek(bench, image, 0, true, 0);
	check_seek(bench, image, 0, false, bench->size);
	check_seek(bench, image, bench->size - 1, true, bench->size - 1);
	sf_image_close(image);
}

static void a_snapshot_of_a_blank_disk_is_blank(void **state)
{
	struct bench *bench = *state;
	const struct snap *snap = bench_take(bench, 0);
	struct sf_image *image;

	bench_write(bench, 0, 0, 4 * G, 1);
	bench_check_snap(bench, snap);
	image = bench_image(bench, &snap->object);
	no_seek(bench, image, 0, true);
	check_seek(bench, image, 5, false, 5);
	sf_image_close(image);
}

/* --- Concurrency --- */

#define NREADERS 2

struct reader {
	struct sf_image *image;
	const struct snap *snap;
	uint64_t size;
	atomic_bool *stop;
	unsigned nrounds;
	unsigned nwrong; /* cmocka's assertions work in the main thread only */
};

static void *read_and_compare(void *arg)
{
	struct reader *reader = arg;
	char *buf = malloc(G);

	while (buf && (!atomic_load(reader->stop) || reader->nrounds == 0)) {
		for (uint64_t off = 0; off < reader->size; off += G) {
			size_t len = 0;
			int rc = sf_image_pread(reader->image, buf, G, off, &len, NULL);

			reader->nwrong += rc < 0 || memcmp(buf, reader->snap->content + off, len) != 0;
		}
		reader->nrounds++;
	}
	free(buf);
	return NULL;
}

static void create_and_remove(struct bench *bench, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct sf_object object = bench_object(bench, 0);
		struct sf_object_stat st;

		bench_write(bench, 0, (i % 16) * G, 4 * G, 100 + i);
		contract_ok(sf_object_create(bench->volumes[0], &object, NULL, &st, &bench->err),
			    &bench->err);
		contract_ok(sf_object_remove(bench_storage(bench), &object, &bench->err), &bench->err);
	}
}

static void readers_go_on_while_others_come_and_go(void **state)
{
	struct bench *bench = *state;
	struct reader readers[NREADERS];
	pthread_t threads[NREADERS];
	const struct snap *snap;
	atomic_bool stop = false;

	bench_write(bench, 0, 0, 16 * G, 1);
	snap = bench_take(bench, 0);
	for (size_t i = 0; i < NREADERS; i++) {
		readers[i] =
			(struct reader){bench_image(bench, &snap->object), snap, bench->size, &stop, 0, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, read_and_compare, &readers[i]), 0);
	}
	create_and_remove(bench, bench->driver->slow ? 6 : 25);
	atomic_store(&stop, true);
	for (size_t i = 0; i < NREADERS; i++) {
		pthread_join(threads[i], NULL);
		sf_image_close(readers[i].image);
		assert_true(readers[i].nrounds > 0);
		assert_int_equal(readers[i].nwrong, 0);
	}
	bench_check_disk(bench, 0);
}

size_t storage_image_cases(const struct contract_case **ret)
{
	static const struct contract_case cases[] = {
		CONTRACT_CASE(images_are_read_at_any_offset, 0),
		CONTRACT_CASE(holes_are_where_nothing_was_written, NEEDS_HOLES),
		CONTRACT_CASE(the_end_of_a_full_image_is_a_hole, 0),
		CONTRACT_CASE(a_snapshot_of_a_blank_disk_is_blank, NEEDS_HOLES),
		CONTRACT_CASE(readers_go_on_while_others_come_and_go, 0),
	};

	*ret = cases;
	return sizeof(cases) / sizeof(cases[0]);
}

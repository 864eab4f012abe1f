/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares our reading of exception stores that the kernel writes with a list of writes to the origin.
 * tests/vm/cases/device-mapper makes the devices.
 */
#include "backends/lvm/cow_store.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "commands.h"
#include "core/contract/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define KIB ((uint64_t)1024)
/* The size of one write to the origin. */
#define PIECE  512
#define WRITES 300

static uint64_t size_of(int fd)
{
	uint64_t size = 0;

	assert_int_equal(ioctl(fd, BLKGETSIZE64, &size), 0);
	return size;
}

static int open_device(const char *name, int flags)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	fd = open(path, flags | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		fail_msg("open %s: %s", path, strerror(errno));
	return fd;
}

static void write_at(int fd, uint64_t off)
{
	static _Alignas(4096) char piece[PIECE];

	assert_int_equal(pwrite(fd, piece, sizeof(piece), (off_t)off), sizeof(piece));
}

/* Asserts that the store and copied agree on every chunk. */
static void agrees(const char *cow, uint64_t chunk, uint64_t size, const bool *copied)
{
	struct sf_extents extents = {.size_bytes = size};
	int fd = open_device(cow, O_RDONLY);
	uint64_t read_chunk = 0, off = 0, len;
	struct sf_err err = {0};
	bool data;

	if (sf_cow_store_read(fd, cow, &extents, &read_chunk, &err) < 0)
		fail_msg("%s", err.text);
	close(fd);
	assert_int_equal(read_chunk, chunk);
	for (; off < size; off += len) {
		len = sf_extents_at(&extents, off, &data);
		assert_true(len > 0 && len <= size - off);
		for (uint64_t at = off / chunk; at < (off + len + chunk - 1) / chunk; at++)
			if (copied[at] != data)
				fail_msg("%s: chunk %ju is %s", cow, (uintmax_t)at,
					 data ? "reported as copied" : "not reported as copied");
	}
	sf_extents_fini(&extents);
}

/* Writes to random places of the origin, and compares after one write, after a few, and after all. */
static void check_writes(const char *origin, const char *cow, uint64_t chunk, unsigned *seed)
{
	int fd = open_device(origin, O_WRONLY);
	uint64_t size = size_of(fd);
	bool *copied = calloc(size / chunk + 1, sizeof(*copied));

	assert_non_null(copied);
	agrees(cow, chunk, size, copied);
	write_at(fd, size - PIECE);
	copied[(size - PIECE) / chunk] = true;
	agrees(cow, chunk, size, copied);
	for (int i = 0; i < WRITES; i++) {
		uint64_t off = (uint64_t)rand_r(seed) % (size / PIECE) * PIECE;

		write_at(fd, off);
		copied[off / chunk] = true;
		if (i == 10)
			agrees(cow, chunk, size, copied);
	}
	agrees(cow, chunk, size, copied);
	free(copied);
	close(fd);
}

static void stores_of_lvm_agree_with_what_was_written(void **state)
{
	unsigned *seed = *state;

	check_writes("sf--dm-o4", "sf--dm-s4-cow", 4 * KIB, seed);
	check_writes("sf--dm-o64", "sf--dm-s64-cow", 64 * KIB, seed);
	check_writes("sf--dm-o256", "sf--dm-s256-cow", 256 * KIB, seed);
}

/* Chunk sizes that the kernel supports and LVM does not make, and an origin that ends within a chunk. */
static void stores_of_odd_sizes_agree_with_what_was_written(void **state)
{
	unsigned *seed = *state;

	check_writes("sf-dm-odd1", "sf-dm-odd1-cow", 512, seed);
	check_writes("sf-dm-odd16", "sf-dm-odd16-cow", 8 * KIB, seed);
}

static void a_store_is_read_while_it_is_written_to(void **state)
{
	int origin = open_device("sf--dm-busy", O_WRONLY),
	    cow = open_device("sf--dm-busy.snap-cow", O_RDONLY);
	struct sf_extents extents = {.size_bytes = size_of(origin)};
	uint64_t chunk, before = 0;

	(void)state;
	for (uint64_t off = 0; off < extents.size_bytes / 2; off += 4 * KIB) {
		write_at(origin, off);
		if (off % (64 * KIB) != 0)
			continue;
		assert_int_equal(sf_cow_store_read(cow, "cow", &extents, &chunk, NULL), 0);
		assert_int_equal(sf_extents_bytes(&extents), off + 4 * KIB);
		assert_true(sf_extents_bytes(&extents) > before);
		before = sf_extents_bytes(&extents);
	}
	sf_extents_fini(&extents);
	close(origin);
	close(cow);
}

struct reader {
	atomic_bool go;
	uint64_t size;
	int nread;
	int rc;
	struct sf_err err;
};

/* Reads until a read fails, which must happen in the end. */
static void *read_until_it_fails(void *arg)
{
	struct sf_extents extents = {0};
	int fd = open_device("sf--dm-over.snap-cow", O_RDONLY);
	struct reader *reader = arg;
	uint64_t chunk;

	extents.size_bytes = reader->size;
	while (reader->rc == 0) {
		reader->rc = sf_cow_store_read(fd, "cow", &extents, &chunk, &reader->err);
		reader->nread += reader->rc == 0;
		atomic_store(&reader->go, true);
	}
	sf_extents_fini(&extents);
	close(fd);
	return NULL;
}

static void an_overflow_under_a_reader_is_stale_and_nothing_else(void **state)
{
	int origin = open_device("sf--dm-over", O_WRONLY);
	struct reader reader = {.size = size_of(origin)};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_until_it_fails, &reader), 0);
	while (!atomic_load(&reader.go))
		sched_yield();
	for (uint64_t off = 0; off < reader.size; off += 4 * KIB)
		write_at(origin, off);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(origin);
	printf("# read %d times before the overflow\n", reader.nread);
	assert_true(reader.nread > 0);
	if (reader.rc != -ESTALE || !strstr(reader.err.text, "overflowed"))
		fail_msg("%d: %s", reader.rc, reader.err.text);
}

int main(void)
{
	const char *given = getenv("SNAPFS_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(stores_of_lvm_agree_with_what_was_written, &seed),
		cmocka_unit_test_prestate(stores_of_odd_sizes_agree_with_what_was_written, &seed),
		cmocka_unit_test(a_store_is_read_while_it_is_written_to),
		cmocka_unit_test(an_overflow_under_a_reader_is_stale_and_nothing_else),
	};

	printf("# SNAPFS_TEST_SEED=%u\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

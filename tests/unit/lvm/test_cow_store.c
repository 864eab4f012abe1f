/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of exception stores. The stores are made here in the format of Linux's dm-snap-persistent.c, and
 * some are damaged.
 */
#include "backends/lvm/cow_store.h"

#include "base/err.h"
#include "core/contract/extents.h"
#include "lib/tmpdir.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB ((uint64_t)1024)
#define MIB (1024 * KIB)

/* Simulates the kernel: after the reads_until_change-th read, the header gets this value. */
static struct {
	int fd;
	int reads_until_change;
	off_t off;
	uint32_t value;
} change;

/* Replaces the C library's pread(): all reads of the store come here. */
ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	struct iovec piece = {.iov_base = buf, .iov_len = len};
	ssize_t n = preadv(fd, &piece, 1, off);
	uint32_t value = htole32(change.value);

	if (change.reads_until_change > 0 && --change.reads_until_change == 0)
		assert_int_equal(pwrite(change.fd, &value, sizeof(value), change.off), sizeof(value));
	return n;
}

/* A store in memory; it is written to a file to be read. */
struct store {
	uint64_t chunk;
	uint64_t size;
	uint64_t n; /* exceptions so far */
	uint8_t *bytes;
};

static void set32(struct store *s, uint64_t off, uint32_t value)
{
	value = htole32(value);
	memcpy(s->bytes + off, &value, sizeof(value));
}

static void set64(struct store *s, uint64_t off, uint64_t value)
{
	value = htole64(value);
	memcpy(s->bytes + off, &value, sizeof(value));
}

static struct store new_store(uint64_t chunk, uint64_t size)
{
	struct store s = {.chunk = chunk, .size = size, .bytes = malloc(size)};

	assert_non_null(s.bytes);
	memset(s.bytes, 0xa5, size); /* stale data of the disk */
	set32(&s, 0, 0x70416e53);
	set32(&s, 4, 1);
	set32(&s, 8, 1);
	set32(&s, 12, (uint32_t)(chunk / 512));
	memset(s.bytes + chunk, 0, chunk);
	return s;
}

static uint64_t entries_in_area(const struct store *s)
{
	return s->chunk / 16;
}

static uint64_t entry_off(const struct store *s, uint64_t i)
{
	return (1 + i / entries_in_area(s) * (entries_in_area(s) + 1)) * s->chunk +
	       i % entries_in_area(s) * 16;
}

/*
 * Does what the kernel does: takes the next free chunk, skipping areas; when an area is full, wipes the next
 * one.
 */
static void copy_chunk(struct store *s, uint64_t old)
{
	uint64_t off = entry_off(s, s->n);

	set64(s, off, old);
	set64(s, off + 8, 2 + s->n + s->n / entries_in_area(s));
	s->n++;
	if (s->n % entries_in_area(s) == 0)
		memset(s->bytes + entry_off(s, s->n), 0, s->chunk);
}

static int open_store(const struct store *s, int flags)
{
	char dir[128], path[160];
	int fd;

	assert_non_null(test_tmpdir(dir, sizeof(dir), "cow"));
	(void)snprintf(path, sizeof(path), "%s/store", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, s->bytes, s->size, 0), s->size);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	return fd;
}

/* Reads the store and frees s. */
static int read_store(struct store *s, struct sf_extents *ret, uint64_t *ret_chunk, struct sf_err *err)
{
	int fd = open_store(s, 0), rc;

	assert_true(fd >= 0);
	rc = sf_cow_store_read(fd, "vg-snap-cow", ret, ret_chunk, err);
	close(fd);
	free(s->bytes);
	return rc;
}

static void has_range(const struct sf_extents *extents, size_t i, uint64_t off, uint64_t len)
{
	assert_true(i < extents->n);
	assert_int_equal(extents->list[i].off, off);
	assert_int_equal(extents->list[i].len, len);
}

/* Reads the store and frees s. Asserts that it is refused with this text and that no output is set. */
static void refused(struct store *s, int want, const char *text)
{
	struct sf_extents extents = {.size_bytes = MIB};
	uint64_t chunk = 77;
	struct sf_err err = {0};

	assert_int_equal(sf_extents_add(&extents, 0, 512, NULL), 0);
	assert_int_equal(read_store(s, &extents, &chunk, &err), want);
	assert_int_equal(err.code, want);
	if (!strstr(err.text, text) || !strstr(err.text, "vg-snap-cow"))
		fail_msg("'%s' does not say '%s'", err.text, text);
	assert_int_equal(chunk, 77);
	assert_int_equal(extents.n, 1);
	assert_int_equal(extents.size_bytes, MIB);
	sf_extents_fini(&extents);
}

static void an_empty_store_has_no_ranges(void **state)
{
	struct store s = new_store(4 * KIB, 8 * KIB);
	struct sf_extents extents = {.size_bytes = MIB};
	uint64_t chunk = 0;

	(void)state;
	assert_int_equal(sf_extents_add(&extents, 0, 512, NULL), 0);
	assert_int_equal(read_store(&s, &extents, &chunk, NULL), 0);
	assert_int_equal(chunk, 4 * KIB);
	assert_int_equal(extents.n, 0);
	assert_int_equal(extents.size_bytes, MIB);
	sf_extents_fini(&extents);
}

static void unsorted_exceptions_become_sorted_ranges(void **state)
{
	static const uint64_t chunks[] = {200, 7, 3, 6, 64, 63, 0, 255};
	struct store s = new_store(4 * KIB, MIB);
	struct sf_extents extents = {.size_bytes = MIB};
	uint64_t chunk = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		copy_chunk(&s, chunks[i]);
	assert_int_equal(read_store(&s, &extents, &chunk, NULL), 0);
	assert_int_equal(extents.n, 6);
	has_range(&extents, 0, 0, 4 * KIB);
	has_range(&extents, 1, 3 * 4 * KIB, 4 * KIB);
	has_range(&extents, 2, 6 * 4 * KIB, 8 * KIB);
	has_range(&extents, 3, 63 * 4 * KIB, 8 * KIB);
	has_range(&extents, 4, 200 * 4 * KIB, 4 * KIB);
	has_range(&extents, 5, 255 * 4 * KIB, 4 * KIB);
	sf_extents_fini(&extents);
}

static void the_last_chunk_may_be_a_partial_one(void **state)
{
	struct store s = new_store(64 * KIB, MIB);
	struct sf_extents extents = {.size_bytes = 3 * 64 * KIB + 512};
	uint64_t chunk = 0;

	(void)state;
	copy_chunk(&s, 3);
	copy_chunk(&s, 1);
	assert_int_equal(read_store(&s, &extents, &chunk, NULL), 0);
	assert_int_equal(chunk, 64 * KIB);
	assert_int_equal(extents.n, 2);
	has_range(&extents, 0, 64 * KIB, 64 * KIB);
	has_range(&extents, 1, 3 * 64 * KIB, 512);
	sf_extents_fini(&extents);
	s = new_store(64 * KIB, MIB);
	copy_chunk(&s, 16); /* first chunk beyond the origin of 1 MiB */
	refused(&s, -EPROTO, "chunk 16 is beyond the snapshot's end");
}

static void areas_follow_each_other(void **state)
{
	static const uint64_t counts[] = {31, 32, 33, 64, 65, 2000};

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct store s = new_store(512, 2 * MIB); /* 32 entries in an area */
		struct sf_extents extents = {.size_bytes = 4 * MIB};
		uint64_t chunk = 0;

		for (uint64_t k = 0; k < counts[i]; k++)
			copy_chunk(&s, counts[i] - 1 - k);
		assert_int_equal(read_store(&s, &extents, &chunk, NULL), 0);
		assert_int_equal(chunk, 512);
		assert_int_equal(extents.n, 1);
		has_range(&extents, 0, 0, counts[i] * 512);
		sf_extents_fini(&extents);
	}
}

static void a_store_is_read_with_o_direct(void **state)
{
	struct store s = new_store(4 * KIB, 2 * MIB);
	struct sf_extents extents = {.size_bytes = 4 * MIB};
	uint64_t chunk = 0;
	int fd;

	(void)state;
	for (uint64_t k = 0; k < 300; k++)
		copy_chunk(&s, 2 * k);
	fd = open_store(&s, O_DIRECT);
	free(s.bytes);
	if (fd < 0) {
		printf("# skipped: no O_DIRECT here\n");
		return;
	}
	assert_int_equal(sf_cow_store_read(fd, "store", &extents, &chunk, NULL), 0);
	close(fd);
	assert_int_equal(extents.n, 300);
	assert_int_equal(sf_extents_bytes(&extents), 300 * 4 * KIB);
	sf_extents_fini(&extents);
}

static void an_overflowed_store_is_stale(void **state)
{
	struct store s = new_store(4 * KIB, MIB);

	(void)state;
	copy_chunk(&s, 5);
	set32(&s, 4, 0);
	refused(&s, -ESTALE, "overflowed");
}

/* Reads the store while its header changes, after the header and the only area of the list have been read. */
static void changes_meanwhile(struct store *s, off_t off, uint32_t value, int want, const char *text)
{
	struct sf_extents extents = {.size_bytes = MIB};
	struct sf_err err = {0};
	uint64_t chunk = 77;
	int fd = open_store(s, 0);
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	change.fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(change.fd >= 0);
	change.off = off;
	change.value = value;
	change.reads_until_change = 2;
	assert_int_equal(sf_cow_store_read(fd, "vg-snap-cow", &extents, &chunk, &err), want);
	assert_int_equal(change.reads_until_change, 0);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	assert_int_equal(chunk, 77);
	close(change.fd);
	close(fd);
	free(s->bytes);
}

static void an_overflow_while_reading_is_stale(void **state)
{
	struct store s = new_store(4 * KIB, MIB);

	(void)state;
	copy_chunk(&s, 5);
	changes_meanwhile(&s, 4, 0, -ESTALE, "overflowed");
	s = new_store(4 * KIB, MIB);
	memset(s.bytes + s.chunk, 0xa5, s.chunk); /* garbage, which the changed header explains */
	changes_meanwhile(&s, 4, 0, -ESTALE, "overflowed");
}

static void another_store_in_its_place_is_refused(void **state)
{
	struct store s = new_store(4 * KIB, MIB);

	(void)state;
	changes_meanwhile(&s, 12, 16, -EPROTO, "it was replaced");
	s = new_store(4 * KIB, MIB);
	changes_meanwhile(&s, 0, 0, -EPROTO, "has no valid header");
	s = new_store(4 * KIB, MIB);
	memset(s.bytes + s.chunk, 0xa5, s.chunk);
	changes_meanwhile(&s, 0, 0, -EPROTO, "beyond the snapshot's end");
}

static void other_headers_are_refused(void **state)
{
	static const struct {
		uint64_t off;
		uint32_t value;
		const char *text;
	} bad[] = {
		{0, 0, "has no valid header"},
		{0, 0x70416e54, "has no valid header"},
		{4, 2, "neither valid nor invalid"},
		{8, 0, "version 0, not 1"},
		{8, 2, "version 2, not 1"},
		{12, 0, "chunks of 0 bytes"},
		{12, 3, "chunks of 1536 bytes"},
		{12, 65536, "chunks of 33554432 bytes"},
		{12, 0x80000000, "chunks of 1099511627776 bytes"},
		{12, 0xffffffff, "chunks of 2199023255040 bytes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct store s = new_store(4 * KIB, MIB);

		set32(&s, bad[i].off, bad[i].value);
		refused(&s, -EPROTO, bad[i].text);
	}
}

static void a_store_that_is_cut_short_is_refused(void **state)
{
	static const struct {
		uint64_t size;
		const char *text;
	} cuts[] = {
		{0, "too small"},
		{4095, "too small"},
		{4 * KIB, "list of copies extends beyond"},
		{8 * KIB - 1, "list of copies extends beyond"},
		{8 * KIB, "copied to beyond the store's end"},
		{257 * 4 * KIB, "copied to beyond the store's end"},
		{258 * 4 * KIB, "list of copies extends beyond"},
		{259 * 4 * KIB - 1, "list of copies extends beyond"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct store s = new_store(4 * KIB, 2 * MIB);

		for (uint64_t k = 0; k < 256; k++) /* fills one area */
			copy_chunk(&s, k);
		s.size = cuts[i].size;
		refused(&s, -EPROTO, cuts[i].text);
	}
}

static void a_list_that_contradicts_itself_is_refused(void **state)
{
	struct store s;

	(void)state;
	s = new_store(4 * KIB, MIB);
	copy_chunk(&s, 9);
	copy_chunk(&s, 8);
	copy_chunk(&s, 9);
	refused(&s, -EPROTO, "chunk 9 is copied twice");
	s = new_store(4 * KIB, MIB);
	copy_chunk(&s, 9);
	set64(&s, entry_off(&s, 0) + 8, 1);
	refused(&s, -EPROTO, "chunk 9 is copied over the list");
	s = new_store(4 * KIB, 2 * MIB);
	copy_chunk(&s, 9);
	set64(&s, entry_off(&s, 0) + 8, 258);
	refused(&s, -EPROTO, "chunk 9 is copied over the list");
	s = new_store(4 * KIB, MIB);
	copy_chunk(&s, 9);
	set64(&s, entry_off(&s, 0) + 8, 256);
	refused(&s, -EPROTO, "chunk 9 is copied to beyond the store's end");
	s = new_store(4 * KIB, MIB);
	copy_chunk(&s, UINT64_MAX);
	refused(&s, -EPROTO, "chunk 18446744073709551615 is beyond the snapshot's end");
	s = new_store(4 * KIB, MIB);
	memset(s.bytes + s.chunk, 0xa5, s.chunk); /* never wiped */
	refused(&s, -EPROTO, "beyond the snapshot's end");
}

static void what_follows_the_end_of_the_list_does_not_count(void **state)
{
	struct store s = new_store(4 * KIB, MIB);
	struct sf_extents extents = {.size_bytes = MIB};
	uint64_t chunk = 0;

	(void)state;
	copy_chunk(&s, 9);
	set64(&s, entry_off(&s, 1), 5); /* a new chunk of 0 ends the list, whatever the old chunk is */
	memset(s.bytes + entry_off(&s, 2), 0xa5, 16);
	assert_int_equal(read_store(&s, &extents, &chunk, NULL), 0);
	assert_int_equal(extents.n, 1);
	has_range(&extents, 0, 9 * 4 * KIB, 4 * KIB);
	sf_extents_fini(&extents);
}

static void a_snapshot_of_too_many_chunks_is_refused(void **state)
{
	struct store s = new_store(4 * KIB, MIB);
	struct sf_extents extents = {.size_bytes = ((uint64_t)1 << 43) + 1};
	struct sf_err err = {0};
	uint64_t chunk = 0;

	(void)state;
	assert_int_equal(read_store(&s, &extents, &chunk, &err), -E2BIG);
	assert_non_null(strstr(err.text, "2147483648 chunks"));
	s = new_store(4 * KIB, MIB);
	copy_chunk(&s, ((uint64_t)1 << 31) - 1);
	extents.size_bytes--;
	assert_int_equal(read_store(&s, &extents, &chunk, NULL), 0);
	has_range(&extents, 0, ((uint64_t)1 << 43) - 4 * KIB, 4 * KIB);
	sf_extents_fini(&extents);
}

static void a_failing_read_is_told(void **state)
{
	struct sf_extents extents = {.size_bytes = MIB};
	struct sf_err err = {0};
	uint64_t chunk = 0;
	int pipes[2], rc;

	(void)state;
	rc = sf_cow_store_read(-1, "vg-snap-cow", &extents, &chunk, &err);
	assert_int_equal(rc, -EBADF);
	assert_non_null(strstr(err.text, "size of vg-snap-cow"));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(sf_cow_store_read(pipes[0], "vg-snap-cow", &extents, &chunk, &err), -EPROTO);
	close(pipes[0]);
	close(pipes[1]);
}

/* Compares one store with random chunks in random order with a list of flags. */
static void check_random(unsigned *seed)
{
	uint64_t chunk = (uint64_t)512 << (unsigned)rand_r(seed) % 6, read_chunk = 0, off = 0;
	uint64_t n = 1 + (uint64_t)rand_r(seed) % 3000;
	uint64_t size = n * chunk - (uint64_t)rand_r(seed) % chunk;
	uint64_t many = (uint64_t)rand_r(seed) % (n + 1);
	struct store s = new_store(chunk, (n + 4 + n / (chunk / 16)) * chunk + 4 * KIB);
	struct sf_extents extents = {.size_bytes = size};
	bool *copied = calloc(n, sizeof(*copied)), data;

	assert_non_null(copied);
	for (uint64_t i = 0; i < many; i++) {
		uint64_t old = (uint64_t)rand_r(seed) % n;

		if (!copied[old])
			copy_chunk(&s, old);
		copied[old] = true;
	}
	assert_int_equal(read_store(&s, &extents, &read_chunk, NULL), 0);
	assert_int_equal(read_chunk, chunk);
	while (off < size) {
		uint64_t len = sf_extents_at(&extents, off, &data);

		assert_true(len > 0 && len <= size - off);
		for (uint64_t at = off / chunk; at < (off + len + chunk - 1) / chunk; at++)
			assert_int_equal(copied[at], data);
		off += len;
	}
	free(copied);
	sf_extents_fini(&extents);
}

static void random_stores_agree_with_what_was_put_in(void **state)
{
	const char *given = getenv("SNAPFS_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);

	(void)state;
	printf("# SNAPFS_TEST_SEED=%u\n", seed);
	for (int i = 0; i < 200; i++)
		check_random(&seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_store_has_no_ranges),
		cmocka_unit_test(unsorted_exceptions_become_sorted_ranges),
		cmocka_unit_test(the_last_chunk_may_be_a_partial_one),
		cmocka_unit_test(areas_follow_each_other),
		cmocka_unit_test(a_store_is_read_with_o_direct),
		cmocka_unit_test(an_overflowed_store_is_stale),
		cmocka_unit_test(an_overflow_while_reading_is_stale),
		cmocka_unit_test(another_store_in_its_place_is_refused),
		cmocka_unit_test(other_headers_are_refused),
		cmocka_unit_test(a_store_that_is_cut_short_is_refused),
		cmocka_unit_test(a_list_that_contradicts_itself_is_refused),
		cmocka_unit_test(what_follows_the_end_of_the_list_does_not_count),
		cmocka_unit_test(a_snapshot_of_too_many_chunks_is_refused),
		cmocka_unit_test(a_failing_read_is_told),
		cmocka_unit_test(random_stores_agree_with_what_was_put_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

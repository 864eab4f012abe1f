/* SPDX-License-Identifier: GPL-2.0-or-later */
/* digest and reader: data read in pieces, with holes, has the same hash as the whole. */
#include "tools/snapfsctl/content/digest.h"
#include "tools/snapfsctl/content/reader.h"

#include "tools/snapfsctl/tree/interrupt.h"
#include "tools/snapfsctl/tree/mount.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

static bool interrupted;
static int watched; /* how often the watchdog was armed, minus how often it was disarmed */

bool sf_interrupted(void)
{
	return interrupted;
}

bool sf_mount_watch(const struct sf_mount *mount)
{
	(void)mount;
	watched = true;
	return true;
}

void sf_mount_unwatch(const bool *watching)
{
	(void)watching;
	watched = false;
}

static struct sf_id hash_of(const void *data, size_t len)
{
	XXH128_canonical_t canonical;
	struct sf_id hash;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, len));
	memcpy(&hash, &canonical, sizeof(hash));
	return hash;
}

/* The value for empty input and seed 0 in the sanity checks of xxHash ("XXH3_128bits"). */
static void empty_content_has_the_known_hash(void **state)
{
	struct sf_digest *digest = sf_digest_new();
	struct sf_id hash = sf_digest_get(digest);
	char text[SF_ID_TEXT];

	(void)state;
	sf_id_format(&hash, text);
	assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
	sf_digest_free(digest);
}

static unsigned seed_of_this_run(void)
{
	const char *given = getenv("SNAPFS_TEST_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();

	print_message("SNAPFS_TEST_SEED=%u\n", seed);
	return seed;
}

/* Pieces of all lengths, at all positions in the blocks of the hash. */
static void holes_hash_as_zeros(void **state)
{
	enum { ROOM = 1024 * 1024, TRIES = 3000 };
	unsigned seed = seed_of_this_run();
	char *data = malloc(ROOM);

	(void)state;
	for (int try = 0; try < TRIES; try++) {
		struct sf_digest *digest = sf_digest_new();
		struct sf_id hash, whole;
		size_t len = 0;

		for (int n = rand_r(&seed) % 6 + 1; n > 0; n--) {
			size_t piece = (size_t)rand_r(&seed) % (rand_r(&seed) % 2 ? 300 : 120000);
			bool hole = rand_r(&seed) % 2;

			for (size_t i = 0; i < piece; i++)
				data[len + i] = hole ? 0 : (char)rand_r(&seed);
			sf_digest_add_piece(digest, hole ? NULL : data + len, piece);
			len += piece;
		}
		hash = sf_digest_get(digest);
		whole = hash_of(data, len);
		assert_memory_equal(&hash, &whole, sizeof(hash));
		sf_digest_free(digest);
	}
	free(data);
}

static void reset_begins_anew(void **state)
{
	struct sf_digest *digest = sf_digest_new();
	struct sf_id hash, whole = hash_of("abc", 3);

	(void)state;
	sf_digest_add_piece(digest, "xyz", 3);
	sf_digest_add_piece(digest, NULL, 1 << 20);
	sf_digest_reset(digest);
	sf_digest_add_piece(digest, "abc", 3);
	hash = sf_digest_get(digest);
	assert_memory_equal(&hash, &whole, sizeof(hash));
	sf_digest_free(digest);
}

/* --- reader --- */

struct fixture {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	(void)snprintf(fixture.path, sizeof(fixture.path), "%s/digest.XXXXXX",
		       access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp");
	fixture.fd = mkstemp(fixture.path);
	*state = &fixture;
	return fixture.fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	interrupted = false;
	(void)close(fixture->fd);
	return unlink(fixture->path);
}

static void put(const struct fixture *fixture, const char *text, off_t off)
{
	assert_int_equal(pwrite(fixture->fd, text, strlen(text), off), strlen(text));
}

static void open_reader(const struct fixture *fixture, struct sf_reader *reader)
{
	struct sf_err err = {0};

	if (sf_reader_open(reader, NULL, AT_FDCWD, fixture->path, "the file", &err) < 0)
		fail_msg("%s", err.text);
}

/* Pieces are contiguous, contain what the file contains, and cover the whole file. */
static void pieces_cover_the_file(void **state)
{
	const struct fixture *fixture = *state;
	enum { SIZE = 24 * 1024 * 1024 + 17 };
	char *data = calloc(1, SIZE), *found = malloc(SIZE);
	struct sf_reader reader;
	struct sf_piece piece;
	uint64_t off = 0, holes = 0;
	int rc;

	put(fixture, "beginning", 0);
	put(fixture, "middle", 9 * 1024 * 1024 - 3);
	put(fixture, "end", SIZE - 3);
	assert_int_equal(pread(fixture->fd, data, SIZE, 0), SIZE);
	open_reader(fixture, &reader);
	assert_int_equal(reader.size_bytes, SIZE);
	while ((rc = sf_reader_next(&reader, &piece, NULL)) > 0) {
		assert_int_equal(piece.off, off);
		assert_true(piece.len > 0 && piece.len <= SIZE - off);
		if (piece.data)
			memcpy(found + off, piece.data, (size_t)piece.len);
		else
			memset(found + off, 0, (size_t)piece.len);
		holes += piece.data ? 0 : piece.len;
		off += piece.len;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(off, SIZE);
	assert_memory_equal(data, found, SIZE);
	if (lseek(fixture->fd, 0, SEEK_HOLE) < SIZE)
		assert_true(holes > 20 * 1024 * 1024);
	sf_reader_close(&reader);
	free(data);
	free(found);
}

static void data_is_found_without_reading(void **state)
{
	const struct fixture *fixture = *state;
	struct sf_reader reader;
	uint64_t off, len, end = 0;

	put(fixture, "a", 5 * 1024 * 1024);
	put(fixture, "b", 50 * 1024 * 1024);
	assert_int_equal(ftruncate(fixture->fd, 100 * 1024 * 1024), 0);
	open_reader(fixture, &reader);
	while (sf_reader_skip(&reader, &off, &len, NULL) > 0) {
		assert_true(off >= end);
		end = off + len;
	}
	assert_true(end > 50 * 1024 * 1024);
	assert_int_equal(sf_reader_skip(&reader, &off, &len, NULL), 0);
	sf_reader_close(&reader);
}

static void interrupt_ends_it(void **state)
{
	const struct fixture *fixture = *state;
	struct sf_err err = {0};
	struct sf_reader reader;
	struct sf_piece piece;

	put(fixture, "a", 0);
	open_reader(fixture, &reader);
	interrupted = true;
	assert_int_equal(sf_reader_next(&reader, &piece, &err), -EINTR);
	assert_string_equal(err.text, "the file: interrupted");
	sf_reader_close(&reader);
}

static void file_that_shrinks_is_an_error(void **state)
{
	const struct fixture *fixture = *state;
	struct sf_err err = {0};
	struct sf_reader reader;
	struct sf_piece piece;

	for (int i = 0; i < 8; i++)
		put(fixture, "data all over", i * 1024 * 1024);
	open_reader(fixture, &reader);
	assert_int_equal(sf_reader_next(&reader, &piece, &err), 1);
	assert_true(piece.len < reader.size_bytes);
	reader.data_end = reader.size_bytes; /* pretends that the end of the data is already known */
	assert_int_equal(ftruncate(fixture->fd, 0), 0);
	assert_int_equal(sf_reader_next(&reader, &piece, &err), -EIO);
	assert_string_equal(err.text, "the file ends before its size");
	sf_reader_close(&reader);
}

static void what_is_no_file_is_refused(void **state)
{
	struct sf_err err = {0};
	struct sf_reader reader;

	(void)state;
	assert_int_equal(sf_reader_open(&reader, NULL, AT_FDCWD, "/dev", "it", &err), -EINVAL);
	assert_string_equal(err.text, "it is not a regular file");
	assert_int_equal(sf_reader_open(&reader, NULL, AT_FDCWD, "/proc/self/exe", "it", &err), -ELOOP);
	sf_reader_close(&reader);
}

/* The watchdog is armed during calls of the daemon, and not while the caller processes the answer. */
static void daemon_is_watched_while_it_reads(void **state)
{
	const struct fixture *fixture = *state;
	struct sf_mount mount = {0};
	struct sf_reader reader;
	struct sf_piece piece;

	put(fixture, "a", 0);
	watched = 0;
	assert_int_equal(sf_reader_open(&reader, &mount, AT_FDCWD, fixture->path, "it", NULL), 0);
	assert_int_equal(watched, 0);
	assert_int_equal(sf_reader_next(&reader, &piece, NULL), 1);
	assert_int_equal(watched, 0);
	sf_reader_close(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_content_has_the_known_hash),
		cmocka_unit_test(holes_hash_as_zeros),
		cmocka_unit_test(reset_begins_anew),
		cmocka_unit_test_setup_teardown(pieces_cover_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(data_is_found_without_reading, set_up, tear_down),
		cmocka_unit_test_setup_teardown(interrupt_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(file_that_shrinks_is_an_error, set_up, tear_down),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test_setup_teardown(daemon_is_watched_while_it_reads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

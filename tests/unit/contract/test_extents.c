/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of ranges compared with a byte map, and the file of such a list with every kind of damage. */
#include "extents_fixture.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/io.h"
#include "lib/tmpdir.h"

#include <endian.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define FILE_NAME "disk.extents"
#define FILE_MAX  4096
#define nitems(a) (sizeof(a) / sizeof((a)[0]))

static void check_list(struct sf_extents *extents, size_t n, const struct sf_range *want)
{
	uint64_t bytes = 0;

	assert_int_equal(extents->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(extents->list[i].off, want[i].off);
		assert_int_equal(extents->list[i].len, want[i].len);
		bytes += want[i].len;
	}
	assert_int_equal(sf_extents_bytes(extents), bytes);
	sf_extents_fini(extents);
}

/* --- lists --- */

static void ranges_that_touch_or_overlap_are_one(void **state)
{
	static const struct sf_range want[] = {{0, 30}, {40, 20}, {100, 1}};
	struct sf_extents extents = {.size_bytes = 1000};

	(void)state;
	add(&extents, 0, 10);
	add(&extents, 10, 10);
	add(&extents, 15, 15);
	add(&extents, 15, 1); /* inside a range */
	add(&extents, 40, 20);
	add(&extents, 40, 5);
	add(&extents, 70, 0); /* empty */
	add(&extents, 100, 1);
	check_list(&extents, nitems(want), want);
}

static void what_lies_beyond_the_end_is_cut_off(void **state)
{
	static const struct sf_range want[] = {{10, 1}, {990, 10}};
	struct sf_extents extents = {.size_bytes = 1000};

	(void)state;
	add(&extents, 10, 1);
	add(&extents, 990, UINT64_MAX);
	add(&extents, 1000, 1);
	add(&extents, UINT64_MAX, UINT64_MAX);
	check_list(&extents, nitems(want), want);
	add(&extents, 995, UINT64_MAX - 5); /* off + len is 2^64 */
	check_list(&extents, 1, &(struct sf_range){995, 5});
}

static void ranges_out_of_order_are_refused(void **state)
{
	static const struct sf_range want[] = {{10, 20}};
	struct sf_extents extents = {.size_bytes = 1000};
	struct sf_err err = {0};

	(void)state;
	add(&extents, 10, 20);
	failed(sf_extents_add(&extents, 9, 1, &err), -EINVAL, &err, "ranges are out of order");
	check_list(&extents, nitems(want), want);
	assert_int_equal(extents.size_bytes, 1000); /* emptied; the image is the same */
}

static void the_list_has_a_cap(void **state)
{
	struct sf_extents extents = {.size_bytes = UINT64_MAX};
	struct sf_err err = {0};
	bool data;

	(void)state;
	for (uint64_t i = 0; i < SF_EXTENTS_MAX; i++)
		if (sf_extents_add(&extents, 2 * i, 1, NULL) < 0)
			fail_msg("range %zu", (size_t)i);
	failed(sf_extents_add(&extents, 2 * SF_EXTENTS_MAX, 1, &err), -E2BIG, &err,
	       "16777216 ranges of data");
	add(&extents, 2 * SF_EXTENTS_MAX - 1, 1); /* no piece more */
	assert_int_equal(sf_extents_bytes(&extents), SF_EXTENTS_MAX + 1);
	assert_int_equal(sf_extents_at(&extents, 2 * SF_EXTENTS_MAX - 3, &data), 1);
	assert_false(data);
	sf_extents_fini(&extents);
}

static void an_empty_list_is_one_hole(void **state)
{
	struct sf_extents extents = {.size_bytes = 1000};
	bool data = true;

	(void)state;
	assert_int_equal(sf_extents_at(&extents, 10, &data), 990);
	assert_false(data);
	assert_int_equal(sf_extents_bytes(&extents), 0);
	sf_extents_fini(&extents);
}

static void lists_agree_with_a_map_of_bytes(void **state)
{
	unsigned char *map = malloc(SIZE);

	(void)state;
	assert_non_null(map);
	for (int round = 0; round < 200; round++) {
		struct sf_extents extents;
		uint64_t bytes = 0, run = 0;
		bool data;

		fill(&extents, map);
		for (uint64_t off = SIZE; off-- > 0;) {
			bytes += map[off];
			run = off + 1 < SIZE && map[off + 1] == map[off] ? run + 1 : 1;
			assert_int_equal(sf_extents_at(&extents, off, &data), run);
			assert_int_equal(data, map[off]);
		}
		assert_int_equal(sf_extents_bytes(&extents), bytes);
		for (size_t i = 1; i < extents.n; i++)
			assert_true(extents.list[i].off > extents.list[i - 1].off + extents.list[i - 1].len);
		sf_extents_fini(&extents);
	}
	free(map);
}

/* --- the file --- */

struct fixture {
	char path[1024];
	int dir;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_non_null(test_tmpdir(f->path, sizeof(f->path), "extents"));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	(void)unlinkat(f->dir, FILE_NAME, 0);
	close(f->dir);
	assert_int_equal(rmdir(f->path), 0);
	free(f);
	return 0;
}

/* Writes three ranges. */
static size_t write_small(const struct fixture *f, char file[static FILE_MAX])
{
	struct sf_extents extents = {.size_bytes = SIZE};
	auto_free char *text = NULL;
	size_t len;

	add(&extents, 0, 512);
	add(&extents, 4096, 100);
	add(&extents, SIZE - 1, 1);
	assert_int_equal(sf_extents_write(f->dir, FILE_NAME, &extents, NULL), 0);
	sf_extents_fini(&extents);
	assert_int_equal(sf_durable_read(f->dir, FILE_NAME, FILE_MAX, &text, &len, NULL), 0);
	memcpy(file, text, len);
	return len;
}

static void put(const struct fixture *f, const char *file, size_t len)
{
	auto_fd int fd = openat(f->dir, FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(sf_write_all(fd, file, len), 0);
}

/* Asserts that the file in the directory is refused and that *ret is unchanged. */
static void refused(const struct fixture *f, uint64_t size_bytes, int rc, const char *text)
{
	struct sf_extents extents = {.list = (struct sf_range *)f, .n = 5, .room = 6, .size_bytes = 7};
	struct sf_err err = {0};

	failed(sf_extents_read(f->dir, FILE_NAME, size_bytes, &extents, &err), rc, &err, text);
	assert_ptr_equal(extents.list, f);
	assert_true(extents.n == 5 && extents.room == 6 && extents.size_bytes == 7);
}

static void files_come_back_as_they_were_written(void **state)
{
	const struct fixture *f = *state;
	unsigned char *map = malloc(SIZE);

	assert_non_null(map);
	for (int round = 0; round < 20; round++) {
		struct sf_extents before, after = {.size_bytes = 0};

		fill(&before, map);
		assert_int_equal(sf_extents_write(f->dir, FILE_NAME, &before, NULL), 0);
		assert_int_equal(sf_extents_read(f->dir, FILE_NAME, SIZE, &after, NULL), 0);
		assert_int_equal(after.size_bytes, SIZE);
		assert_int_equal(after.n, before.n);
		for (size_t i = 0; i < before.n; i++) {
			assert_int_equal(after.list[i].off, before.list[i].off);
			assert_int_equal(after.list[i].len, before.list[i].len);
		}
		sf_extents_fini(&before);
		sf_extents_fini(&after);
	}
	free(map);
}

/* Later versions must read files of this format, so these bytes must never change. */
static void the_form_is_the_documented_one(void **state)
{
	static const unsigned char want[] = {'S', 'F', 'E',  'X',  'T', 'E', 'N', 'T', 1, 0, 0, 0, 0, 0,
					     0,   0,   0x20, 0x4e, 0,   0,   0,   0,   0, 0, 3, 0, 0, 0,
					     0,   0,   0,    0,    0,   0,   0,   0,   0, 0, 0, 0, 0, 2,
					     0,   0,   0,    0,    0,   0,   0,   16,  0, 0, 0, 0, 0, 0};
	XXH128_canonical_t hash;
	char file[FILE_MAX];
	size_t len = write_small(*state, file);

	assert_int_equal(len, 32 + 3 * 16 + 16);
	assert_memory_equal(file, want, sizeof(want));
	XXH128_canonicalFromHash(&hash, XXH3_128bits(file, len - 16));
	assert_memory_equal(file + len - 16, &hash, 16);
}

static void every_flipped_bit_is_noticed(void **state)
{
	char file[FILE_MAX];
	size_t len = write_small(*state, file);

	for (size_t i = 0; i < 8 * len; i++) {
		file[i / 8] = (char)(file[i / 8] ^ 1 << i % 8);
		put(*state, file, len);
		refused(*state, SIZE, -EINVAL, FILE_NAME);
		file[i / 8] = (char)(file[i / 8] ^ 1 << i % 8);
	}
}

static void every_cut_is_noticed(void **state)
{
	char file[FILE_MAX] = "";
	size_t len = write_small(*state, file);

	for (size_t cut = 0; cut < len; cut++) {
		put(*state, file, cut);
		refused(*state, SIZE, -EINVAL, FILE_NAME);
	}
	put(*state, file, len + 1);
	refused(*state, SIZE, -EINVAL, "has a length that contradicts its header");
	put(*state, file, len + 16);
	refused(*state, SIZE, -EINVAL, "has a length that contradicts its header");
}

static void a_file_larger_than_any_map_is_refused(void **state)
{
	const struct fixture *f = *state;
	auto_fd int fd = openat(f->dir, FILE_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)(16 * SF_EXTENTS_MAX + 32 + 16 + 1)), 0);
	refused(f, SIZE, -EINVAL, "is larger than any map");
}

static void no_file_is_told_apart(void **state)
{
	refused(*state, SIZE, -ENOENT, FILE_NAME);
}

static void a_map_of_another_size_is_refused(void **state)
{
	char file[FILE_MAX];

	(void)write_small(*state, file);
	refused(*state, SIZE + 1, -EINVAL, "belongs to an image of another size");
	refused(*state, SIZE - 1, -EINVAL, "belongs to an image of another size");
}

/* Changes the content and updates the hash. */
static void forged(const struct fixture *f, size_t off, uint64_t value, size_t width, const char *text)
{
	XXH128_canonical_t hash;
	char file[FILE_MAX];
	size_t len = write_small(f, file);

	value = htole64(value);
	memcpy(file + off, &value, width);
	XXH128_canonicalFromHash(&hash, XXH3_128bits(file, len - 16));
	memcpy(file + len - 16, &hash, 16);
	put(f, file, len);
	refused(f, SIZE, -EINVAL, text);
}

static void rules_are_checked_under_a_right_hash(void **state)
{
	forged(*state, 8, 2, 4, "not a map of a known version");
	forged(*state, 12, 1, 4, "not a map of a known version");
	forged(*state, 0, 0, 1, "not a map of a known version");
	forged(*state, 24, 4, 8, "a length that contradicts its header");
	forged(*state, 24, (uint64_t)1 << 60, 8,
	       "a length that contradicts its header"); /* 16 n + 48 overflows */
	forged(*state, 24, 3 + ((uint64_t)1 << 60), 8, "a length that contradicts its header");
	forged(*state, 40, 0, 8, "range 0 is outside the image"); /* empty */
	forged(*state, 40, SIZE + 1, 8, "range 0 is outside the image");
	forged(*state, 40, UINT64_MAX, 8, "range 0 is outside the image");
	forged(*state, 32, SIZE, 8, "range 0 is outside the image");
	forged(*state, 32, SIZE + 4096, 8, "range 0 is outside the image");
	forged(*state, 40, 4096, 8, "range 1 touches the previous one");
	forged(*state, 40, 4200, 8, "range 1 touches the previous one");
	forged(*state, 48, 0, 8, "range 1 touches the previous one");
	forged(*state, 32, 4097, 8, "out of order");
}

#define with_dir(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_that_touch_or_overlap_are_one),
		cmocka_unit_test(what_lies_beyond_the_end_is_cut_off),
		cmocka_unit_test(ranges_out_of_order_are_refused),
		cmocka_unit_test(the_list_has_a_cap),
		cmocka_unit_test(an_empty_list_is_one_hole),
		cmocka_unit_test(lists_agree_with_a_map_of_bytes),
		with_dir(files_come_back_as_they_were_written),
		with_dir(the_form_is_the_documented_one),
		with_dir(every_flipped_bit_is_noticed),
		with_dir(every_cut_is_noticed),
		with_dir(a_file_larger_than_any_map_is_refused),
		with_dir(no_file_is_told_apart),
		with_dir(a_map_of_another_size_is_refused),
		with_dir(rules_are_checked_under_a_right_hash),
	};

	take_seed();
	return cmocka_run_group_tests_name("extents", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image with a list of data ranges, compared with a byte map. */
#include "extents_fixture.h"

#include "core/contract/image.h"

#define KIB 1024

/* An inner image that counts calls and can fail. It has 'X' in every hole, which must never be visible. */
struct inner {
	struct sf_image base;
	const unsigned char *map;
	uint64_t fail_at; /* a read of this byte fails */
	unsigned reads, closed;
};

static unsigned char byte_of(const unsigned char *map, uint64_t off)
{
	return map[off] ? (unsigned char)(1 + off % 251) : 0;
}

static int inner_pread(struct sf_image *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct inner *inner = (struct inner *)base;

	inner->reads++;
	if (inner->fail_at >= off && inner->fail_at - off < len)
		return sf_fail(err, -EIO, "a bad sector");
	for (size_t i = 0; i < len; i++) {
		assert_true(inner->map[off + i]); /* holes are never read */
		((unsigned char *)buf)[i] = byte_of(inner->map, off + i);
	}
	return 0;
}

static int inner_extent(struct sf_image *base, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	(void)base, (void)off, (void)ret, (void)err;
	fail_msg("the inner image was asked for its extents");
	return -EIO;
}

static void inner_close(struct sf_image *base)
{
	((struct inner *)base)->closed++;
}

static const struct sf_image_ops inner_ops = {
	.pread = inner_pread, .extent = inner_extent, .file = sf_image_no_file, .close = inner_close};

static struct sf_image *lay_over(struct inner *inner, struct sf_extents *extents, const unsigned char *map)
{
	struct sf_image *image = NULL;

	*inner = (struct inner){
		.base = {.ops = &inner_ops, .size_bytes = SIZE}, .map = map, .fail_at = UINT64_MAX};
	assert_int_equal(sf_image_with_extents(&inner->base, extents, &image, NULL), 0);
	assert_int_equal(extents->n, 0);
	assert_null(extents->list);
	return image;
}

static void check_read(struct sf_image *image, const unsigned char *map, uint64_t off, size_t len)
{
	unsigned char buf[3 * KIB];
	size_t got = 99, want = off >= SIZE ? 0 : SIZE - off < len ? (size_t)(SIZE - off) : len;

	memset(buf, 'X', sizeof(buf));
	assert_int_equal(sf_image_pread(image, buf, len, off, &got, NULL), 0);
	assert_int_equal(got, want);
	for (size_t i = 0; i < want; i++)
		assert_int_equal(buf[i], byte_of(map, off + i));
	assert_int_equal(buf[want], 'X'); /* no byte beyond is touched */
}

/* lseek(2), computed from the byte map. */
static void check_seek(struct sf_image *image, const unsigned char *map, uint64_t off, bool data)
{
	uint64_t want = off, got = 12345678;

	while (want < SIZE && map[want] != data)
		want++;
	if (data && want >= SIZE) {
		assert_int_equal(sf_image_seek(image, off, data, &got, NULL), -ENXIO);
		assert_int_equal(got, 12345678);
	} else {
		assert_int_equal(sf_image_seek(image, off, data, &got, NULL), 0);
		assert_int_equal(got, want);
	}
}

static void images_agree_with_a_map_of_bytes(void **state)
{
	unsigned char *map = malloc(SIZE);

	(void)state;
	assert_non_null(map);
	for (int round = 0; round < 50; round++) {
		struct sf_extents extents;
		struct sf_image *image;
		struct inner inner;
		uint64_t want, bytes;

		fill(&extents, map);
		want = sf_extents_bytes(&extents);
		image = lay_over(&inner, &extents, map);
		assert_int_equal(image->size_bytes, SIZE);
		for (int i = 0; i < 200; i++) {
			check_read(image, map, below(SIZE + 100), (size_t)below(3 * KIB));
			check_seek(image, map, below(SIZE), i % 2);
		}
		assert_int_equal(sf_image_data_bytes(image, &bytes, NULL), 0);
		assert_int_equal(bytes, want);
		assert_int_equal(inner.closed, 0);
		sf_image_close(image);
		assert_int_equal(inner.closed, 1);
	}
	free(map);
}

static struct sf_image *two_ranges(struct inner *inner, unsigned char map[static SIZE])
{
	struct sf_extents extents = {.size_bytes = SIZE};

	memset(map, 0, SIZE);
	memset(map + 1000, 1, 500);
	memset(map + 3000, 1, 500);
	add(&extents, 1000, 500);
	add(&extents, 3000, 500);
	return lay_over(inner, &extents, map);
}

static void holes_are_read_without_the_inner_image(void **state)
{
	unsigned char map[SIZE];
	struct inner inner;
	struct sf_image *image = two_ranges(&inner, map);

	(void)state;
	check_read(image, map, 0, 1000);
	check_read(image, map, 1500, 1500);
	check_read(image, map, 3500, 2000);
	assert_int_equal(inner.reads, 0);
	check_read(image, map, 0, 1001);
	assert_int_equal(inner.reads, 1);
	check_read(image, map, 900, 2500); /* hole, data, hole, data */
	assert_int_equal(inner.reads, 3);
	sf_image_close(image);
}

static void a_bad_sector_fails_reads_that_touch_it_only(void **state)
{
	unsigned char map[SIZE];
	struct inner inner;
	struct sf_image *image = two_ranges(&inner, map);
	struct sf_err err = {0};
	size_t got = 99;
	char buf[4000];

	(void)state;
	inner.fail_at = 3100;
	check_read(image, map, 0, 3000);
	check_read(image, map, 1000, 2100);
	check_read(image, map, 3101, 1000);
	failed(sf_image_pread(image, buf, 3101, 0, &got, &err), -EIO, &err, "a bad sector");
	failed(sf_image_pread(image, buf, 1, 3100, &got, &err), -EIO, &err, "a bad sector");
	assert_int_equal(got, 99);
	check_seek(image, map, 0, true);
	sf_image_close(image);
}

static void an_inner_image_that_became_shorter_is_not_read_as_zeros(void **state)
{
	unsigned char map[SIZE];
	struct inner inner;
	struct sf_image *image = two_ranges(&inner, map);
	struct sf_err err = {0};
	size_t got = 99;
	char buf[200];

	(void)state;
	inner.base.size_bytes = 3050;
	check_read(image, map, 2950, 100);
	failed(sf_image_pread(image, buf, 200, 2950, &got, &err), -EIO, &err,
	       "the image ends before its map does");
	failed(sf_image_pread(image, buf, 10, 3060, &got, &err), -EIO, &err,
	       "the image ends before its map does");
	assert_int_equal(got, 99);
	sf_image_close(image);
}

static void an_inner_image_of_another_size_is_refused(void **state)
{
	struct inner inner = {.base = {.ops = &inner_ops, .size_bytes = SIZE + 1}};
	struct sf_extents extents = {.size_bytes = SIZE};
	struct sf_image *image = NULL;
	struct sf_err err = {0};

	(void)state;
	add(&extents, 0, 1);
	failed(sf_image_with_extents(&inner.base, &extents, &image, &err), -EINVAL, &err, "another size");
	assert_null(image);
	assert_int_equal(inner.closed, 0);
	assert_int_equal(extents.n, 1); /* both still belong to the caller */
	sf_extents_fini(&extents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_agree_with_a_map_of_bytes),
		cmocka_unit_test(holes_are_read_without_the_inner_image),
		cmocka_unit_test(a_bad_sector_fails_reads_that_touch_it_only),
		cmocka_unit_test(an_inner_image_that_became_shorter_is_not_read_as_zeros),
		cmocka_unit_test(an_inner_image_of_another_size_is_refused),
	};

	take_seed();
	return cmocka_run_group_tests_name("extents_image", tests, NULL, NULL);
}

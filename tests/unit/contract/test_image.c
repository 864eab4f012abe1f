/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/contract/image.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* --- The checked calls, with an image that answers from a table. --- */

struct fake {
	struct sf_image base;
	const struct sf_extent *extents;
	size_t nextents;
	int fails;
};

static int fake_pread(struct sf_image *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct fake *fake = (struct fake *)base;

	if (fake->fails < 0)
		return sf_fail(err, fake->fails, "the COW store overflowed");
	assert_true(len > 0 && off < base->size_bytes && len <= base->size_bytes - off);
	memset(buf, 'd', len);
	return 0;
}

static int fake_extent(struct sf_image *base, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	struct fake *fake = (struct fake *)base;

	if (fake->fails < 0)
		return sf_fail(err, fake->fails, "the COW store overflowed");
	assert_true(off < base->size_bytes);
	for (size_t i = 0; i < fake->nextents; i++)
		if (fake->extents[i].off == off) {
			*ret = fake->extents[i];
			return 0;
		}
	*ret = fake->extents[0]; /* invalid: it starts elsewhere */
	return 0;
}

static void fake_close(struct sf_image *base)
{
	((struct fake *)base)->fails = 1;
}

static const struct sf_image_ops fake_ops = {fake_pread, fake_extent, sf_image_no_file, fake_close};

static const struct sf_extent table[] = {
	{0, 100, false},   {100, 50, true},   {150, 50, true},
	{200, 300, false}, {500, 1000, true}, /* longer than the image */
};

static struct fake fake_of(const struct sf_extent *extents, size_t n, uint64_t size)
{
	return (struct fake){{&fake_ops, size}, extents, n, 0};
}

static void reads_stop_at_the_end(void **state)
{
	struct fake fake = fake_of(table, 5, 600);
	char buf[64] = "";
	size_t len = 99;

	(void)state;
	assert_int_equal(sf_image_pread(&fake.base, buf, 64, 590, &len, NULL), 0);
	assert_int_equal(len, 10);
	assert_true(buf[9] == 'd' && buf[10] == '\0');
	assert_int_equal(sf_image_pread(&fake.base, buf, 64, 600, &len, NULL), 0);
	assert_int_equal(len, 0);
	len = 99;
	assert_int_equal(sf_image_pread(&fake.base, buf, 64, UINT64_MAX, &len, NULL), 0);
	assert_int_equal(len, 0);
	assert_int_equal(sf_image_pread(&fake.base, buf, 0, 0, &len, NULL), 0);
	assert_int_equal(len, 0);
}

static void a_failure_passes_through_and_touches_nothing(void **state)
{
	struct fake fake = fake_of(table, 5, 600);
	struct sf_err err = {0};
	uint64_t off = 7;
	size_t len = 99;
	char c;

	(void)state;
	fake.fails = -ESTALE;
	assert_int_equal(sf_image_pread(&fake.base, &c, 1, 0, &len, &err), -ESTALE);
	assert_string_equal(err.text, "the COW store overflowed");
	assert_int_equal(sf_image_seek(&fake.base, 0, true, &off, &err), -ESTALE);
	assert_int_equal(sf_image_data_bytes(&fake.base, &off, &err), -ESTALE);
	assert_int_equal(len, 99);
	assert_int_equal(off, 7);
}

static void seek_joins_extents_of_one_kind(void **state)
{
	static const struct {
		uint64_t from, data, hole;
	} want[] = {{0, 100, 0}, {100, 100, 200}, {150, 150, 200}, {200, 500, 200}, {500, 500, 600}};
	struct fake fake = fake_of(table, 5, 600);
	uint64_t off;

	(void)state;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(sf_image_seek(&fake.base, want[i].from, true, &off, NULL), 0);
		assert_int_equal(off, want[i].data);
		assert_int_equal(sf_image_seek(&fake.base, want[i].from, false, &off, NULL), 0);
		assert_int_equal(off, want[i].hole);
	}
	assert_int_equal(sf_image_data_bytes(&fake.base, &off, NULL), 0);
	assert_int_equal(off, 200);
}

static void seek_finds_nothing_at_the_end(void **state)
{
	struct fake fake = fake_of(table, 1, 100);
	struct sf_err err = {0};
	uint64_t off = 7;

	(void)state;
	assert_int_equal(sf_image_seek(&fake.base, 0, true, &off, &err), -ENXIO);
	assert_non_null(strstr(err.text, "only a hole follows"));
	assert_int_equal(sf_image_seek(&fake.base, 100, false, &off, &err), -ENXIO);
	assert_non_null(strstr(err.text, "beyond the end"));
	assert_int_equal(off, 7);
}

static void extents_that_make_no_sense_are_refused(void **state)
{
	static const struct sf_extent empty[] = {{0, 0, true}};
	struct fake fake = fake_of(empty, 1, 100);
	struct sf_err err = {0};
	uint64_t off;

	(void)state;
	assert_int_equal(sf_image_seek(&fake.base, 0, false, &off, &err), -EIO);
	assert_non_null(strstr(err.text, "extent at 0: the backend answered 0+0"));
	fake = fake_of(table, 1, 600);
	assert_int_equal(sf_image_data_bytes(&fake.base, &off, &err), -EIO);
	assert_non_null(strstr(err.text, "extent at 100: the backend answered 0+100"));
}

static void close_accepts_nothing(void **state)
{
	struct fake fake = fake_of(table, 5, 600);

	(void)state;
	sf_image_close(NULL);
	sf_image_close(&fake.base);
	assert_int_equal(fake.fails, 1);
}

/* --- Regular files. --- */

#define KIB       1024
#define FILE_SIZE (1024 * KIB + 1000) /* the tail is no multiple of any block size */
#define DATA_OFF  (256 * KIB)
#define DATA_LEN  (128 * KIB)

struct files {
	char path[4096];
	int dir;
};

static unsigned char pattern(size_t at)
{
	bool data = (at >= DATA_OFF && at < DATA_OFF + DATA_LEN) || at >= 1024 * KIB;

	return data ? (unsigned char)(1 + at % 251) : 0;
}

static void put_run(int fd, size_t off, size_t len)
{
	unsigned char *run = malloc(len);

	assert_non_null(run);
	for (size_t i = 0; i < len; i++)
		run[i] = pattern(off + i);
	assert_int_equal(pwrite(fd, run, len, (off_t)off), len);
	free(run);
}

static int make_files(void **state)
{
	const char *base = getenv("SNAPFS_TEST_DIR") ? getenv("SNAPFS_TEST_DIR") : getenv("TMPDIR");
	struct files *files = calloc(1, sizeof(*files));
	int fd;

	assert_non_null(files);
	snprintf(files->path, sizeof(files->path), "%s/image.XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(files->path));
	files->dir = open(files->path, O_RDONLY | O_DIRECTORY);
	assert_true(files->dir >= 0);
	fd = openat(files->dir, "sparse", O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
	put_run(fd, DATA_OFF, DATA_LEN);
	put_run(fd, 1024 * KIB, 1000);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	*state = files;
	return 0;
}

static int remove_files(void **state)
{
	static const char *const names[] = {"sparse", "link", "fifo"};
	struct files *files = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlinkat(files->dir, names[i], 0);
	close(files->dir);
	assert_int_equal(rmdir(files->path), 0);
	free(files);
	return 0;
}

static struct sf_image *open_sparse(struct files *files)
{
	struct sf_image *image = NULL;
	int dir = dup(files->dir);

	assert_int_equal(sf_image_open_file(dir, "sparse", "the sparse file", &image, NULL), 0);
	close(dir); /* the contract allows that */
	assert_int_equal(image->size_bytes, FILE_SIZE);
	return image;
}

static void check_read(struct sf_image *image, unsigned char *buf, size_t off, size_t len)
{
	size_t got, want = off >= FILE_SIZE ? 0 : len < FILE_SIZE - off ? len : FILE_SIZE - off;

	memset(buf, 0xee, len);
	assert_int_equal(sf_image_pread(image, buf, len, off, &got, NULL), 0);
	assert_int_equal(got, want);
	for (size_t i = 0; i < len; i++)
		if (buf[i] != (i < want ? pattern(off + i) : 0xee))
			fail_msg("byte %zu of a read of %zu at %zu is %u", i, len, off, buf[i]);
}

static void every_alignment_reads_the_same(void **state)
{
	static const size_t offs[] = {
		0, 1, 4096, DATA_OFF - 1, DATA_OFF, DATA_OFF + 512, 1020 * KIB, 1024 * KIB, FILE_SIZE};
	static const size_t lens[] = {1, 512, 4096, 4097, 128 * KIB, 2048 * KIB};
	struct sf_image *image = open_sparse(*state);
	unsigned char *buf = aligned_alloc(SF_IMAGE_ALIGN, 2048 * KIB + SF_IMAGE_ALIGN);

	assert_non_null(buf);
	for (size_t o = 0; o < sizeof(offs) / sizeof(offs[0]); o++)
		for (size_t l = 0; l < sizeof(lens) / sizeof(lens[0]); l++) {
			check_read(image, buf, offs[o], lens[l]);
			check_read(image, buf + 8, offs[o], lens[l]);
		}
	free(buf);
	sf_image_close(image);
}

static void *read_all(void *arg)
{
	unsigned char *buf = aligned_alloc(SF_IMAGE_ALIGN, 64 * KIB);
	uint64_t hole = 0;

	assert_non_null(buf);
	for (size_t off = 0; off < FILE_SIZE; off += 64 * KIB) {
		check_read(arg, buf, off, 64 * KIB);
		assert_int_equal(sf_image_seek(arg, off, false, &hole, NULL), 0);
		assert_true(hole >= off);
	}
	free(buf);
	return NULL;
}

static void threads_read_without_a_lock(void **state)
{
	struct sf_image *image = open_sparse(*state);
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, image), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	sf_image_close(image);
}

static void holes_of_a_file_are_true(void **state)
{
	struct sf_image *image = open_sparse(*state);
	uint64_t off, bytes;

	assert_int_equal(sf_image_seek(image, 0, true, &off, NULL), 0);
	assert_int_equal(off, DATA_OFF);
	assert_int_equal(sf_image_seek(image, DATA_OFF + 10, false, &off, NULL), 0);
	assert_int_equal(off, DATA_OFF + DATA_LEN);
	assert_int_equal(sf_image_seek(image, off, true, &off, NULL), 0);
	assert_int_equal(off, 1024 * KIB);
	assert_int_equal(sf_image_seek(image, off, false, &off, NULL), 0);
	assert_int_equal(off, FILE_SIZE);
	assert_int_equal(sf_image_data_bytes(image, &bytes, NULL), 0);
	assert_int_equal(bytes, DATA_LEN + 1000);
	sf_image_close(image);
}

static void a_file_that_was_cut_is_no_zeros(void **state)
{
	struct files *files = *state;
	struct sf_image *image = open_sparse(files);
	unsigned char *buf = aligned_alloc(SF_IMAGE_ALIGN, 64 * KIB);
	struct sf_err err = {0};
	uint64_t off = 7;
	size_t len = 99;
	int fd = openat(files->dir, "sparse", O_RDWR);

	assert_non_null(buf);
	assert_int_equal(ftruncate(fd, DATA_OFF + 4096), 0);
	close(fd);
	assert_int_equal(sf_image_pread(image, buf, 64 * KIB, DATA_OFF, &len, &err), -EIO);
	assert_non_null(strstr(err.text, "the sparse file is shorter than 1049576 bytes"));
	assert_int_equal(sf_image_pread(image, buf, 100, 512 * KIB + 3, &len, &err), -EIO);
	assert_int_equal(len, 99);
	assert_int_equal(sf_image_seek(image, DATA_OFF + DATA_LEN, true, &off, &err), -EIO);
	assert_int_equal(sf_image_data_bytes(image, &off, &err), -EIO);
	assert_non_null(strstr(err.text, "shorter than"));
	assert_int_equal(off, 7);
	free(buf);
	sf_image_close(image);
}

static void only_regular_files_are_opened(void **state)
{
	struct files *files = *state;
	struct sf_image *image = NULL;
	struct sf_err err = {0};

	assert_int_equal(sf_image_open_file(files->dir, "none", "the RAM", &image, &err), -ENOENT);
	assert_string_equal(err.text, "open the RAM: No such file or directory");
	assert_int_equal(symlinkat("sparse", files->dir, "link"), 0);
	assert_int_equal(sf_image_open_file(files->dir, "link", "the RAM", &image, &err), -ELOOP);
	assert_int_equal(mkfifoat(files->dir, "fifo", 0600), 0);
	assert_int_equal(sf_image_open_file(files->dir, "fifo", "the RAM", &image, &err), -EINVAL);
	assert_string_equal(err.text, "the RAM is not a regular file");
	assert_int_equal(sf_image_open_file(files->dir, ".", "the RAM", &image, &err), -EINVAL);
	assert_null(image);
}

#define with_files(test) cmocka_unit_test_setup_teardown(test, make_files, remove_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_stop_at_the_end),
		cmocka_unit_test(a_failure_passes_through_and_touches_nothing),
		cmocka_unit_test(seek_joins_extents_of_one_kind),
		cmocka_unit_test(seek_finds_nothing_at_the_end),
		cmocka_unit_test(extents_that_make_no_sense_are_refused),
		cmocka_unit_test(close_accepts_nothing),
		with_files(every_alignment_reads_the_same),
		with_files(threads_read_without_a_lock),
		with_files(holes_of_a_file_are_true),
		with_files(a_file_that_was_cut_is_no_zeros),
		with_files(only_regular_files_are_opened),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fixture for the tests of the `file` storage: one image in a temporary directory, opened as a volume. */
#ifndef TESTS_UNIT_FILE_FIXTURE_H
#define TESTS_UNIT_FILE_FIXTURE_H

#include "backends/file/file.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/contract/image.h"
#include "core/contract/job.h"
#include "core/contract/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB        1024
#define MIB        (1024 * KIB)
#define IMAGE_SIZE (8 * MIB)
#define DATA_OFF   (1 * MIB)
#define DATA_LEN   (256 * KIB)

struct fixture {
	char dir[1024];
	char image[1100];
	char ours[1200]; /* dir/.snapfs */
	char kept[1300]; /* dir/.snapfs/<state id> */
	struct sf_storages set;
	struct sf_storage *storage;
	struct sf_volume *volume;
	bool mounted;
	int other; /* open descriptor that a test leaves to the teardown; -1: none */
};

static inline void put(const char *path, int fill, size_t len, off_t off)
{
	char *run = malloc(len);
	int fd = open(path, O_WRONLY | O_CREAT, 0640);

	assert_non_null(run);
	assert_true(fd >= 0);
	memset(run, fill, len);
	assert_int_equal(pwrite(fd, run, len, off), len);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	free(run);
}

static inline int byte_at(const char *path, off_t off)
{
	unsigned char c;
	int fd = open(path, O_RDONLY);
	ssize_t n = pread(fd, &c, 1, off);

	close(fd);
	return n == 1 ? c : -1;
}

static inline bool there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline struct stat stat_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st;
}

/* Writes dir/name to path and returns path. */
static inline const char *in(char path[static 2048], const char *dir, const char *name)
{
	assert_true(snprintf(path, 2048, "%s/%s", dir, name) < 2048);
	return path;
}

static inline const char *kept_file(const struct fixture *f, char path[static 2048], const char *prefix,
				    const struct sf_object *object, const char *suffix)
{
	char token[SF_ID_TEXT];

	sf_id_format(&object->token, token);
	assert_true(snprintf(path, 2048, "%s/%s%s%s", f->kept, prefix, token, suffix) < 2048);
	return path;
}

static inline struct sf_volume *open_volume(struct fixture *f, const char *path)
{
	struct sf_disk disk = {.vdev = "vda"};
	struct sf_volume *volume = NULL;

	snprintf(disk.spec, sizeof(disk.spec), "%s", path);
	assert_int_equal(sf_volume_open(&f->set, "web", &disk, &volume, NULL), 0);
	return volume;
}

static inline struct sf_object object_of(const struct sf_volume *volume)
{
	return (struct sf_object){.token = sf_id_new(),
				  .origin = volume->origin,
				  .vdev = "vda",
				  .vm = "web",
				  .snapshot = "clean"};
}

static inline struct sf_object taken(struct fixture *f)
{
	struct sf_object object = object_of(f->volume);
	struct sf_object_stat st;

	assert_int_equal(sf_object_create(f->volume, &object, NULL, &st, NULL), 0);
	return object;
}

static inline bool instant(struct fixture *f)
{
	struct sf_volume_stat st;

	assert_int_equal(sf_volume_stat(f->volume, &st, NULL), 0);
	return st.instant;
}

static inline void failed(int rc, int want, const struct sf_err *err, const char *text)
{
	if (rc != want || err->code != want || !strstr(err->text, text))
		fail_msg("got %d and \"%s\" instead of %d and \"%s\"", rc, err->text, want, text);
}

static inline void open_image(struct fixture *f)
{
	put(f->image, 'a', DATA_LEN, DATA_OFF);
	put(f->image, 'z', 1, IMAGE_SIZE - 1);
	f->volume = open_volume(f, f->image);
}

static inline void place_in(struct fixture *f, const char *base)
{
	char name[1024], id[SF_ID_TEXT];
	struct sf_backend_env env = {.state_id = sf_id_new()};

	snprintf(name, sizeof(name), "%s/file.XXXXXX", base);
	assert_non_null(mkdtemp(name));
	assert_int_equal(chmod(name, 0755), 0);
	assert_non_null(realpath(name, f->dir));
	sf_id_format(&env.state_id, id);
	snprintf(f->image, sizeof(f->image), "%s/web.img", f->dir);
	snprintf(f->ours, sizeof(f->ours), "%s/.snapfs", f->dir);
	snprintf(f->kept, sizeof(f->kept), "%s/%s", f->ours, id);
	assert_int_equal(sf_file_open(&env, &f->storage, NULL), 0);
	sf_storages_add(&f->set, f->storage);
}

static inline const char *test_dir(void)
{
	const char *dir = getenv("SNAPFS_TEST_DIR");

	if (!dir)
		dir = getenv("TMPDIR");
	return dir ? dir : "/tmp";
}

static inline int setup_empty(void **state)
{
	char root[SF_ORIGIN_MAX];
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_non_null(realpath(test_dir(), root));
	f->other = -1;
	*state = f;
	place_in(f, root);
	return 0;
}

static inline int setup(void **state)
{
	setup_empty(state);
	open_image(*state);
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	sf_volume_close(f->volume);
	sf_storages_close(&f->set);
	if (f->other >= 0)
		close(f->other);
	if (f->mounted)
		assert_int_equal(umount2(f->dir, MNT_DETACH), 0);
	assert_int_equal(nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(f);
	return 0;
}

#define with_image(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define with_dir(test)   cmocka_unit_test_setup_teardown(test, setup_empty, teardown)

#endif

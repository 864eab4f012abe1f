/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage contract on the `file` backend, in a new directory below SNAPFS_TEST_DIR, TMPDIR or /tmp. It
 * tests the file system that this directory is on.
 */
#include "backends/file/file.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "tests/lib/tmpdir.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

struct ground {
	char dir[512];
};

static const char *base_dir(void)
{
	const char *dir = getenv("SNAPFS_TEST_DIR");

	if (!dir)
		dir = getenv("TMPDIR");
	return dir ? dir : "/tmp";
}

static void make_image(const struct ground *ground, const char *vdev, struct sf_disk *ret)
{
	int fd;

	(void)snprintf(ret->vdev, sizeof(ret->vdev), "%s", vdev);
	(void)snprintf(ret->spec, sizeof(ret->spec), "%s/%s.img", ground->dir, vdev);
	fd = open(ret->spec, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, CONTRACT_DISK_BYTES + 512), 0);
	close(fd);
}

static void *setup(struct sf_disk disks[CONTRACT_DISKS])
{
	struct ground *ground = calloc(1, sizeof(*ground));

	assert_non_null(ground);
	(void)snprintf(ground->dir, sizeof(ground->dir), "%s/snapfs-contract-XXXXXX", base_dir());
	assert_non_null(mkdtemp(ground->dir));
	make_image(ground, "vda", &disks[0]);
	make_image(ground, "vdb", &disks[1]);
	return ground;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void *arg)
{
	struct ground *ground = arg;

	assert_int_equal(nftw(ground->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(ground);
}

static struct sf_storage *open_storage(void *ground, const struct sf_id *state_id)
{
	struct sf_backend_env env = {.state_id = *state_id};
	struct sf_storage *storage = NULL;
	struct sf_err err;

	(void)ground; /* the disk's path tells where it is */
	contract_ok(sf_file_open(&env, &storage, &err), &err);
	return storage;
}

static int open_writer(void *ground, const struct sf_disk *disk)
{
	int fd = open(disk->spec, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	(void)ground;
	return fd < 0 ? -errno : fd;
}

static void lose(void *ground, const struct sf_disk *disk)
{
	(void)ground;
	assert_int_equal(unlink(disk->spec), 0);
}

/* tmpfs has attributes of users since Linux 6.6. */
static bool has_xattrs(void)
{
	char dir[128];
	bool has;

	assert_non_null(test_tmpdir(dir, sizeof(dir), "xattrs"));
	has = setxattr(dir, "user.test", "1", 1, 0) == 0;
	assert_int_equal(rmdir(dir), 0);
	return has;
}

int main(void)
{
	static const struct contract_refusal refusals[] = {
		{"/", -EINVAL, "is a directory"},
		{"/dev/null", -EINVAL, "not a regular file"},
		{"/there/is/no/such.img", -ENOENT, "/there/is/no/such.img: No such file"},
		{"relative.img", -EINVAL, "no storage backend"},
	};
	const struct contract_storage driver = {
		.name = "storage file",
		.setup = setup,
		.teardown = teardown,
		.open = open_storage,
		.open_writer = open_writer,
		.lose = lose,
		.holes = true,
		.labels = has_xattrs(),
		.refusals = refusals,
		.nrefusals = sizeof(refusals) / sizeof(refusals[0]),
	};

	return contract_storage_run(&driver);
}

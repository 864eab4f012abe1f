/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_storage_lvm thin|classic: the storage contract on real LVM, in the VG $SNAPFS_TEST_VG and, for thin,
 * its pool $SNAPFS_TEST_POOL. A case of tests/vm makes them. Each case creates and removes its volumes.
 */
#include "backends/lvm/lvm.h"
#include "base/err.h"
#include "base/proc.h"
#include "core/config/config.h"
#include "suite.h"

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

#include <cmocka.h>

#define PATIENCE_MS 60000

struct ground {
	const char *vg;
	const char *pool; /* NULL: classic */
	unsigned number;
	struct sf_config config;
	char state_dir[256];
};

static void lvm(const char *const *argv)
{
	char *env[2] = {NULL}, system_dir[512];
	struct sf_proc_spec spec = {
		.argv = argv, .extra_env = (const char *const *)env, .stdout_fd = -1, .stderr_fd = 2};
	struct sf_err err = {0};
	struct sf_proc proc;
	int status;

	if (getenv("LVM_SYSTEM_DIR")) {
		(void)snprintf(system_dir, sizeof(system_dir), "LVM_SYSTEM_DIR=%s", getenv("LVM_SYSTEM_DIR"));
		env[0] = system_dir;
	}
	contract_ok(sf_proc_start(&spec, &proc, &err), &err);
	contract_ok(sf_proc_wait(&proc, PATIENCE_MS, &status, &err), &err);
	assert_int_equal(status, 0);
}

/* A new classic LV contains the old data of its extents. */
static void make_blank(const struct sf_disk *disk)
{
	char *zeros = calloc(1, CONTRACT_DISK_BYTES);
	int fd = open(disk->spec, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_non_null(zeros);
	assert_int_equal(write(fd, zeros, CONTRACT_DISK_BYTES), CONTRACT_DISK_BYTES);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	free(zeros);
}

static void make_volume(const struct ground *ground, const char *vdev, struct sf_disk *ret)
{
	char name[64], size[32], pool[256];
	const char *const thin[] = {"lvcreate", "--yes", "-n", name, "-V", size, "--thinpool", pool, NULL};
	const char *const classic[] = {"lvcreate", "--yes", "-n", name, "-L", size, ground->vg, NULL};

	(void)snprintf(ret->vdev, sizeof(ret->vdev), "%s", vdev);
	(void)snprintf(name, sizeof(name), "disk-%u.%s", ground->number, vdev);
	(void)snprintf(size, sizeof(size), "%ub", CONTRACT_DISK_BYTES);
	(void)snprintf(pool, sizeof(pool), "%s/%s", ground->vg, ground->pool);
	(void)snprintf(ret->spec, sizeof(ret->spec), "/dev/%s/%s", ground->vg, name);
	lvm(ground->pool ? thin : classic);
	if (!ground->pool)
		make_blank(ret);
}

static const char *pool_name; /* from main(); NULL: classic */

static void *setup(struct sf_disk disks[CONTRACT_DISKS])
{
	static unsigned number;
	struct ground *ground = calloc(1, sizeof(*ground));

	assert_non_null(ground);
	ground->vg = getenv("SNAPFS_TEST_VG");
	ground->pool = pool_name;
	ground->number = ++number;
	assert_non_null(ground->vg);
	sf_config_init(&ground->config);
	ground->config.lvm.deadline_ms = PATIENCE_MS;
	(void)snprintf(ground->state_dir, sizeof(ground->state_dir), "%s/snapfs-contract-XXXXXX",
		       getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(ground->state_dir));
	make_volume(ground, "vda", &disks[0]);
	make_volume(ground, "vdb", &disks[1]);
	return ground;
}

static void teardown(void *arg)
{
	struct ground *ground = arg;
	char select[256];
	const char *const snapshots[] = {"lvremove", "--yes", "-S", "lv_name=~\"^snapfs_\"",
					 ground->vg, NULL};
	const char *const volumes[] = {"lvremove", "--yes", "-S", select, ground->vg, NULL};

	(void)snprintf(select, sizeof(select), "lv_name=~\"^disk-%u[.]\"", ground->number);
	lvm(snapshots);
	lvm(volumes);
	assert_int_equal(rmdir(ground->state_dir), 0);
	sf_config_fini(&ground->config);
	free(ground);
}

static struct sf_storage *open_storage(void *arg, const struct sf_id *state_id)
{
	struct ground *ground = arg;
	const struct sf_lvm_options options = {
		.config = &ground->config.lvm, .state_dir = ground->state_dir, .state_id = *state_id};
	struct sf_storage *storage = NULL;
	struct sf_err err = {0};
	struct sf_lvm *instance;

	contract_ok(sf_lvm_new(&options, &instance, &err), &err);
	contract_ok((ground->pool ? sf_lvm_thin_open : sf_lvm_classic_open)(instance, &storage, &err), &err);
	sf_lvm_unref(instance);
	return storage;
}

static int open_writer(void *ground, const struct sf_disk *disk)
{
	int fd = open(disk->spec, O_RDWR | O_CLOEXEC);

	(void)ground;
	return fd < 0 ? -errno : fd;
}

/* Thin snapshots outlive their volume. */
static void lose(void *ground, const struct sf_disk *disk)
{
	const char *const argv[] = {"lvremove", "--yes", "--", disk->spec, NULL};

	(void)ground;
	lvm(argv);
}

int main(int argc, char **argv)
{
	static const struct contract_refusal refusals[] = {
		{"/dev/null", -EINVAL, "no storage backend"},
		{"/", -EINVAL, "no storage backend"},
		{"relative.img", -EINVAL, "no storage backend"},
	};
	struct contract_storage driver = {
		.setup = setup,
		.teardown = teardown,
		.open = open_storage,
		.open_writer = open_writer,
		.refusals = refusals,
		.nrefusals = sizeof(refusals) / sizeof(refusals[0]),
	};
	bool thin = argc == 2 && strcmp(argv[1], "thin") == 0;

	if (!thin && (argc != 2 || strcmp(argv[1], "classic") != 0)) {
		(void)fprintf(stderr, "usage: test_storage_lvm thin|classic\n");
		return 2;
	}
	pool_name = thin ? getenv("SNAPFS_TEST_POOL") : NULL;
	driver.name = thin ? "storage lvm_thin" : "storage lvm_classic";
	driver.holes = thin;
	driver.lose = thin ? lose : NULL;
	driver.labels = true;
	driver.slow = true;
	return contract_storage_run(&driver);
}

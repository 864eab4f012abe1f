/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "place.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/id.h"
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void sf_file_names(const struct sf_id *token, struct sf_file_names *ret)
{
	char text[SF_ID_TEXT];

	sf_id_format(token, text);
	(void)snprintf(ret->img, sizeof(ret->img), "%s.img", text);
	(void)snprintf(ret->tmp, sizeof(ret->tmp), "%s.tmp", text);
	(void)snprintf(ret->revert, sizeof(ret->revert), "revert-%s.tmp", text);
}

void sf_file_where(const struct sf_storage *storage, const char *origin, const char *name,
		   char where[static SF_FILE_WHERE])
{
	const struct sf_file_storage *file = (const struct sf_file_storage *)storage;
	const char *slash = strrchr(origin, '/');
	int dir_len = slash ? (int)(slash - origin) : 0;

	(void)snprintf(where, SF_FILE_WHERE, "%.*s/" SF_FILE_DIR "/%s/%s", dir_len, origin, file->id, name);
}

int sf_file_open_parent(const char *path, const char **ret_name, struct sf_err *err)
{
	auto_fd int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *end;

	if (dir < 0)
		return sf_fail(err, -errno, "open /: %s", strerror(errno));
	if (*path++ != '/')
		return sf_fail(err, -EINVAL, "%s is not an absolute path", path - 1);
	for (; (end = strchr(path, '/')); path = end + 1) {
		char name[NAME_MAX + 1];
		int next;

		if (end - path > NAME_MAX)
			return sf_fail(err, -ENAMETOOLONG, "a directory's name is too long");
		(void)snprintf(name, sizeof(name), "%.*s", (int)(end - path), path);
		next = sf_open_dir(dir, name, err);
		if (next < 0)
			return next;
		(void)close(dir); /* only traversed */
		dir = next;
	}
	*ret_name = path;
	return sf_take_fd(&dir);
}

int sf_file_open_ours(int parent, const char *name, bool create, struct sf_err *err)
{
	auto_fd int dir = -1;
	struct stat st;

	if (create && mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return sf_fail(err, -errno, "mkdir %s: %s", name, strerror(errno));
	dir = sf_open_dir(parent, name, err);
	if (dir == -ENOTDIR || dir == -ELOOP)
		return sf_fail(err, -EPERM, "%s is in the way: it is not a directory", name);
	if (dir < 0)
		return dir;
	if (fstat(dir, &st) < 0)
		return sf_fail(err, -errno, "stat %s: %s", name, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return sf_fail(err, -EPERM, "%s is not ours alone: owner %u, mode %04o", name, st.st_uid,
			       st.st_mode & 07777);
	return sf_take_fd(&dir);
}

static bool has_image(const struct sf_file_place *place)
{
	struct stat st;

	return place->image_dir >= 0 &&
	       fstatat(place->image_dir, place->image, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int sf_file_place_open(const struct sf_storage *storage, const char *origin, bool create,
		       struct sf_file_place *ret, struct sf_err *err)
{
	const struct sf_file_storage *file = (const struct sf_file_storage *)storage;
	int rc;

	sf_file_place_close(ret);
	rc = ret->image_dir = sf_file_open_parent(origin, &ret->image, err);
	if (rc >= 0)
		rc = ret->snapfs_dir = sf_file_open_ours(ret->image_dir, SF_FILE_DIR, create, err);
	if (rc >= 0)
		rc = ret->id_dir = sf_file_open_ours(ret->snapfs_dir, file->id, create, err);
	if (rc == -ENOENT && !has_image(ret))
		rc = sf_fail(err, -ENODEV,
			     "they are missing, and so is the image: is its file system mounted?");
	return rc < 0 ? sf_wrap(err, rc, "snapshots beside %s", origin) : 0;
}

void sf_file_place_close(struct sf_file_place *place)
{
	sf_cleanup_fd(&place->id_dir);
	sf_cleanup_fd(&place->snapfs_dir);
	sf_cleanup_fd(&place->image_dir);
	*place = SF_FILE_NOWHERE;
}

int sf_file_place_sync(const struct sf_file_place *place, struct sf_err *err)
{
	int rc = sf_fsync(place->id_dir, "the directory of the snapshots", err);

	if (rc == 0)
		rc = sf_fsync(place->snapfs_dir, SF_FILE_DIR, err);
	if (rc == 0)
		rc = sf_fsync(place->image_dir, "the directory of the image", err);
	return rc;
}

void sf_file_place_prune(const struct sf_storage *storage, const struct sf_file_place *place)
{
	const struct sf_file_storage *file = (const struct sf_file_storage *)storage;

	/* Usually not empty. A leftover empty directory, or one that a crash restores, is harmless. */
	if (place->id_dir >= 0)
		(void)unlinkat(place->snapfs_dir, file->id, AT_REMOVEDIR);
	if (place->snapfs_dir >= 0)
		(void)unlinkat(place->image_dir, SF_FILE_DIR, AT_REMOVEDIR);
}

int sf_file_open_origin(const char *origin, int flags, struct sf_err *err)
{
	const char *name;
	auto_fd int dir = sf_file_open_parent(origin, &name, err);
	auto_fd int fd = -1;
	struct stat st;

	if (dir < 0)
		return sf_wrap(err, dir, "open %s", origin);
	fd = openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", origin, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a regular file", origin);
	return sf_take_fd(&fd);
}

uint64_t sf_file_allocated(const struct stat *st)
{
	/* Blocks beyond the end of the file may be preallocated. */
	uint64_t sectors = ((uint64_t)st->st_size + 511) / 512;

	return ((uint64_t)st->st_blocks < sectors ? (uint64_t)st->st_blocks : sectors) * 512;
}

bool sf_file_exists(int dir, const char *name)
{
	return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int sf_file_create_anew(int dir, const char *name, struct sf_err *err)
{
	int fd;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return sf_fail(err, -errno, "remove %s: %s", name, strerror(errno));
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? sf_fail(err, -errno, "create %s: %s", name, strerror(errno)) : fd;
}

/* On btrfs each subvolume has its own device number, but all share the space (BTRFS_IOC_FS_INFO). */
static bool btrfs_pool(int fd, char *pool, size_t len)
{
	struct btrfs_ioctl_fs_info_args info = {0};
	struct sf_id fsid;
	char text[SF_ID_TEXT];

	if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
		return false;
	memcpy(fsid.bytes, info.fsid, sizeof(fsid.bytes));
	sf_id_format(&fsid, text);
	(void)snprintf(pool, len, "btrfs %s", text);
	return true;
}

int sf_file_space(int fd, const char *what, struct sf_space *ret, struct sf_err *err)
{
	struct statvfs vfs;
	struct stat st;
	bool btrfs;

	if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
		return sf_fail(err, -errno, "file system of %s: %s", what, strerror(errno));
	btrfs = btrfs_pool(fd, ret->pool, sizeof(ret->pool));
	if (!btrfs)
		(void)snprintf(ret->pool, sizeof(ret->pool), "dev %u:%u", major(st.st_dev), minor(st.st_dev));
	ret->total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	/* Root may use the reserved blocks. btrfs reserves none, and its f_bfree counts raw space. */
	ret->free_bytes = (uint64_t)(btrfs ? vfs.f_bavail : vfs.f_bfree) * vfs.f_frsize;
	return 0;
}

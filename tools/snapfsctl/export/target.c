/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include "tools/snapfsctl/tree/mount.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* ".disk.img.partial" */
static void partial_name(const char *name, char buf[static NAME_MAX + 1])
{
	(void)snprintf(buf, NAME_MAX + 1, ".%s.partial", name);
}

static int fail(const struct sf_target *target, const char *name, int rc, struct sf_err *err)
{
	return sf_fail(err, rc, "%s/%s: %s", target->path, name, strerror(-rc));
}

void sf_target_close(struct sf_target *target)
{
	if (*target->path && target->dir >= 0)
		(void)close(target->dir); /* what was written is durable already */
	*target = (struct sf_target){0};
}

/* A new directory is durable once its parent is synced. */
static int sync_parent(const struct sf_target *target, struct sf_err *err)
{
	auto_fd int parent = openat(target->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return sf_fail(err, -errno, "%s/..: %s", target->path, strerror(errno));
	return sf_fsync(parent, target->path, err);
}

/* Splits path, which is not empty: returns its last component and sets *parent to what precedes it. */
static const char *split(char *path, const char **parent)
{
	size_t len = strlen(path);
	char *slash;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	*parent = !slash ? "." : slash == path ? "/" : path;
	if (!slash)
		return path;
	*slash = '\0';
	return slash + 1;
}

/*
 * Opens the directory, or creates it through a descriptor of its parent that is checked first: a mkdir in the
 * mounted tree would take a snapshot.
 */
static int open_or_create(struct sf_target *target, dev_t tree, bool *ret_created, struct sf_err *err)
{
	char copy[PATH_MAX];
	const char *parent, *name;
	struct stat st;
	auto_fd int dir = -1;

	*ret_created = false;
	target->dir = open(target->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (target->dir >= 0 || errno != ENOENT)
		return target->dir >= 0 ? 0 : sf_fail(err, -errno, "%s: %s", target->path, strerror(errno));
	(void)snprintf(copy, sizeof(copy), "%s", target->path);
	name = split(copy, &parent);
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return sf_fail(err, -errno, "%s: %s", parent, strerror(errno));
	if (st.st_dev == tree)
		return sf_fail(err, -EINVAL, "%s is inside the mount of the snapshots", target->path);
	if (mkdirat(dir, name, 0700) < 0)
		return sf_fail(err, -errno, "%s: %s", target->path, strerror(errno));
	*ret_created = true;
	target->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return target->dir >= 0 ? 0 : sf_fail(err, -errno, "%s: %s", target->path, strerror(errno));
}

int sf_target_open(struct sf_target *target, const char *path, const struct sf_mount *mount,
		   struct sf_err *err)
{
	struct sf_target opened = {.dir = -1};
	struct stat tree, st;
	bool created;
	int rc;

	if (snprintf(opened.path, sizeof(opened.path), "%s", path) >= (int)sizeof(opened.path) || !*path)
		return sf_fail(err, -EINVAL, "the directory's name is %s", *path ? "too long" : "empty");
	if (fstat(mount->fd, &tree) < 0)
		return sf_fail(err, -errno, "%s: %s", mount->path, strerror(errno));
	rc = open_or_create(&opened, tree.st_dev, &created, err);
	if (rc == 0 && fstat(opened.dir, &st) == 0 && st.st_dev == tree.st_dev)
		rc = sf_fail(err, -EINVAL, "%s is inside the mount of the snapshots", path);
	if (rc == 0 && flock(opened.dir, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		rc = sf_fail(err, -EBUSY, "%s: another export is writing there", path);
	if (rc == 0 && created)
		rc = sync_parent(&opened, err);
	if (rc < 0)
		sf_target_close(&opened);
	else
		*target = opened;
	return rc;
}

/* Creates a new file, which therefore has no other link. */
static int create(const struct sf_target *target, const char *name)
{
	int fd;

	if (unlinkat(target->dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(target->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int fill(int fd, const void *data, size_t len, const struct timespec *mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, mtime ? *mtime : (struct timespec){0}};
	int rc = sf_write_all(fd, data, len);

	if (rc < 0)
		return rc;
	if (mtime && futimens(fd, times) < 0)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

int sf_target_put(struct sf_target *target, const char *name, const void *data, size_t len,
		  const struct timespec *mtime, struct sf_err *err)
{
	char partial[NAME_MAX + 1];
	struct stat st;
	auto_fd int fd = -1;
	int rc;

	partial_name(name, partial);
	fd = create(target, partial);
	rc = fd < 0 ? fd : fill(fd, data, len, mtime);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0)
		target->uid = st.st_uid; /* not ours where a network file system maps root to nobody */
	if (rc == 0 && renameat(target->dir, partial, target->dir, name) < 0)
		rc = -errno;
	if (rc == 0)
		return sf_fsync(target->dir, target->path, err);
	(void)unlinkat(target->dir, partial, 0); /* the failure is being reported already */
	return fail(target, name, rc, err);
}

int sf_target_get(const struct sf_target *target, const char *name, size_t max_bytes, char **ret,
		  size_t *ret_len, struct sf_err *err)
{
	int rc = sf_durable_read(target->dir, name, max_bytes, ret, ret_len, err);

	return rc < 0 ? sf_wrap(err, rc, "%s", target->path) : 0;
}

int sf_target_remove(const struct sf_target *target, const char *name, struct sf_err *err)
{
	int rc = sf_durable_unlink(target->dir, name, err);

	return rc < 0 ? sf_wrap(err, rc, "%s", target->path) : 0;
}

int sf_target_look(const struct sf_target *target, const char *name, struct sf_err *err)
{
	auto_fd int fd = openat(target->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return sf_fail(err, -EEXIST, "%s/%s is a symbolic link", target->path, name);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(target, name, -errno, err);
	if (!S_ISREG(st.st_mode))
		return sf_fail(err, -EEXIST, "%s/%s is not a file", target->path, name);
	return sf_take_fd(&fd);
}

/* --- large files --- */

/* Opens a partial file if it is a regular file of ours without other links; -ENOENT otherwise. */
static int open_begun(const struct sf_target *target, const char *partial, uint64_t size_bytes)
{
	auto_fd int fd =
		openat(target->dir, partial, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    st.st_uid != target->uid || (uint64_t)st.st_size != size_bytes)
		return -ENOENT;
	return sf_take_fd(&fd);
}

int sf_target_begin(const struct sf_target *target, const char *name, uint64_t size_bytes,
		    uint64_t *keep_bytes, struct sf_err *err)
{
	char partial[NAME_MAX + 1];
	auto_fd int fd = -1;

	partial_name(name, partial);
	if (*keep_bytes > 0 && *keep_bytes <= size_bytes)
		fd = open_begun(target, partial, size_bytes);
	if (fd < 0) {
		*keep_bytes = 0;
		fd = create(target, partial);
	}
	if (fd < 0)
		return fail(target, partial, fd, err);
	if (ftruncate(fd, (off_t)*keep_bytes) < 0 || ftruncate(fd, (off_t)size_bytes) < 0)
		return fail(target, partial, -errno, err);
	return sf_take_fd(&fd);
}

int sf_target_finish(const struct sf_target *target, const char *name, struct sf_err *err)
{
	char partial[NAME_MAX + 1];
	struct stat st;

	partial_name(name, partial);
	if (renameat2(target->dir, partial, target->dir, name, RENAME_NOREPLACE) < 0) {
		/* Some network file systems do not support the flag. */
		if (errno != EINVAL)
			return fail(target, name, -errno, err);
		if (fstatat(target->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return fail(target, name, -EEXIST, err);
		if (renameat(target->dir, partial, target->dir, name) < 0)
			return fail(target, name, -errno, err);
	}
	return sf_fsync(target->dir, target->path, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "durable.h"

#include "cleanup.h"
#include "err.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int sf_fsync(int fd, const char *what, struct sf_err *err)
{
	if (fsync(fd) < 0)
		return sf_fail(err, -errno, "fsync %s: %s", what, strerror(errno));
	return 0;
}

static int set_times(int fd, const char *what, uint64_t real_ns, struct sf_err *err)
{
	const struct timespec time = {.tv_sec = (time_t)(real_ns / 1000000000),
				      .tv_nsec = (long)(real_ns % 1000000000)};
	const struct timespec times[] = {time, time};

	if (futimens(fd, times) < 0)
		return sf_fail(err, -errno, "set the times of %s: %s", what, strerror(errno));
	return 0;
}

/* real_ns 0: leaves the times alone. */
static int write_tmp(int dir, const char *tmp, const void *data, size_t len, uint64_t real_ns,
		     struct sf_err *err)
{
	auto_fd int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return sf_fail(err, -errno, "create %s: %s", tmp, strerror(errno));
	rc = sf_write_all(fd, data, len);
	if (rc < 0)
		return sf_fail(err, rc, "write %s: %s", tmp, strerror(-rc));
	if (real_ns)
		rc = set_times(fd, tmp, real_ns, err);
	return rc < 0 ? rc : sf_fsync(fd, tmp, err);
}

int sf_durable_write_dated(int dir, const char *name, const void *data, size_t len, uint64_t real_ns,
			   struct sf_err *err)
{
	char tmp[NAME_MAX + 1];
	int rc;

	if (snprintf(tmp, sizeof(tmp), ".%s" SF_DURABLE_TMP_SUFFIX, name) >= (int)sizeof(tmp))
		return sf_fail(err, -ENAMETOOLONG, "write %s: name too long", name);
	rc = write_tmp(dir, tmp, data, len, real_ns, err);
	if (rc == 0 && renameat(dir, tmp, dir, name) < 0)
		rc = sf_fail(err, -errno, "rename %s to %s: %s", tmp, name, strerror(errno));
	if (rc < 0) {
		(void)unlinkat(dir, tmp, 0); /* best effort: the first failure is reported */
		return rc;
	}
	return sf_fsync(dir, "the directory of a new file", err);
}

int sf_durable_write(int dir, const char *name, const void *data, size_t len, struct sf_err *err)
{
	return sf_durable_write_dated(dir, name, data, len, 0, err);
}

int sf_durable_read(int dir, const char *name, size_t max_bytes, char **ret, size_t *ret_len,
		    struct sf_err *err)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	auto_free char *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a regular file", name);
	if (st.st_size > (off_t)max_bytes)
		return sf_fail(err, -EFBIG, "%s is larger than %zu bytes", name, max_bytes);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return sf_fail(err, -ENOMEM, "read %s: out of memory", name);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sf_fail(err, -errno, "read %s: %s", name, strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
	}
	data[len] = '\0';
	*ret = sf_take_ptr(&data);
	*ret_len = len;
	return 0;
}

int sf_durable_mkdir(int dir, const char *name, mode_t mode, struct sf_err *err)
{
	if (mkdirat(dir, name, mode) < 0)
		return sf_fail(err, -errno, "mkdir %s: %s", name, strerror(errno));
	return sf_fsync(dir, "the directory of a new directory", err);
}

int sf_open_dir(int dir, const char *name, struct sf_err *err)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return sf_fail(err, -errno, "open directory %s: %s", name, strerror(errno));
	return fd;
}

int sf_durable_rename(int from_dir, const char *from, int to_dir, const char *to, struct sf_err *err)
{
	int rc;

	if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) < 0)
		return sf_fail(err, -errno, "rename %s to %s: %s", from, to, strerror(errno));
	rc = sf_fsync(to_dir, "the directory of a new name", err);
	if (rc < 0 || from_dir == to_dir)
		return rc;
	return sf_fsync(from_dir, "the directory of an old name", err);
}

static int remove_name(int dir, const char *name, int flags, struct sf_err *err)
{
	if (unlinkat(dir, name, flags) < 0 && errno != ENOENT)
		return sf_fail(err, -errno, "remove %s: %s", name, strerror(errno));
	return sf_fsync(dir, "the directory of a removed name", err);
}

int sf_durable_unlink(int dir, const char *name, struct sf_err *err)
{
	return remove_name(dir, name, 0, err);
}

int sf_durable_rmdir(int dir, const char *name, struct sf_err *err)
{
	return remove_name(dir, name, AT_REMOVEDIR, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run_dir.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_run_dir(const char *path, struct sf_err *err)
{
	auto_fd int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sf_fail(err, -errno, "make %s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", path, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return sf_fail(err, -EPERM, "%s belongs to someone else, or others may write to it", path);
	return sf_take_fd(&fd);
}

/* The directory is made only when needed: a host whose disks are all files does not need it. */
int sf_lvm_open_run_file(struct sf_lvm *lvm, const char *name, int flags, struct sf_err *err)
{
	auto_fd int dir = open_run_dir(lvm->run_dir, err);
	int fd = dir < 0 ? dir : openat(dir, name, flags | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (dir >= 0 && fd < 0)
		return sf_fail(err, -errno, "open %s/%s: %s", lvm->run_dir, name, strerror(errno));
	return fd;
}

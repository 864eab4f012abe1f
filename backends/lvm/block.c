/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "block.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "base/proc.h"
#include "dm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BOUNCE       ((size_t)1024 * 1024)
#define BOUNCE_ALIGN 4096U

int sf_lvm_open_device(const char *dm, int flags, struct sf_err *err)
{
	char path[SF_DM_NAME + 16];
	struct stat st;
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), "/dev/mapper/%s", dm);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", path, strerror(errno));
	if (!S_ISBLK(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a device", path);
	return sf_take_fd(&fd);
}

int sf_lvm_pread(int fd, const char *what, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_free char *bounce = NULL;
	char *at = buf;

	if ((uintptr_t)buf % BOUNCE_ALIGN == 0 && off % BOUNCE_ALIGN == 0 && len % BOUNCE_ALIGN == 0)
		return sf_pread_exactly(fd, what, buf, len, off, err);
	if (posix_memalign((void **)&bounce, BOUNCE_ALIGN, BOUNCE) != 0)
		return sf_fail(err, -ENOMEM, "read %s: out of memory", what);
	while (len > 0) {
		size_t skip = off % BOUNCE_ALIGN;
		size_t piece = len < BOUNCE - skip ? len : BOUNCE - skip;
		size_t whole = (skip + piece + BOUNCE_ALIGN - 1) / BOUNCE_ALIGN * BOUNCE_ALIGN;
		ssize_t n = sf_pread_all(fd, bounce, whole, off - skip);

		if (n < 0)
			return sf_fail(err, (int)n, "read %s at %" PRIu64 ": %s", what, off,
				       strerror((int)-n));
		if ((size_t)n < skip + piece) /* the device may end inside whole, but not before */
			return sf_fail(err, -EIO, "read %s: it ends at byte %" PRIu64, what,
				       off - skip + (uint64_t)n);
		memcpy(at, bounce + skip, piece);
		at += piece;
		off += piece;
		len -= piece;
	}
	return 0;
}

int sf_lvm_read_sysfs(dev_t dev, const char *file, char *buf, size_t size)
{
	char path[96];
	auto_fd int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

int sf_lvm_settle_udev(struct sf_err *err)
{
	static const char *const argv[] = {"udevadm", "settle", "--timeout=10", NULL}, *const env[] = {NULL};
	const struct sf_proc_spec spec = {.argv = argv, .extra_env = env, .stdout_fd = -1, .stderr_fd = -1};
	struct sf_proc proc;
	int status, rc;

	if (access("/run/udev/control", F_OK) < 0)
		return 0;
	rc = sf_proc_start(&spec, &proc, err);
	if (rc == 0)
		rc = sf_proc_wait(&proc, SF_PROC_FOREVER, &status, err); /* its own deadline is 10 s */
	return rc;
}

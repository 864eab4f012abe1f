/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources: ioctl_ficlonerange(2), copy_file_range(2), lseek(2), ioctl_iflags(2). */
#include "copy.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "core/contract/job.h"
#include "lease.h"
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Buffer for when the kernel cannot copy by itself; a larger one is not faster. */
#define BUFFER_BYTES (1024 * 1024)

/* Zeros are skipped in units of this size: the usual file system block. */
#define ZERO_BYTES 4096

struct copier {
	const struct sf_file_fill *fill;
	uint64_t allocated_bytes; /* of src */
	bool skip_zeros;          /* the run has holes that SEEK_DATA does not know */
	bool by_hand;             /* copy_file_range() has failed as unsupported */
	char *buffer;             /* NULL until it is needed */
};

static bool cannot(int code)
{
	return code == EOPNOTSUPP || code == EXDEV || code == EINVAL || code == ENOTTY || code == ENOSYS;
}

static int cancelled(const struct sf_file_fill *fill, struct sf_err *err)
{
	if (sf_job_cancelled(fill->job))
		return sf_fail(err, -EINTR, "copy %s: cancelled", fill->what);
	return 0;
}

static int go_on(const struct sf_file_fill *fill, struct sf_err *err)
{
	if (fill->lease_fd >= 0 && !sf_file_lease_intact(fill->lease_fd))
		return sf_fail(err, -EBUSY, "copy %s: someone else wants to write to it", fill->what);
	return cancelled(fill, err);
}

/* Sets *ret to how many of the len bytes at p belong together: all zeros (the result), or data. */
static bool zeros(const char *p, size_t len, size_t *ret)
{
	bool zero = false;
	size_t end = 0;

	while (end < len) {
		size_t unit = len - end < ZERO_BYTES ? len - end : ZERO_BYTES;
		bool same = p[end] == 0 && memcmp(p + end, p + end + 1, unit - 1) == 0;

		if (end > 0 && same != zero)
			break;
		zero = same;
		end += unit;
	}
	*ret = end;
	return zero;
}

/* Writes the buffer. dst is sparse and as long as src, so zeros may be left out. */
static int write_buffer(const struct copier *c, size_t len, uint64_t off)
{
	size_t at = 0, n = len;
	int rc = 0;

	for (; at < len && rc == 0; at += n)
		if (!c->skip_zeros || !zeros(c->buffer + at, len - at, &n))
			rc = sf_pwrite_all(c->fill->dst, c->buffer + at, n, off + at);
	return rc;
}

static ssize_t copy_by_hand(struct copier *c, uint64_t off, size_t len)
{
	ssize_t n;
	int rc;

	if (!c->buffer)
		c->buffer = malloc(BUFFER_BYTES);
	if (!c->buffer)
		return -1;
	n = pread(c->fill->src, c->buffer, len < BUFFER_BYTES ? len : BUFFER_BYTES, (off_t)off);
	rc = n < 0 ? 0 : write_buffer(c, (size_t)n, off);
	if (rc < 0)
		errno = -rc;
	return rc < 0 ? -1 : n;
}

/* Like copy_file_range(2): returns the bytes copied, 0 at the end of the file, -1 with errno. */
static ssize_t copy_piece(struct copier *c, uint64_t off, size_t len)
{
	loff_t in = (loff_t)off, out = (loff_t)off;
	ssize_t n;

	if (c->skip_zeros || c->by_hand)
		return copy_by_hand(c, off, len);
	n = copy_file_range(c->fill->src, &in, c->fill->dst, &out, len, 0);
	if (n >= 0 || !cannot(errno))
		return n;
	c->by_hand = true;
	return copy_by_hand(c, off, len);
}

static int copy_run(struct copier *c, uint64_t off, uint64_t end, struct sf_err *err)
{
	while (off < end) {
		size_t len = end - off < SF_FILE_PIECE ? (size_t)(end - off) : SF_FILE_PIECE;
		int rc = go_on(c->fill, err);
		ssize_t n;

		if (rc < 0)
			return rc;
		n = copy_piece(c, off, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sf_fail(err, -errno, "copy %s: %s", c->fill->what, strerror(errno));
		if (n == 0)
			return sf_fail(err, -EIO, "copy %s: the file was truncated meanwhile", c->fill->what);
		sf_job_advance(c->fill->job, (uint64_t)n);
		off += (uint64_t)n;
	}
	return 0;
}

/* The next run of data at or after off, up to size. Both ends are size when only a hole follows. */
static int next_run(const struct sf_file_fill *fill, uint64_t off, uint64_t size, uint64_t *ret_from,
		    uint64_t *ret_to, struct sf_err *err)
{
	off_t from = lseek(fill->src, (off_t)off, SEEK_DATA), to = (off_t)size;

	if (from < 0 && errno == ENXIO)
		from = (off_t)size;
	else if (from >= 0)
		to = lseek(fill->src, from, SEEK_HOLE);
	if (from < 0 || to < 0)
		return sf_fail(err, -errno, "find holes in %s: %s", fill->what, strerror(errno));
	*ret_from = (uint64_t)from < size ? (uint64_t)from : size;
	*ret_to = (uint64_t)to < size ? (uint64_t)to : size;
	return 0;
}

static int copy_data(struct copier *c, uint64_t size, struct sf_err *err)
{
	uint64_t off = 0, from = 0, to = 0;
	int rc;

	while (off < size) {
		rc = next_run(c->fill, off, size, &from, &to, err);
		if (rc < 0)
			return rc;
		sf_job_advance(c->fill->job, from - off); /* holes count as copied */
		/* Without SEEK_HOLE, as on NFS before 4.2, the whole file looks like one run of data. */
		c->skip_zeros = to - from > c->allocated_bytes;
		rc = copy_run(c, from, to, err);
		if (rc < 0)
			return rc;
		off = to;
	}
	return 0;
}

static int copy_sparse(const struct sf_file_fill *fill, struct sf_err *err)
{
	struct copier c = {.fill = fill};
	struct stat before, after;
	int rc;

	if (fstat(fill->src, &before) < 0)
		return sf_fail(err, -errno, "stat %s: %s", fill->what, strerror(errno));
	if (ftruncate(fill->dst, before.st_size) < 0)
		return sf_fail(err, -errno, "copy %s: %s", fill->what, strerror(errno));
	c.allocated_bytes = sf_file_allocated(&before);
	sf_job_expect(fill->job, (uint64_t)before.st_size);
	rc = copy_data(&c, (uint64_t)before.st_size, err);
	free(c.buffer);
	if (rc < 0)
		return rc;
	if (fstat(fill->src, &after) < 0 || after.st_size != before.st_size)
		return sf_fail(err, -EIO, "copy %s: its size changed meanwhile", fill->what);
	return 0;
}

int sf_file_fill(const struct sf_file_fill *fill, const char **ret_method, struct sf_err *err)
{
	int rc = cancelled(fill, err);

	if (rc < 0)
		return rc;
	if (ioctl(fill->dst, FICLONE, fill->src) == 0) {
		*ret_method = SF_FILE_REFLINK;
		return 0;
	}
	if (fill->share_only || !cannot(errno))
		return sf_fail(err, -errno, "reflink %s: %s", fill->what, strerror(errno));
	rc = copy_sparse(fill, err);
	if (rc == 0)
		*ret_method = SF_FILE_COPY;
	return rc;
}

int sf_file_inherit_nocow(int like, int fd, struct sf_err *err)
{
	int want = 0, have = 0;

	if (ioctl(like, FS_IOC_GETFLAGS, &want) < 0 || !(want & FS_NOCOW_FL))
		return 0; /* a file system without inode flags has none to inherit */
	if (ioctl(fd, FS_IOC_GETFLAGS, &have) == 0) {
		have |= FS_NOCOW_FL;
		if (ioctl(fd, FS_IOC_SETFLAGS, &have) == 0)
			return 0;
	}
	return sf_fail(err, -errno, "set the no-copy-on-write flag: %s", strerror(errno));
}

bool sf_file_can_share(int dir, int src)
{
	auto_fd int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	struct file_clone_range range = {.src_fd = src};
	struct stat st;

	if (fd < 0 || fstat(src, &st) < 0 || sf_file_inherit_nocow(src, fd, NULL) < 0)
		return false;
	if (st.st_size > st.st_blksize)
		range.src_length = (uint64_t)st.st_blksize; /* 0: the whole file */
	return ioctl(fd, FICLONERANGE, &range) == 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reader.h"

#include "tools/snapfsctl/tree/interrupt.h"
#include "tools/snapfsctl/tree/mount.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The alignment that O_DIRECT needs for offsets and memory on all disks (open(2)). */
#define ALIGNMENT 4096

/* Starts or ends the deadline around a call to the daemon. */
static void watch(const struct sf_reader *reader, bool on)
{
	if (reader->mount && on)
		(void)sf_mount_watch(reader->mount);
	else if (reader->mount)
		sf_mount_unwatch(NULL);
}

static int prepare(struct sf_reader *reader, struct sf_err *err)
{
	struct stat st;

	if (fstat(reader->fd, &st) < 0)
		return sf_fail(err, -errno, "%s: %s", reader->what, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a regular file", reader->what);
	reader->size_bytes = (uint64_t)st.st_size;
	reader->buf = aligned_alloc(ALIGNMENT, SF_READER_BUFFER);
	if (!reader->buf)
		return sf_fail(err, -ENOMEM, "out of memory");
	reader->direct = fcntl(reader->fd, F_SETFL, O_DIRECT) == 0;
	return 0;
}

int sf_reader_take(struct sf_reader *reader, int fd, const char *what, struct sf_err *err)
{
	int rc;

	*reader = (struct sf_reader){.what = what, .fd = fd};
	rc = prepare(reader, err);
	if (rc < 0)
		sf_reader_close(reader);
	return rc;
}

int sf_reader_open(struct sf_reader *reader, const struct sf_mount *mount, int dir, const char *name,
		   const char *what, struct sf_err *err)
{
	int rc;

	*reader = (struct sf_reader){.mount = mount, .what = what};
	watch(reader, true);
	reader->fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (reader->fd < 0)
		rc = sf_fail(err, -errno, "%s: %s", what, strerror(errno));
	else
		rc = prepare(reader, err);
	watch(reader, false);
	if (rc < 0)
		sf_reader_close(reader);
	return rc;
}

void sf_reader_close(struct sf_reader *reader)
{
	if (reader->what && reader->fd >= 0)
		(void)close(reader->fd); /* nothing was written */
	free(reader->buf);
	*reader = (struct sf_reader){0};
}

/* Finds the next extent of data from reader->off on. On a file system without holes, everything is data. */
static int find_data(struct sf_reader *reader, struct sf_err *err)
{
	off_t data, end;

	data = lseek(reader->fd, (off_t)reader->off, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		reader->data_off = reader->data_end = reader->size_bytes;
		return 0;
	}
	if (data < 0 && errno == EINVAL) {
		reader->data_off = reader->off;
		reader->data_end = reader->size_bytes;
		return 0;
	}
	end = data < 0 ? -1 : lseek(reader->fd, data, SEEK_HOLE);
	if (end < 0)
		return sf_fail(err, -errno, "%s: finding holes: %s", reader->what, strerror(errno));
	reader->data_off = (uint64_t)data - (uint64_t)data % ALIGNMENT;
	if (reader->data_off < reader->off)
		reader->data_off = reader->off;
	reader->data_end = ((uint64_t)end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (reader->data_end > reader->size_bytes)
		reader->data_end = reader->size_bytes;
	return 0;
}

/* Reads as much of the extent as fits; returns the number of bytes. */
static int read_data(struct sf_reader *reader, struct sf_err *err)
{
	uint64_t left = reader->data_end - reader->off;
	/* O_DIRECT needs whole blocks at the file's end, too. */
	size_t len = left < SF_READER_BUFFER ? (size_t)((left + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)
					     : SF_READER_BUFFER;

	for (;;) {
		ssize_t n = pread(reader->fd, reader->buf, len, (off_t)reader->off);

		if (n > 0) {
			n = (uint64_t)n > left ? (ssize_t)left : n;
			if (!reader->direct)
				(void)posix_fadvise(reader->fd, (off_t)reader->off, n, POSIX_FADV_DONTNEED);
			return (int)n;
		}
		if (n == 0)
			return sf_fail(err, -EIO, "%s ends before its size", reader->what);
		if (errno == EINVAL && reader->direct) {
			reader->direct = false;
			if (fcntl(reader->fd, F_SETFL, 0) < 0)
				return sf_fail(err, -errno, "%s: %s", reader->what, strerror(errno));
		} else if (errno != EINTR || sf_interrupted()) {
			return sf_fail(err, -errno, "%s: %s", reader->what, strerror(errno));
		}
	}
}

/* Returns 1 if there is more, 0 at the end. */
static int look_ahead(struct sf_reader *reader, struct sf_err *err)
{
	int rc = 0;

	if (sf_interrupted())
		return sf_fail(err, -EINTR, "%s: interrupted", reader->what);
	if (reader->off == reader->size_bytes)
		return 0;
	watch(reader, true);
	if (reader->off >= reader->data_end)
		rc = find_data(reader, err);
	watch(reader, false);
	return rc < 0 ? rc : 1;
}

int sf_reader_next(struct sf_reader *reader, struct sf_piece *ret, struct sf_err *err)
{
	int rc = look_ahead(reader, err);

	if (rc <= 0)
		return rc;
	*ret = (struct sf_piece){.off = reader->off};
	if (reader->off >= reader->data_off) {
		watch(reader, true);
		rc = read_data(reader, err);
		watch(reader, false);
		ret->data = reader->buf;
		ret->len = rc > 0 ? (uint64_t)rc : 0;
	} else {
		ret->len = reader->data_off - reader->off;
		if (ret->len > SF_READER_HOLE)
			ret->len = SF_READER_HOLE;
	}
	if (rc < 0)
		return rc;
	reader->off += ret->len;
	return 1;
}

int sf_reader_skip(struct sf_reader *reader, uint64_t *ret_off, uint64_t *ret_len, struct sf_err *err)
{
	int rc = look_ahead(reader, err);

	if (rc <= 0)
		return rc;
	*ret_off = reader->off > reader->data_off ? reader->off : reader->data_off;
	*ret_len = reader->data_end - *ret_off;
	reader->off = reader->data_end;
	return *ret_len > 0;
}

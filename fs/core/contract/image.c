/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checked calls on images, and the image of a regular file. The calls clamp reads to the image and trust
 * no extent that an implementation reports.
 */
#include "image.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int sf_image_pread(struct sf_image *image, void *buf, size_t len, uint64_t off, size_t *ret_len,
		   struct sf_err *err)
{
	int rc;

	if (off >= image->size_bytes || len == 0) {
		*ret_len = 0;
		return 0;
	}
	if (len > image->size_bytes - off)
		len = (size_t)(image->size_bytes - off);
	rc = image->ops->pread(image, buf, len, off, err);
	if (rc < 0)
		return rc;
	*ret_len = len;
	return 0;
}

/* The extent at off, which is inside the image. A wrong answer must not make a caller loop or overrun. */
static int extent_at(struct sf_image *image, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	struct sf_extent extent = {0};
	int rc = image->ops->extent(image, off, &extent, err);

	if (rc < 0)
		return rc;
	if (extent.off != off || extent.len == 0)
		return sf_fail(err, -EIO, "extent at %" PRIu64 ": the backend answered %" PRIu64 "+%" PRIu64,
			       off, extent.off, extent.len);
	if (extent.len > image->size_bytes - off)
		extent.len = image->size_bytes - off;
	*ret = extent;
	return 0;
}

int sf_image_seek(struct sf_image *image, uint64_t off, bool data, uint64_t *ret_off, struct sf_err *err)
{
	struct sf_extent extent;

	if (off >= image->size_bytes)
		return sf_fail(err, -ENXIO, "seek to %" PRIu64 ": beyond the end", off);
	while (off < image->size_bytes) {
		int rc = extent_at(image, off, &extent, err);

		if (rc < 0)
			return rc;
		if (extent.data == data)
			break;
		off += extent.len;
	}
	if (data && off >= image->size_bytes)
		return sf_fail(err, -ENXIO, "seek: only a hole follows");
	*ret_off = off;
	return 0;
}

int sf_image_data_bytes(struct sf_image *image, uint64_t *ret_bytes, struct sf_err *err)
{
	struct sf_extent extent;
	uint64_t bytes = 0;

	for (uint64_t off = 0; off < image->size_bytes; off += extent.len) {
		int rc = extent_at(image, off, &extent, err);

		if (rc < 0)
			return rc;
		if (extent.data)
			bytes += extent.len;
	}
	*ret_bytes = bytes;
	return 0;
}

int sf_image_file(const struct sf_image *image)
{
	return image->ops->file(image);
}

int sf_image_no_file(const struct sf_image *image)
{
	(void)image;
	return -1;
}

void sf_image_close(struct sf_image *image)
{
	if (image)
		image->ops->close(image);
}

struct file_image {
	struct sf_image base;
	int fd;
	int direct_fd; /* the same file with O_DIRECT; -1 if the file system refuses it */
	char *what;
};

static int shorter(const struct file_image *image, struct sf_err *err)
{
	return sf_fail(err, -EIO, "%s is shorter than %" PRIu64 " bytes: it was truncated while in use",
		       image->what, image->base.size_bytes);
}

static bool fits_direct(const void *buf, size_t len, uint64_t off)
{
	return (uintptr_t)buf % SF_IMAGE_ALIGN == 0 && off % SF_IMAGE_ALIGN == 0 && len >= SF_IMAGE_ALIGN;
}

static int file_pread(struct sf_image *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct file_image *image = (struct file_image *)base;
	int direct_fd = image->direct_fd;
	char *at = buf;

	while (len > 0) {
		bool direct = direct_fd >= 0 && fits_direct(at, len, off);
		size_t piece = direct ? len - len % SF_IMAGE_ALIGN : len;
		ssize_t n = pread(direct ? direct_fd : image->fd, at, piece, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EINVAL && direct) {
			direct_fd = -1; /* needs a larger alignment than ours: use the page cache */
			continue;
		}
		if (n < 0)
			return sf_fail(err, -errno, "read %s: %s", image->what, strerror(errno));
		if (n == 0)
			return shorter(image, err);
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* lseek moves an offset that all threads share, but nothing here depends on it. */
static int file_extent(struct sf_image *base, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	struct file_image *image = (struct file_image *)base;
	off_t data = lseek(image->fd, (off_t)off, SEEK_DATA), end;
	struct stat st;

	if (data < 0 && errno == ENXIO) { /* only a hole follows, or the file was truncated */
		if (fstat(image->fd, &st) == 0 && st.st_size < (off_t)base->size_bytes)
			return shorter(image, err);
		data = (off_t)base->size_bytes;
	}
	end = data == (off_t)off ? lseek(image->fd, data, SEEK_HOLE) : data;
	if (end < 0 && errno == ENXIO)
		return shorter(image, err);
	if (end < 0)
		return sf_fail(err, -errno, "find holes in %s: %s", image->what, strerror(errno));
	ret->off = off;
	ret->len = (uint64_t)end - off;
	ret->data = data == (off_t)off;
	return 0;
}

static int file_file(const struct sf_image *base)
{
	return ((const struct file_image *)base)->fd;
}

static void file_close(struct sf_image *base)
{
	struct file_image *image = (struct file_image *)base;

	(void)close(image->fd); /* opened read-only: nothing to lose */
	if (image->direct_fd >= 0)
		(void)close(image->direct_fd);
	free(image->what);
	free(image);
}

static const struct sf_image_ops file_ops = {
	.pread = file_pread,
	.extent = file_extent,
	.file = file_file,
	.close = file_close,
};

/* -1 unless it is the file that st describes: the name may have been replaced. */
static int open_direct(int dir, const char *name, const struct stat *st)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat now;

	if (fd < 0 || fstat(fd, &now) < 0 || now.st_dev != st->st_dev || now.st_ino != st->st_ino)
		return -1;
	return sf_take_fd(&fd);
}

int sf_image_open_file(int dir, const char *name, const char *what, struct sf_image **ret, struct sf_err *err)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	auto_free char *copy = strdup(what);
	struct file_image *image;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "open %s: %s", what, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return sf_fail(err, -EINVAL, "%s is not a regular file", what);
	image = calloc(1, sizeof(*image));
	if (!image || !copy) {
		free(image);
		return sf_fail(err, -ENOMEM, "open %s: out of memory", what);
	}
	image->base.ops = &file_ops;
	image->base.size_bytes = (uint64_t)st.st_size;
	image->direct_fd = open_direct(dir, name, &st);
	image->fd = sf_take_fd(&fd);
	image->what = sf_take_ptr(&copy);
	*ret = &image->base;
	return 0;
}

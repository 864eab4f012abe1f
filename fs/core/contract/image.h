/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of one snapshot file, open for reading. It cannot change while it is open, so every call is
 * thread-safe and lock-free. A storage backend creates images with image_open; memory.sav is opened with
 * sf_image_open_file().
 */
#ifndef SF_CORE_CONTRACT_IMAGE_H
#define SF_CORE_CONTRACT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_image;

/* A range of bytes that is all data or all hole. Holes read as zeros. */
struct sf_extent {
	uint64_t off;
	uint64_t len;
	bool data;
};

/*
 * The slots of an implementation. Arguments arrive checked: off < size_bytes, len > 0, off + len <=
 * size_bytes.
 */
struct sf_image_ops {
	/* Reads exactly len bytes. -ESTALE if the content is gone, -EIO if the device failed. */
	int (*pread)(struct sf_image *image, void *buf, size_t len, uint64_t off, struct sf_err *err);
	/* The extent that starts at off. len may be shorter than the real extent but is never 0. */
	int (*extent)(struct sf_image *image, uint64_t off, struct sf_extent *ret, struct sf_err *err);
	/*
	 * Descriptor of a regular file that is identical to the image, and remains so while it is open; -1 if
	 * there is none.
	 */
	int (*file)(const struct sf_image *image);
	void (*close)(struct sf_image *image);
};

/* The `file` slot for images that are not regular files: returns -1. */
int sf_image_no_file(const struct sf_image *image);

/* The base object, embedded first by every implementation. */
struct sf_image {
	const struct sf_image_ops *ops;
	uint64_t size_bytes;
};

/*
 * Alignment of buffers and offsets for the fastest reads: a page, and a multiple of every sector size in use.
 */
#define SF_IMAGE_ALIGN 4096

/*
 * Reads up to len bytes at off. *ret_len is less than len only at the end of the image, and 0 at or beyond
 * it. On failure the content of buf is undefined and must not be shown to anyone.
 */
int sf_image_pread(struct sf_image *image, void *buf, size_t len, uint64_t off, size_t *ret_len,
		   struct sf_err *err);

/*
 * As lseek(2) with SEEK_DATA (data = true) or SEEK_HOLE: the first offset >= off of that kind. The end of the
 * image counts as a hole. -ENXIO if off is at or beyond the end, or if data was requested and only holes
 * follow.
 */
int sf_image_seek(struct sf_image *image, uint64_t off, bool data, uint64_t *ret_off, struct sf_err *err);

/* Total size of the data extents in bytes. */
int sf_image_data_bytes(struct sf_image *image, uint64_t *ret_bytes, struct sf_err *err);

/* Descriptor of a regular file that is identical to the image; the image keeps it. -1 if there is none. */
int sf_image_file(const struct sf_image *image);

/* Accepts NULL. */
void sf_image_close(struct sf_image *image);

/*
 * Opens dir/name, a regular file, as an image. Reads use O_DIRECT into aligned buffers where the file system
 * supports it; holes come from SEEK_DATA and SEEK_HOLE. Opens read-only and refuses symbolic links. The
 * caller may close dir afterwards. `what` names the file in errors.
 */
int sf_image_open_file(int dir, const char *name, const char *what, struct sf_image **ret,
		       struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of one snapshot file, open for reading. It cannot change while it is open, so every call is
 * thread-safe and takes no lock. Made by a storage backend (image_open) or, for memory.sav, from a
 * descriptor.
 */
#ifndef SF_CORE_CONTRACT_IMAGE_H
#define SF_CORE_CONTRACT_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_image;

/* A run of bytes of one kind. Holes read as zeros. */
struct sf_extent {
	uint64_t off;
	uint64_t len;
	bool data;
};

/*
 * What an implementation fills in. Arguments arrive checked: off < size_bytes, len > 0, off + len <=
 * size_bytes.
 */
struct sf_image_ops {
	/* Reads exactly len bytes. -ESTALE when the content is gone, -EIO when the device failed. */
	int (*pread)(struct sf_image *image, void *buf, size_t len, uint64_t off, struct sf_err *err);
	/* The extent that starts exactly at off; len may stop short of the real run but is never 0. */
	int (*extent)(struct sf_image *image, uint64_t off, struct sf_extent *ret, struct sf_err *err);
	/* A regular file that is the image byte for byte, from start to end, and stays so while it is open;
	 * -1: there is none. */
	int (*file)(const struct sf_image *image);
	void (*close)(struct sf_image *image);
};

/* `file` of those that are not a regular file. */
int sf_image_no_file(const struct sf_image *image);

/* The base of every implementation, embedded first. */
struct sf_image {
	const struct sf_image_ops *ops;
	uint64_t size_bytes;
};

/*
 * What buffers and offsets should be aligned to for the fastest reads (a page, and every sector size in use).
 */
#define SF_IMAGE_ALIGN 4096

/*
 * Reads up to len bytes at off; *ret_len is less only at the end of the image (0 at or beyond it). On failure
 * the buffer's content is undefined and must not be shown to anyone.
 */
int sf_image_pread(struct sf_image *image, void *buf, size_t len, uint64_t off, size_t *ret_len,
		   struct sf_err *err);

/*
 * lseek(2)'s SEEK_DATA (data = true) and SEEK_HOLE: the first offset >= off of that kind. The end of the
 * image is a hole. -ENXIO when off is at or beyond the end, or for data when only holes follow.
 */
int sf_image_seek(struct sf_image *image, uint64_t off, bool data, uint64_t *ret_off, struct sf_err *err);

/* Sum of the data extents, in bytes. */
int sf_image_data_bytes(struct sf_image *image, uint64_t *ret_bytes, struct sf_err *err);

/* A descriptor, which stays the image's, of a regular file that is the image byte for byte; -1 when it is not
 * one. */
int sf_image_file(const struct sf_image *image);

/* Accepts NULL. */
void sf_image_close(struct sf_image *image);

/*
 * An image of a regular file: O_DIRECT into aligned buffers where the file system has it, holes from
 * SEEK_DATA/SEEK_HOLE. Opens dir/name itself, read-only, refusing symbolic links and anything but a regular
 * file; dir may be closed afterwards. what names the file in errors.
 */
int sf_image_open_file(int dir, const char *name, const char *what, struct sf_image **ret,
		       struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a file from beginning to end, in pieces that are either data or a hole. To spare the page cache it
 * reads with O_DIRECT; where the file system has none, it drops from the cache what it has read. An interrupt
 * (sf_interrupt_catch()) ends it.
 */
#ifndef SF_SNAPFSCTL_CONTENT_READER_H
#define SF_SNAPFSCTL_CONTENT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_mount;

/*
 * The largest piece of data. A hole comes in pieces of at most SF_READER_HOLE, so that hashing one can be
 * interrupted.
 */
#define SF_READER_BUFFER (4 * 1024 * 1024)
#define SF_READER_HOLE   (256 * 1024 * 1024)

/* All zeros is a closed reader. */
struct sf_reader {
	const struct sf_mount *mount; /* NULL: the file is outside the tree and has no deadline */
	const char *what;             /* the file's name for error messages; owned by the caller */
	int fd;
	bool direct;
	uint64_t size_bytes;
	uint64_t off;                /* of the next piece */
	uint64_t data_off, data_end; /* the extent that is next or being read; size_bytes: none is left */
	char *buf;
};

struct sf_piece {
	uint64_t off, len;
	const char *data; /* owned by the reader, valid until the next piece; NULL for a hole */
};

/*
 * Opens name below dir without following a symbolic link. mount: the tree that the file is in; each of the
 * reader's calls to it has the watchdog's deadline, and nothing is watched between calls. what must outlive
 * the reader. -EINVAL if it is not a regular file, -errno.
 */
int sf_reader_open(struct sf_reader *reader, const struct sf_mount *mount, int dir, const char *name,
		   const char *what, struct sf_err *err);
/* The same for an open file. Takes fd, also on failure. */
int sf_reader_take(struct sf_reader *reader, int fd, const char *what, struct sf_err *err);
/* Accepts all zeros. */
void sf_reader_close(struct sf_reader *reader);

/*
 * Returns 1 with the next piece, 0 at the end, -EINTR after an interrupt, -EIO if the file ends before its
 * size, or -errno.
 */
int sf_reader_next(struct sf_reader *reader, struct sf_piece *ret, struct sf_err *err);

/*
 * Skips to the end of the next extent of data without reading it. Returns 1 with its offset and length in
 * bytes; errors as sf_reader_next().
 */
int sf_reader_skip(struct sf_reader *reader, uint64_t *ret_off, uint64_t *ret_len, struct sf_err *err);

#endif

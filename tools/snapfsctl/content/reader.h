/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file read from its beginning to its end, in pieces that are data or a hole. It leaves the host's cache to
 * others: it reads with O_DIRECT, and where a file system cannot, gives back what it has read. An interrupt
 * (sf_interrupt_catch()) ends it.
 */
#ifndef SF_SNAPFSCTL_CONTENT_READER_H
#define SF_SNAPFSCTL_CONTENT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_mount;

/* Data comes in pieces of at most this; a hole in pieces of at most SF_READER_HOLE, so that hashing it can be
 * interrupted. */
#define SF_READER_BUFFER (4 * 1024 * 1024)
#define SF_READER_HOLE   (256 * 1024 * 1024)

/* All zeros is none. */
struct sf_reader {
	const struct sf_mount *mount; /* NULL: the file is not of the tree, and may take its time */
	const char *what;             /* the file, in errors; the caller's */
	int fd;
	bool direct;
	uint64_t size_bytes;
	uint64_t off; /* of the next piece */
	uint64_t data_off,
		data_end; /* the data that comes next, or is being read; from size_bytes on: none */
	char *buf;
};

struct sf_piece {
	uint64_t off, len;
	const char *data; /* in the reader, until the next piece; NULL for a hole */
};

/*
 * mount: of the tree that the file is in, whose daemon has to answer within the watchdog's deadline; it is
 * not watched in between. The file is opened below dir, without following a symbolic link; what outlives the
 * reader. -errno, -EINVAL for what is no file.
 */
int sf_reader_open(struct sf_reader *reader, const struct sf_mount *mount, int dir, const char *name,
		   const char *what, struct sf_err *err);
/* The same for an open file, which is taken over whatever comes of it. */
int sf_reader_take(struct sf_reader *reader, int fd, const char *what, struct sf_err *err);
/* Accepts one that was never opened. */
void sf_reader_close(struct sf_reader *reader);

/* 1 with the next piece, 0 at the end, -EINTR after an interrupt, -EIO when the file ends before its size,
 * -errno. */
int sf_reader_next(struct sf_reader *reader, struct sf_piece *ret, struct sf_err *err);

/* The same for data only, as long as it goes and without reading it: 1 with where it lies, and the next piece
 * is what follows. */
int sf_reader_skip(struct sf_reader *reader, uint64_t *ret_off, uint64_t *ret_len, struct sf_err *err);

#endif

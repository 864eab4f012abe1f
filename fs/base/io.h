/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes that continue after short transfers and EINTR, and directory streams. Those without err
 * return a negative errno and leave the message to the caller.
 */
#ifndef SF_BASE_IO_H
#define SF_BASE_IO_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_err;

/* write(2) of all len bytes. */
int sf_write_all(int fd, const void *data, size_t len);
/* pwrite(2) of all len bytes at off. */
int sf_pwrite_all(int fd, const void *data, size_t len, uint64_t off);
/*
 * pread(2) of len bytes at off. Returns the number of bytes read, less than len only at the end of the file.
 */
ssize_t sf_pread_all(int fd, void *buf, size_t len, uint64_t off);

/* Reads exactly len bytes at off. -EIO when the file ends before that. what names it in the error. */
int sf_pread_exactly(int fd, const char *what, void *buf, size_t len, uint64_t off, struct sf_err *err);

/*
 * Opens a stream that starts at the first entry of dir. The caller keeps dir. On failure returns NULL and
 * sets errno.
 */
DIR *sf_dir_stream(int dir);

/* All entries of a directory except "." and "..", sorted. */
struct sf_dir_names {
	char **list;
	size_t n;
};

/*
 * Reads a directory completely, so the caller may add or remove entries afterwards. *ret is untouched on
 * failure.
 */
int sf_dir_names_read(int dir, struct sf_dir_names *ret, struct sf_err *err);
void sf_dir_names_fini(struct sf_dir_names *names);

#endif

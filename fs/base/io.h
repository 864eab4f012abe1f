/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes that continue after a short transfer or EINTR, and streams of directory entries. They
 * return a negative errno and leave the message to the caller, who knows what the descriptor is.
 */
#ifndef SF_BASE_IO_H
#define SF_BASE_IO_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* write(2) of all len bytes. */
int sf_write_all(int fd, const void *data, size_t len);
/* pwrite(2) of all len bytes at off. */
int sf_pwrite_all(int fd, const void *data, size_t len, uint64_t off);
/* pread(2) of len bytes at off. Returns how many there were: fewer than len only at the end of the file. */
ssize_t sf_pread_all(int fd, void *buf, size_t len, uint64_t off);

/* A stream of the entries of dir from the first one; dir stays the caller's. NULL and errno on failure. */
DIR *sf_dir_stream(int dir);

#endif

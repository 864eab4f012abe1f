/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the file that replaces an image in a revert takes over from it besides owner, mode and extended
 * attributes: inode flags (chattr(1)) and full allocation. And what cannot be taken over, so that the revert
 * is refused.
 */
#ifndef SF_BACKENDS_FILE_CARRY_H
#define SF_BACKENDS_FILE_CARRY_H

#include <stdbool.h>
#include <sys/stat.h>

struct sf_err;
struct sf_job;

/*
 * Whether a new file can take the place of the image open as fd. -EOPNOTSUPP: it has several hard links, or
 * fs-verity; -EPERM: it is immutable or append-only. The error says so of "it": the caller names the image.
 */
int sf_file_check_replaceable(int fd, struct sf_err *err);

/* Gives the empty file fd the inode flags of the image `live`, those that say how to store it included. */
int sf_file_carry_flags(int live, int fd, struct sf_err *err);

/* Whether all blocks of the file are allocated, so that its guest never meets -ENOSPC. */
bool sf_file_is_full(const struct stat *st);

/*
 * Allocates all of the filled file fd if the image was full. -ENOSPC. If the file system cannot allocate, the
 * job's note says so.
 */
int sf_file_carry_allocation(const struct stat *live, int fd, struct sf_job *job, struct sf_err *err);

#endif

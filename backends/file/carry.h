/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a revert copies from the old image to its successor, besides owner, mode and extended attributes:
 * inode flags (chattr(1)) and full allocation. Also checks for properties that cannot be copied; the revert
 * is then refused.
 */
#ifndef SF_BACKENDS_FILE_CARRY_H
#define SF_BACKENDS_FILE_CARRY_H

#include <sys/stat.h>

struct sf_err;
struct sf_job;

/*
 * Whether a new file can take the place of the image open as fd. -EOPNOTSUPP: it has several hard links, or
 * fs-verity; -EPERM: it is immutable or append-only. The message does not name the image; the caller adds the
 * name.
 */
int sf_file_check_replaceable(int fd, struct sf_err *err);

/*
 * Gives the empty file fd the inode flags of the image `live`, those that say how to store it included, its
 * project and its extent size hints.
 */
int sf_file_carry_flags(int live, int fd, struct sf_err *err);

/*
 * Allocates all of the filled file fd if the image was full. -ENOSPC. If the file system cannot allocate, the
 * job's note says so of what, the image.
 */
int sf_file_carry_allocation(const struct stat *live, int fd, const char *what, struct sf_job *job,
			     struct sf_err *err);

#endif

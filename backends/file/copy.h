/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills a new file with the content of another: by sharing its blocks, else by copying all but its holes. */
#ifndef SF_BACKENDS_FILE_COPY_H
#define SF_BACKENDS_FILE_COPY_H

#include <stdbool.h>

struct sf_err;
struct sf_job;

#define SF_FILE_REFLINK "reflink"
#define SF_FILE_COPY    "copy"

/* Most bytes copied between two checks of the job and the lease. */
#define SF_FILE_PIECE (16 * 1024 * 1024)

struct sf_file_fill {
	int src;
	int dst;          /* empty, open for writing */
	const char *what; /* names src in errors */
	int lease_fd;     /* copying stops with -EBUSY when this lease is broken; -1: none */
	struct sf_job *job;
	/* Fail rather than copy: the caller needs the content of one instant, which only sharing gives. */
	bool share_only;
};

/*
 * Fills dst; *ret_method: SF_FILE_REFLINK or SF_FILE_COPY. -EINTR when cancelled, -EIO when src became
 * shorter. On failure the content of dst is undefined, and the caller removes it.
 */
int sf_file_fill(const struct sf_file_fill *fill, const char **ret_method, struct sf_err *err);

/*
 * Makes the empty file fd "no copy on write" (FS_NOCOW_FL, ioctl_iflags(2)) if `like` is: btrfs does not
 * share blocks between files that differ in this.
 */
int sf_file_inherit_nocow(int like, int fd, struct sf_err *err);

/* Whether a file in dir can share src's blocks; tests it with an unnamed file. */
bool sf_file_can_share(int dir, int src);

#endif

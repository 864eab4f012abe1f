/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving a new file the content of another: by sharing its blocks, else by copying what is not a hole. */
#ifndef SF_BACKENDS_STORAGE_FILE_COPY_H
#define SF_BACKENDS_STORAGE_FILE_COPY_H

#include <stdbool.h>

struct sf_err;
struct sf_job;

#define SF_FILE_REFLINK "reflink"
#define SF_FILE_COPY    "copy"

/* Most bytes copied between two looks at the job and the lease. */
#define SF_FILE_PIECE (16 * 1024 * 1024)

struct sf_file_fill {
	int src;
	int dst;          /* empty, open for writing */
	const char *what; /* names src in errors */
	int lease_fd;     /* while copying: give up with -EBUSY when this lease is broken; -1: none */
	struct sf_job *job;
	/* Someone counts on one instant that only sharing gives: do not copy in its stead. */
	bool share_only;
};

/*
 * Fills dst; *ret_method says how. -EINTR when cancelled, -EIO when src got shorter meanwhile. On failure dst
 * holds something useless, which the caller removes.
 */
int sf_file_fill(const struct sf_file_fill *fill, const char **ret_method, struct sf_err *err);

/*
 * Makes the empty file fd "no copy on write" (FS_NOCOW_FL, chattr +C, ioctl_iflags(2)) when like is; btrfs
 * refuses to share blocks between files that differ in this.
 */
int sf_file_inherit_nocow(int like, int fd, struct sf_err *err);

/* Whether a file in dir could share src's blocks: tried with a file that never has a name. */
bool sf_file_can_share(int dir, int src);

#endif

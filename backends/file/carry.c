/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources: ioctl_iflags(2), chattr(1), fallocate(2), linux/fs.h. */
#include "carry.h"

#include "base/err.h"
#include "core/contract/job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

/*
 * The flags that a user can set on a file. Not the others: they describe how the file system stores it, or
 * follow from the directory (encryption).
 */
#define CARRIED                                                                                              \
	(FS_SECRM_FL | FS_UNRM_FL | FS_COMPR_FL | FS_SYNC_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_NOCOMP_FL | \
	 FS_JOURNAL_DATA_FL | FS_NOTAIL_FL | FS_NOCOW_FL | FS_DAX_FL)

/* 0 where the file system has no flags. */
static int flags_of(int fd)
{
	int flags = 0;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? 0 : flags;
}

int sf_file_check_replaceable(int fd, struct sf_err *err)
{
	int flags = flags_of(fd);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "stat: %s", strerror(errno));
	if (st.st_nlink > 1)
		return sf_fail(err, -EOPNOTSUPP, "it has %ju hard links: only one of them could be reverted",
			       (uintmax_t)st.st_nlink);
	if (flags & FS_IMMUTABLE_FL)
		return sf_fail(err, -EPERM, "it is immutable: a revert needs chattr -i");
	if (flags & FS_APPEND_FL)
		return sf_fail(err, -EPERM, "it is append-only: a revert needs chattr -a");
	if (flags & FS_VERITY_FL)
		return sf_fail(err, -EOPNOTSUPP, "it has fs-verity, which a revert would lose");
	return 0;
}

int sf_file_carry_flags(int live, int fd, struct sf_err *err)
{
	int have = flags_of(fd), want = (have & ~CARRIED) | (flags_of(live) & CARRIED);

	if (want == have || ioctl(fd, FS_IOC_SETFLAGS, &want) == 0)
		return 0;
	return sf_fail(err, -errno, "set the flags %#x of the image (lsattr): %s", (unsigned)(want & CARRIED),
		       strerror(errno));
}

bool sf_file_is_full(const struct stat *st)
{
	return (uint64_t)st->st_blocks >= ((uint64_t)st->st_size + 511) / 512;
}

int sf_file_carry_allocation(const struct stat *live, int fd, struct sf_job *job, struct sf_err *err)
{
	struct stat st;
	int rc;

	if (!sf_file_is_full(live))
		return 0;
	if (fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "stat: %s", strerror(errno));
	do
		rc = fallocate(fd, 0, 0, st.st_size);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return sf_fail(err, -errno, "allocate %ju bytes: %s", (uintmax_t)st.st_size, strerror(errno));
	if (!sf_file_is_full(&st))
		sf_job_note(job, "an image is sparse now: its file system cannot allocate it in full");
	return 0;
}

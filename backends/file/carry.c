/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sources: ioctl_iflags(2), chattr(1), fallocate(2), linux/fs.h. */
#include "carry.h"

#include "base/err.h"
#include "core/contract/job.h"
#include "place.h"

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

/* *ret: 0 where the file system has no flags. */
static int flags_of(int fd, int *ret, struct sf_err *err)
{
	*ret = 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, ret) == 0 || errno == ENOTTY || errno == EOPNOTSUPP || errno == ENOSYS)
		return 0;
	return sf_fail(err, -errno, "read the inode flags: %s", strerror(errno));
}

int sf_file_check_replaceable(int fd, struct sf_err *err)
{
	struct stat st;
	int flags, rc = flags_of(fd, &flags, err);

	if (rc < 0)
		return rc;
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

/*
 * What chattr(1) has no flag for: the project, whose quota counts the image, and hints of the sizes to
 * allocate in (ioctl_xfs_fsgetxattr(2)).
 */
static int carry_hints(int live, int fd, struct sf_err *err)
{
	const uint32_t flags = FS_XFLAG_EXTSIZE | FS_XFLAG_COWEXTSIZE;
	struct fsxattr from, have, want;

	if (ioctl(live, FS_IOC_FSGETXATTR, &from) < 0 || ioctl(fd, FS_IOC_FSGETXATTR, &have) < 0)
		return errno == ENOTTY || errno == EOPNOTSUPP || errno == ENOSYS
			       ? 0
			       : sf_fail(err, -errno, "read the inode attributes: %s", strerror(errno));
	want = have;
	want.fsx_projid = from.fsx_projid;
	want.fsx_extsize = from.fsx_extsize;
	want.fsx_cowextsize = from.fsx_cowextsize;
	want.fsx_xflags = (have.fsx_xflags & ~flags) | (from.fsx_xflags & flags);
	if (memcmp(&want, &have, sizeof(want)) == 0 || ioctl(fd, FS_IOC_FSSETXATTR, &want) == 0)
		return 0;
	return sf_fail(err, -errno, "set the project and the extent size hints of the image: %s",
		       strerror(errno));
}

int sf_file_carry_flags(int live, int fd, struct sf_err *err)
{
	int of_live, have, want, rc = flags_of(live, &of_live, err);

	if (rc == 0)
		rc = flags_of(fd, &have, err);
	if (rc < 0)
		return rc;
	want = (have & ~CARRIED) | (of_live & CARRIED);
	if (want == have || ioctl(fd, FS_IOC_SETFLAGS, &want) == 0)
		return carry_hints(live, fd, err);
	return sf_fail(err, -errno, "set the flags %#x of the image (lsattr): %s", (unsigned)(want & CARRIED),
		       strerror(errno));
}

static bool is_full(const struct stat *st)
{
	return sf_file_allocated(st) >= (uint64_t)st->st_size;
}

int sf_file_carry_allocation(const struct stat *live, int fd, const char *what, struct sf_job *job,
			     struct sf_err *err)
{
	struct stat st;
	int rc;

	if (!is_full(live))
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
	if (!is_full(&st))
		sf_job_note(job, "%s is sparse now: its file system cannot preallocate", what);
	return 0;
}

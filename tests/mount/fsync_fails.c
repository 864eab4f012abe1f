/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded. If the file $FSYNC_FAILS exists, the next fsync(2) of a directory fails with EIO and removes the
 * file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int fsync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	const char *flag = getenv("FSYNC_FAILS");
	struct stat st;

	if (flag && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && unlink(flag) == 0) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The points inside the process under test. The program is linked with -Wl,--wrap for each call here
 * (meson.build has the list).
 */
#include "killpoints.h"

#include "tests/faults/crashsim.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __real_unlinkat(int dir, const char *path, int flags);
int __real_mkdirat(int dir, const char *path, mode_t mode);
ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off_t off);

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_mkdirat(int dir, const char *path, mode_t mode);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t off);

static struct killpoints *mine; /* NULL: not armed */

void killpoints_die(void)
{
	(void)raise(SIGKILL);
	_exit(1); /* not reached */
}

static void reach(const char *call)
{
	if (mine && killpoints_reach(mine, call))
		killpoints_die();
}

void killpoints_arm(struct killpoints *points, uint64_t k)
{
	points->k = k;
	points->call[0] = '\0';
	atomic_store(&points->reached, 0);
	atomic_store(&points->armed, true);
	mine = points;
}

/*
 * Called by tests/faults/stage.c before each backend call. Calls of storages count only if with_storage_calls
 * is set, because their LVM commands are points themselves.
 */
void crashsim_point(const char *call)
{
	if (mine && (mine->with_storage_calls || strncmp(call, "storage.", 8) != 0))
		reach(call);
}

static bool is_there(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Removing such a directory fails and is no point. The product tries to remove a VM's directory after every
 * operation.
 */
static bool holds_directories(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) && st.st_nlink > 2;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	reach(to);
	return __real_renameat(from_dir, from, to_dir, to);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	reach("rename");
	return __real_renameat2(from_dir, from, to_dir, to, flags);
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	if (is_there(dir, path) && !holds_directories(dir, path))
		reach("unlink");
	return __real_unlinkat(dir, path, flags);
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode)
{
	if (!is_there(dir, path))
		reach("mkdir");
	return __real_mkdirat(dir, path, mode);
}

/* Only a revert writes to a disk this way. The guest writes from its world's memory when it ticks. */
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t off)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
		reach("write to a disk");
	return __real_pwrite64(fd, buf, len, off);
}

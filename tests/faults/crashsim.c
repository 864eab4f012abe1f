/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The points: every wrapped call. The order is always: count the point, note what will change, make the real
 * call, keep the note.
 */
#include "crashsim.h"

#include "crashlog.h"
#include "crashnode.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

int __real_open64(const char *path, int flags, ...);
FILE *__real_fopen64(const char *path, const char *mode);
ssize_t __real_copy_file_range(int in, off_t *in_off, int out, off_t *out_off, size_t len, unsigned flags);
int __real_ioctl(int fd, unsigned long request, ...);
int __real_fsync(int fd);
int __real_fdatasync(int fd);

int __wrap_open64(const char *path, int flags, ...);
FILE *__wrap_fopen64(const char *path, const char *mode);
int __wrap_openat64(int dir, const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t off);
int __wrap_ftruncate64(int fd, off_t len);
ssize_t __wrap_copy_file_range(int in, off_t *in_off, int out, off_t *out_off, size_t len, unsigned flags);
int __wrap_fallocate64(int fd, int mode, off_t off, off_t len);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_mkdirat(int dir, const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __wrap_fchown(int fd, uid_t owner, gid_t group);
int __wrap_futimens(int fd, const struct timespec times[2]);
int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t len, int flags);
int __wrap_fremovexattr(int fd, const char *name);

static struct {
	pthread_mutex_t lock; /* held from the point to the end of the call: guards the log and its order */
	atomic_bool armed;
	uint64_t k;
	enum crashsim_mode mode;
	uint64_t seed;
	struct crashsim_report *report;
	uint64_t left; /* CRASHSIM_FAIL: calls until the cut, once one has failed; 0: none has */
} sim = {.lock = PTHREAD_MUTEX_INITIALIZER};

void crashsim_own_disk(const char *path)
{
	crashnode_own_disk(path);
}

void crashsim_arm(uint64_t k, enum crashsim_mode mode, uint64_t seed, int graveyard,
		  struct crashsim_report *report)
{
	sim.k = k;
	sim.mode = mode;
	sim.seed = seed;
	sim.report = report;
	atomic_store(&report->points, 0);
	atomic_store(&report->cut, false);
	report->call[0] = '\0';
	crashlog_init(graveyard);
	atomic_store(&sim.armed, true);
}

/* Never releases the lock, so other threads that reach a point block until the process has ended. */
static _Noreturn void lose_and_exit(void)
{
	enum crashsim_mode mode = sim.mode;

	if (mode == CRASHSIM_FAIL)
		mode = sim.seed % 2 ? CRASHSIM_DROP : CRASHSIM_KEEP;
	crashlog_lose(mode, sim.seed);
	_exit(CRASHSIM_EXIT);
}

void crashsim_cut(void)
{
	(void)pthread_mutex_lock(&sim.lock); /* never released, as above */
	lose_and_exit();
}

/* True at point k. */
static bool reach(const char *call, const char *object)
{
	uint64_t n = atomic_fetch_add(&sim.report->points, 1) + 1;

	if (!atomic_load(&sim.report->cut)) /* may be truncated */
		(void)snprintf(sim.report->call, sizeof(sim.report->call), "%s %s", call, object);
	if (n != sim.k)
		return false;
	atomic_store(&sim.report->cut, true);
	return true;
}

static void point(const char *call, const char *object)
{
	if (sim.mode == CRASHSIM_FAIL ? sim.left > 0 && --sim.left == 0 : reach(call, object))
		lose_and_exit();
}

static const char *name_of(int fd, char path[static PATH_MAX])
{
	char link[64];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	path[len > 0 ? len : 0] = '\0';
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

static void fd_point(const char *call, int fd)
{
	char path[PATH_MAX];

	point(call, name_of(fd, path));
}

void crashsim_point(const char *call)
{
	if (!atomic_load(&sim.armed))
		return;
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);

	point(call, "");
}

/* Whether a power cut could lose a change made through fd. Pipes and sockets do not count. */
static bool counts(int fd)
{
	int saved = errno;
	struct stat st;
	bool yes = atomic_load(&sim.armed) && fd > STDERR_FILENO && fstat(fd, &st) == 0 &&
		   (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));

	errno = saved;
	return yes;
}

/* Keeps the note if the call succeeded. The caller of the wrapper sees the call's result and errno. */
static ssize_t keep(struct file_change *change, ssize_t rc)
{
	int saved = errno;

	crashlog_after(change, rc >= 0);
	errno = saved;
	return rc;
}

static int keep_dir(struct dir_change *change, int rc)
{
	int saved = errno;

	crashlog_after_dir(change, rc >= 0);
	errno = saved;
	return rc;
}

static bool is_there(int dir, const char *path)
{
	struct stat st;

	return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int changing_open(int dir, const char *path, int flags, mode_t mode)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct stat st;
	bool there = fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (!there && flags & O_CREAT) {
		struct dir_change *change;

		point("openat", path);
		change = crashlog_before_create(dir, path, false);
		return keep_dir(change, __real_openat64(dir, path, flags, mode));
	}
	if (there && flags & O_TRUNC && S_ISREG(st.st_mode) && !(flags & O_EXCL)) {
		struct file_change *change;

		point("openat O_TRUNC", path);
		change = crashlog_before_truncate(-1, dir, path, 0);
		return (int)keep(change, __real_openat64(dir, path, flags, mode));
	}
	return __real_openat64(dir, path, flags, mode);
}

static bool is_unnamed(int flags)
{
	return (flags & O_TMPFILE) == O_TMPFILE;
}

static int any_open(int dir, const char *path, int flags, mode_t mode)
{
	if (!atomic_load(&sim.armed) || is_unnamed(flags) || !(flags & (O_CREAT | O_TRUNC)))
		return __real_openat64(dir, path, flags, mode);
	return changing_open(dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & O_CREAT || is_unnamed(flags) ? (mode_t)va_arg(args, int) : 0;
}

int __wrap_openat64(int dir, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return any_open(dir, path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, args);
	va_end(args);
	return any_open(AT_FDCWD, path, flags, mode);
}

/* Streams are for files of /proc: what is written through one would not be seen. */
FILE *__wrap_fopen64(const char *path, const char *mode)
{
	if (strpbrk(mode, "wa+"))
		crashlog_die("write through a stream to", path);
	return __real_fopen64(path, mode);
}

static uint64_t position(int fd)
{
	return (uint64_t)lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (!counts(fd))
		return __real_write(fd, buf, len);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("write", fd);
	change = crashlog_before_data(fd, position(fd), len);
	return keep(change, __real_write(fd, buf, len));
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t off)
{
	if (!counts(fd))
		return __real_pwrite64(fd, buf, len, off);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("pwrite", fd);
	change = crashlog_before_data(fd, (uint64_t)off, len);
	return keep(change, __real_pwrite64(fd, buf, len, off));
}

int __wrap_ftruncate64(int fd, off_t len)
{
	if (!counts(fd))
		return __real_ftruncate64(fd, len);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("ftruncate", fd);
	change = crashlog_before_truncate(fd, -1, NULL, (uint64_t)len);
	return (int)keep(change, __real_ftruncate64(fd, len));
}

static uint64_t size_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		crashlog_die("stat", "the source of a copy");
	return (uint64_t)st.st_size;
}

/* Only allocates: it changes neither content nor size. */
int __wrap_fallocate64(int fd, int mode, off_t off, off_t len)
{
	if (!counts(fd))
		return __real_fallocate64(fd, mode, off, len);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);

	if (mode != 0 || (uint64_t)off + (uint64_t)len > size_of(fd))
		crashlog_die("simulate", "fallocate beyond the end of a file");
	fd_point("fallocate", fd);
	return __real_fallocate64(fd, mode, off, len);
}

/*
 * Limits len to what the file holds: callers ask for long pieces, and the log stores everything that changes.
 */
static uint64_t copy_len(int in, uint64_t off, uint64_t len)
{
	uint64_t size = size_of(in), rest = off < size ? size - off : 0;

	return len < rest ? len : rest;
}

ssize_t __wrap_copy_file_range(int in, off_t *in_off, int out, off_t *out_off, size_t len, unsigned flags)
{
	if (!counts(out))
		return __real_copy_file_range(in, in_off, out, out_off, len, flags);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;
	uint64_t from = in_off ? (uint64_t)*in_off : position(in),
		 to = out_off ? (uint64_t)*out_off : position(out);

	fd_point("copy_file_range", out);
	change = crashlog_before_data(out, to, copy_len(in, from, len));
	return keep(change, __real_copy_file_range(in, in_off, out, out_off, len, flags));
}

static struct file_change *before_clone(int fd, unsigned long request, unsigned long arg)
{
	const struct file_clone_range *range = (const struct file_clone_range *)arg;

	if (request == FICLONE)
		return crashlog_before_data(fd, 0, size_of((int)arg));
	return crashlog_before_data(fd, range->dest_offset,
				    range->src_length
					    ? range->src_length
					    : copy_len((int)range->src_fd, range->src_offset, UINT64_MAX));
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, unsigned long);
	va_end(args);
	if ((request != FICLONE && request != FICLONERANGE && request != FS_IOC_SETFLAGS) || !counts(fd))
		return __real_ioctl(fd, request, arg);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("ioctl", fd);
	if (request == FS_IOC_SETFLAGS)
		return __real_ioctl(fd, request, arg); /* changes how blocks are placed, not their content */
	change = before_clone(fd, request, arg);
	return (int)keep(change, __real_ioctl(fd, request, arg));
}

/* An undone operation makes fewer calls than this after its failure. */
#define FAIL_CUTS 32

static bool fails(const char *call, int fd)
{
	char path[PATH_MAX];
	struct stat st;

	if (sim.mode != CRASHSIM_FAIL || fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    !reach(call, name_of(fd, path)))
		return false;
	sim.left = 1 + (sim.seed * 11 + sim.k * 7) % FAIL_CUTS;
	return true;
}

/* Does not sync the real disk: only the simulated one counts, and the real one would only cost time. */
static int simulated_sync(const char *call, int fd, bool data_only)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);

	if (fails(call, fd)) {
		errno = EIO;
		return -1;
	}
	fd_point(call, fd);
	crashlog_synced(fd, data_only);
	return 0;
}

int __wrap_fsync(int fd)
{
	return counts(fd) ? simulated_sync("fsync", fd, false) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd)
{
	return counts(fd) ? simulated_sync("fdatasync", fd, true) : __real_fdatasync(fd);
}

int __wrap_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (!atomic_load(&sim.armed))
		return __real_renameat2(from_dir, from, to_dir, to, flags);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct dir_change *change;

	point("rename", to);
	change = crashlog_before_rename(from_dir, from, to_dir, to, flags);
	return keep_dir(change, __real_renameat2(from_dir, from, to_dir, to, flags));
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return __wrap_renameat2(from_dir, from, to_dir, to, 0);
}

int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	if (!atomic_load(&sim.armed))
		return __real_linkat(from_dir, from, to_dir, to, flags);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct dir_change *change;

	point("link", to);
	change = crashlog_before_create(to_dir, to, false);
	return keep_dir(change, __real_linkat(from_dir, from, to_dir, to, flags));
}

int __wrap_unlinkat(int dir, const char *path, int flags)
{
	if (!atomic_load(&sim.armed) || !is_there(dir, path))
		return __real_unlinkat(dir, path, flags);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct dir_change *change;
	bool directory = flags & AT_REMOVEDIR;

	point(directory ? "rmdir" : "unlink", path);
	change = crashlog_before_remove(dir, path, directory);
	return keep_dir(change, __real_unlinkat(dir, path, flags));
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode)
{
	if (!atomic_load(&sim.armed) || is_there(dir, path))
		return __real_mkdirat(dir, path, mode);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct dir_change *change;

	point("mkdir", path);
	change = crashlog_before_create(dir, path, true);
	return keep_dir(change, __real_mkdirat(dir, path, mode));
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	return __wrap_mkdirat(AT_FDCWD, path, mode);
}

int __wrap_fchmod(int fd, mode_t mode)
{
	if (!counts(fd))
		return __real_fchmod(fd, mode);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("fchmod", fd);
	change = crashlog_before_mode(fd);
	return (int)keep(change, __real_fchmod(fd, mode));
}

int __wrap_fchown(int fd, uid_t owner, gid_t group)
{
	if (!counts(fd))
		return __real_fchown(fd, owner, group);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("fchown", fd);
	change = crashlog_before_mode(fd);
	return (int)keep(change, __real_fchown(fd, owner, group));
}

int __wrap_futimens(int fd, const struct timespec times[2])
{
	if (!counts(fd))
		return __real_futimens(fd, times);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("futimens", fd);
	change = crashlog_before_mode(fd);
	return (int)keep(change, __real_futimens(fd, times));
}

int __wrap_fsetxattr(int fd, const char *name, const void *value, size_t len, int flags)
{
	if (!counts(fd))
		return __real_fsetxattr(fd, name, value, len, flags);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("fsetxattr", fd);
	change = crashlog_before_xattr(fd, name);
	return (int)keep(change, __real_fsetxattr(fd, name, value, len, flags));
}

int __wrap_fremovexattr(int fd, const char *name)
{
	if (!counts(fd))
		return __real_fremovexattr(fd, name);
	auto_unlock pthread_mutex_t *held = sf_lock(&sim.lock);
	struct file_change *change;

	fd_point("fremovexattr", fd);
	change = crashlog_before_xattr(fd, name);
	return (int)keep(change, __real_fremovexattr(fd, name));
}

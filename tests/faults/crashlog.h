/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of changes that a power cut would lose: each change that is not durable yet, with what undoes it.
 * Only crashsim.c uses it, under its mutex. The log keeps O_PATH descriptors only, so leases and "who has
 * this file open" checks do not see it.
 */
#ifndef TESTS_FAULTS_CRASHLOG_H
#define TESTS_FAULTS_CRASHLOG_H

#include "crashsim.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* The real libc calls, past the wrappers. */
int __real_openat64(int dir, const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off_t off);
int __real_fallocate64(int fd, int mode, off_t off, off_t len);
int __real_ftruncate64(int fd, off_t len);
int __real_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __real_unlinkat(int dir, const char *path, int flags);
int __real_mkdirat(int dir, const char *path, mode_t mode);
int __real_fchmod(int fd, mode_t mode);
int __real_fchown(int fd, uid_t owner, gid_t group);
int __real_futimens(int fd, const struct timespec times[2]);
int __real_fsetxattr(int fd, const char *name, const void *value, size_t len, int flags);
int __real_fremovexattr(int fd, const char *name);

/*
 * For failures of the simulator itself and for changes that it cannot model: prints the reason and ends the
 * process.
 */
_Noreturn void crashlog_die(const char *what, const char *name);

void crashlog_init(int graveyard);

/*
 * --- Changes to a file. crashlog_before_*() notes what is about to change; crashlog_after() keeps the note,
 * or drops it if !done. ---
 */
struct file_change;

/* Bytes [off, off + len), by writing, copying or cloning. */
struct file_change *crashlog_before_data(int fd, uint64_t off, uint64_t len);
/* fd >= 0: the open file. fd -1: dir/name, which exists and is about to be opened with O_TRUNC. */
struct file_change *crashlog_before_truncate(int fd, int dir, const char *name, uint64_t new_size);
/* Mode, owner or times. */
struct file_change *crashlog_before_mode(int fd);
struct file_change *crashlog_before_xattr(int fd, const char *name);
void crashlog_after(struct file_change *change, bool done);
/*
 * The file is durable: its data, and unless data_only also its attributes. For a directory, also its names.
 */
void crashlog_synced(int fd, bool data_only);

/* --- Changes to directories. A path may have several components. --- */
struct dir_change;

struct dir_change *crashlog_before_create(int dir, const char *path, bool directory);
struct dir_change *crashlog_before_remove(int dir, const char *path, bool directory);
struct dir_change *crashlog_before_rename(int from_dir, const char *from, int to_dir, const char *to,
					  unsigned flags);
void crashlog_after_dir(struct dir_change *change, bool done);

/* Closes all descriptors of the process, then drops or tears changes as mode says. */
void crashlog_lose(enum crashsim_mode mode, uint64_t seed);

#endif

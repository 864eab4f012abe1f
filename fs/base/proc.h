/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Child processes: started from an argument array in a clean room of their own (no shell, nothing
 * inherited), waited for with a deadline, and never killed by the waiting. Sources: posix_spawn(3),
 * pidfd_open(2), waitid(2). The process must not ignore SIGCHLD, and nobody else in it may wait for children
 * it did not start.
 */
#ifndef SF_BASE_PROC_H
#define SF_BASE_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_err;

/* Where programs are looked for, and PATH in a child's environment. */
#define SF_PROC_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/* A timeout that never ends. */
#define SF_PROC_FOREVER UINT64_MAX

struct sf_proc_spec {
	/* Ends with NULL. argv[0] is looked up in SF_PROC_PATH unless it has a slash. */
	const char *const *argv;
	/* "NAME=value" and at last NULL, or NULL alone; PATH and LC_ALL=C are given and cannot be among them.
	 */
	const char *const *extra_env;
	/* Open for writing, and still the caller's afterwards; -1 for /dev/null. May be the same. */
	int stdout_fd;
	int stderr_fd;
};

/*
 * A child. All zeros is none. Used by one thread at a time; needs no address of its own (it may be copied).
 */
struct sf_proc {
	pid_t pid; /* 0: none, or already waited for */
	int pidfd; /* -1: could not be had yet; the next wait tries again */
};

/*
 * Starts a child: the environment is PATH, LC_ALL=C and extra_env, nothing else; the directory is "/"; stdin
 * is /dev/null and only descriptors 0 to 2 are open; it leads a session of its own (a Ctrl-C at our terminal
 * does not reach it); all signals have their default effect and none is blocked. What it shares with us:
 * user, umask, limits, and the file offsets of stdout_fd and stderr_fd.
 * -ENOENT or -EACCES when the program is not there or cannot be run, -EINVAL for a bad extra_env;
 * posix_spawn's other errors. After 0 the child has run the program, and ends in sf_proc_wait, sf_proc_kill
 * or sf_proc_drop.
 */
int sf_proc_start(const struct sf_proc_spec *spec, struct sf_proc *ret, struct sf_err *err);

/*
 * Waits at most timeout_ms for the child's end (0: only looks) and reaps it: 0 with its exit status, or 128
 * + signal when a signal ended it; *proc is none afterwards. -ETIMEDOUT while it still runs: it runs on
 * untouched, and can be waited for again. -ECHILD when *proc is none or somebody else reaped it (*proc is
 * none then).
 */
int sf_proc_wait(struct sf_proc *proc, uint64_t timeout_ms, int *ret_status, struct sf_err *err);

/*
 * SIGKILL, then reaps: 0 when it is gone, whether it ended by itself or so; *proc is none afterwards, as it
 * may be before. -ETIMEDOUT when it has not gone after timeout_ms (stuck in the kernel): it goes later, wait
 * again. Only for children that change nothing: never for a command of LVM.
 */
int sf_proc_kill(struct sf_proc *proc, uint64_t timeout_ms, struct sf_err *err);

/*
 * Lets go of a child without waiting, as if it had never been ours: one that has ended is reaped, one that
 * runs goes on undisturbed, and once it ends it stays a zombie until our own process ends. *proc is none
 * afterwards.
 */
void sf_proc_drop(struct sf_proc *proc);

/*
 * An empty file in memory for a child's output, O_CLOEXEC; name is for /proc only. The descriptor or -errno.
 */
int sf_proc_memfd(const char *name, struct sf_err *err);

/*
 * All that the memfd or regular file fd holds now, from its beginning, in memory of its own (NUL added after
 * *ret_len bytes); fd's offset is not used and not moved. -EFBIG above cap bytes.
 */
int sf_proc_read(int fd, size_t cap, char **ret, size_t *ret_len, struct sf_err *err);

/*
 * One line for an error text from what a command printed (text ends at its NUL): its lines without blanks
 * around them, empty ones dropped, joined by "; "; tabs become blanks, other control characters go. Lines
 * that start with "WARNING:" are left out unless there is nothing else. What does not fit into size bytes,
 * NUL included, is cut and ends with "…". size is at least 4.
 */
void sf_proc_message(const char *text, char *buf, size_t size);

#endif

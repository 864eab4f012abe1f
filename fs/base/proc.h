/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs child processes: no shell, a minimal environment, no inherited descriptors. Waits take a deadline and
 * never kill the child. Sources: posix_spawn(3), pidfd_open(2), waitid(2).
 *
 * The process must not ignore SIGCHLD, and no other code in it may wait for children that it did not start.
 */
#ifndef SF_BASE_PROC_H
#define SF_BASE_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_err;

/* Search path for programs, and PATH in the child's environment. */
#define SF_PROC_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/* No timeout. */
#define SF_PROC_FOREVER UINT64_MAX

struct sf_proc_spec {
	/* NULL-terminated. argv[0] is searched for in SF_PROC_PATH unless it contains a slash. */
	const char *const *argv;
	/*
	 * "NAME=value" strings, NULL-terminated; NULL for none. Must not set PATH or LC_ALL, which are always
	 * set.
	 */
	const char *const *extra_env;
	/* Open for writing; the caller keeps them. -1 for /dev/null. Both may be the same. */
	int stdout_fd;
	int stderr_fd;
};

/* A child process; all zeros means none. Only one thread may use it at a time. It may be copied. */
struct sf_proc {
	pid_t pid; /* 0: none, or already reaped */
	int pidfd; /* -1: pidfd_open failed; the next wait tries again */
};

/*
 * Starts a child with
 *   - PATH, LC_ALL=C and extra_env as its whole environment,
 *   - "/" as its working directory,
 *   - /dev/null as stdin, and only descriptors 0 to 2 open,
 *   - a session of its own, so that a Ctrl-C on our terminal does not reach it,
 *   - default signal dispositions and no blocked signals.
 * It shares our user, umask, limits, and the file offsets of stdout_fd and stderr_fd.
 *
 * Errors, besides those of posix_spawn(3):
 *   -ENOENT  the program does not exist
 *   -EACCES  the program is not executable
 *   -EINVAL  bad extra_env
 * After success the program is running; finish with sf_proc_wait(), sf_proc_kill() or sf_proc_drop().
 */
int sf_proc_start(const struct sf_proc_spec *spec, struct sf_proc *ret, struct sf_err *err);

/*
 * Waits up to timeout_ms for the child to exit (0: polls) and reaps it. *ret_status is its exit status, or
 * 128 + signal if a signal killed it; *proc is then empty.
 *   -ETIMEDOUT  the child is still running; it is not affected, and may be waited for again
 *   -ECHILD     *proc is empty, or someone else reaped the child (*proc is then empty)
 */
int sf_proc_wait(struct sf_proc *proc, uint64_t timeout_ms, int *ret_status, struct sf_err *err);

/*
 * Sends SIGKILL and reaps the child. Returns 0 when it is gone, however it ended, and empties *proc; an empty
 * *proc is a no-op. -ETIMEDOUT if it is still there after timeout_ms (stuck in the kernel): it dies later,
 * wait again. Only for children that modify nothing: never for an LVM command.
 */
int sf_proc_kill(struct sf_proc *proc, uint64_t timeout_ms, struct sf_err *err);

/*
 * Detaches from a child without waiting, and empties *proc. A child that has exited is reaped. One that is
 * still running continues; once it exits, it remains a zombie until our process ends.
 */
void sf_proc_drop(struct sf_proc *proc);

/*
 * Creates an empty memfd for a child's output, O_CLOEXEC. name appears only in /proc. Returns the descriptor
 * or -errno.
 */
int sf_proc_memfd(const char *name, struct sf_err *err);

/*
 * Reads the whole content of fd, a memfd or regular file, into a new buffer, which the caller frees. A NUL
 * follows the *ret_len bytes. Neither uses nor moves fd's offset. -EFBIG above cap bytes.
 */
int sf_proc_read(int fd, size_t cap, char **ret, size_t *ret_len, struct sf_err *err);

/*
 * Condenses a command's output (NUL-terminated) to one line for an error message: trims the lines, drops
 * empty ones and joins the rest with "; ". Tabs become blanks, other control characters are dropped. Lines
 * that start with "WARNING:" are omitted unless there are no others. Text that does not fit in size bytes
 * (NUL included, at least 4) is truncated and ends with "…".
 */
void sf_proc_message(const char *text, char *buf, size_t size);

#endif

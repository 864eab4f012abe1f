/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc.h"

#include "cleanup.h"
#include "clock.h"
#include "err.h"
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

/*
 * The child's descriptors 0, 1 and 2: copies above 2, so that no dup2 overwrites one that a later dup2 needs.
 */
struct streams {
	int fd[3];
};

static void close_streams(struct streams *streams)
{
	for (size_t i = 0; i < 3; i++) {
		sf_cleanup_fd(&streams->fd[i]);
		streams->fd[i] = -1; /* called twice: the number may by then belong to another thread */
	}
}

static int open_streams(const struct sf_proc_spec *spec, struct streams *ret, struct sf_err *err)
{
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int wanted[3] = {-1, spec->stdout_fd, spec->stderr_fd};

	if (null < 0)
		return sf_fail(err, -errno, "open /dev/null: %s", strerror(errno));
	for (size_t i = 0; i < 3; i++) {
		ret->fd[i] = fcntl(wanted[i] < 0 ? null : wanted[i], F_DUPFD_CLOEXEC, 3);
		if (ret->fd[i] < 0)
			return sf_fail(err, -errno, "duplicate descriptor %d: %s", wanted[i],
				       strerror(errno));
	}
	return 0;
}

/* Finds the file to execute. posix_spawnp is no help: it would search our own PATH. */
static int find_program(const char *name, char path[static PATH_MAX], struct sf_err *err)
{
	int rc = -ENOENT;

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX
			       ? 0
			       : sf_fail(err, -ENAMETOOLONG, "the path of a program is too long");
	for (const char *dir = SF_PROC_PATH; *dir; dir += *dir == ':') {
		int len = (int)strcspn(dir, ":");
		struct stat st;

		if (snprintf(path, PATH_MAX, "%.*s/%s", len, dir, name) < PATH_MAX && stat(path, &st) == 0 &&
		    S_ISREG(st.st_mode)) {
			if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
				return 0;
			rc = -EACCES;
		}
		dir += len;
	}
	return sf_fail(err, rc, "run %s: %s in " SF_PROC_PATH, name,
		       rc == -ENOENT ? "not found" : "not executable");
}

/*
 * Allocates the array only; the caller keeps the strings. posix_spawn takes char *const [], but does not
 * write to them.
 */
static int make_env(const struct sf_proc_spec *spec, const char ***ret, struct sf_err *err)
{
	size_t n = 0;
	const char **env;

	for (; spec->extra_env && spec->extra_env[n]; n++) {
		const char *entry = spec->extra_env[n];
		size_t len = strcspn(entry, "=");

		if (len == 0 || entry[len] == '\0' || strncmp(entry, "PATH=", 5) == 0 ||
		    strncmp(entry, "LC_ALL=", 7) == 0)
			return sf_fail(err, -EINVAL, "'%s' is not allowed in a child's environment", entry);
	}
	env = calloc(n + 3, sizeof(*env));
	if (!env)
		return sf_fail(err, -ENOMEM, "out of memory");
	env[0] = "PATH=" SF_PROC_PATH;
	env[1] = "LC_ALL=C";
	if (n > 0)
		memcpy(&env[2], spec->extra_env, n * sizeof(*env));
	*ret = env;
	return 0;
}

/* Sets up both. Returns a positive errno, as posix_spawn's functions do. */
static int describe(const struct streams *streams, posix_spawnattr_t *attr, posix_spawn_file_actions_t *acts)
{
	sigset_t all, none;
	int rc = 0;

	sigfillset(&all);
	sigemptyset(&none);
	for (int i = 0; i < 3 && rc == 0; i++)
		rc = posix_spawn_file_actions_adddup2(acts, streams->fd[i], i);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(acts, 3);
	if (rc == 0)
		rc = posix_spawn_file_actions_addchdir_np(acts, "/");
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
							    POSIX_SPAWN_SETSIGMASK);
	return rc;
}

static int spawn(const char *path, const struct sf_proc_spec *spec, const char **env,
		 const struct streams *streams, pid_t *ret)
{
	posix_spawn_file_actions_t acts;
	posix_spawnattr_t attr;
	int rc = posix_spawn_file_actions_init(&acts);

	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc == 0) {
		rc = describe(streams, &attr, &acts);
		if (rc == 0)
			rc = posix_spawn(ret, path, &acts, &attr, (char *const *)spec->argv,
					 (char *const *)env);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&acts);
	return rc;
}

int sf_proc_start(const struct sf_proc_spec *spec, struct sf_proc *ret, struct sf_err *err)
{
	__attribute__((cleanup(close_streams))) struct streams streams = {{-1, -1, -1}};
	auto_free const char **env = NULL;
	char path[PATH_MAX];
	pid_t pid;
	int rc = find_program(spec->argv[0], path, err);

	if (rc == 0)
		rc = make_env(spec, &env, err);
	if (rc == 0)
		rc = open_streams(spec, &streams, err);
	if (rc < 0)
		return rc;
	rc = spawn(path, spec, env, &streams, &pid);
	if (rc != 0)
		return sf_fail(err, -rc, "run %s: %s", path, strerror(rc));
	close_streams(&streams); /* frees descriptors for the pidfd */
	ret->pid = pid;
	ret->pidfd = pidfd_open(pid, 0); /* the child runs even if this fails: no error from here on */
	return 0;
}

static void forget(struct sf_proc *proc)
{
	if (proc->pidfd >= 0)
		(void)close(proc->pidfd); /* a pidfd has no error to report */
	*proc = (struct sf_proc){0};
}

/* 0 once the child has exited, -ETIMEDOUT otherwise. */
static int await_end(struct sf_proc *proc, uint64_t timeout_ms, struct sf_err *err)
{
	uint64_t start = sf_clock_mono_ms(), spent = 0;

	if (proc->pidfd < 0)
		proc->pidfd = pidfd_open(proc->pid, 0);
	if (proc->pidfd < 0)
		return sf_fail(err, -errno, "wait for process %d: %s", (int)proc->pid, strerror(errno));
	for (;;) {
		struct pollfd end = {.fd = proc->pidfd, .events = POLLIN};
		uint64_t left = timeout_ms - spent;
		int n = poll(&end, 1, left < INT_MAX ? (int)left : INT_MAX);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return sf_fail(err, -errno, "wait for process %d: %s", (int)proc->pid,
				       strerror(errno));
		spent = sf_clock_mono_ms() - start;
		if (spent >= timeout_ms)
			return sf_fail(err, -ETIMEDOUT, "process %d is still running after %llu ms",
				       (int)proc->pid, (unsigned long long)timeout_ms);
	}
}

int sf_proc_wait(struct sf_proc *proc, uint64_t timeout_ms, int *ret_status, struct sf_err *err)
{
	siginfo_t info = {0};
	int rc;

	if (proc->pid == 0)
		return sf_fail(err, -ECHILD, "no process to wait for");
	rc = await_end(proc, timeout_ms, err);
	if (rc < 0)
		return rc;
	if (waitid(P_PIDFD, (id_t)proc->pidfd, &info, WEXITED) < 0) {
		rc = sf_fail(err, -errno, "wait for process %d: %s", (int)proc->pid, strerror(errno));
		forget(proc);
		return rc;
	}
	forget(proc);
	*ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	return 0;
}

int sf_proc_kill(struct sf_proc *proc, uint64_t timeout_ms, struct sf_err *err)
{
	int rc, status;

	if (proc->pid == 0)
		return 0;
	/* Without a pidfd the pid is as good: it cannot be reused until we reap it. */
	rc = proc->pidfd >= 0 ? pidfd_send_signal(proc->pidfd, SIGKILL, NULL, 0) : kill(proc->pid, SIGKILL);
	if (rc < 0 && errno != ESRCH)
		return sf_fail(err, -errno, "kill process %d: %s", (int)proc->pid, strerror(errno));
	rc = sf_proc_wait(proc, timeout_ms, &status, err);
	return rc == -ECHILD ? 0 : rc;
}

void sf_proc_drop(struct sf_proc *proc)
{
	if (proc->pid == 0)
		return;
	(void)waitpid(proc->pid, NULL, WNOHANG); /* a child that is still running stays as it is */
	forget(proc);
}

int sf_proc_memfd(const char *name, struct sf_err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return sf_fail(err, -errno, "create a memory file for %s: %s", name, strerror(errno));
	return fd;
}

int sf_proc_read(int fd, size_t cap, char **ret, size_t *ret_len, struct sf_err *err)
{
	auto_free char *data = NULL;
	struct stat st;
	size_t size;
	ssize_t len;

	if (fstat(fd, &st) < 0)
		return sf_fail(err, -errno, "read a command's output: %s", strerror(errno));
	if ((uint64_t)st.st_size > cap)
		return sf_fail(err, -EFBIG, "a command printed %lld bytes, more than the limit of %zu",
			       (long long)st.st_size, cap);
	size = (size_t)st.st_size;
	data = malloc(size + 1);
	if (!data)
		return sf_fail(err, -ENOMEM, "read a command's output: out of memory");
	len = sf_pread_all(fd, data, size, 0);
	if (len < 0)
		return sf_fail(err, (int)len, "read a command's output: %s", strerror((int)-len));
	data[len] = '\0';
	*ret = sf_take_ptr(&data);
	*ret_len = (size_t)len;
	return 0;
}

/* A message that grows until its buffer is full. */
struct sentence {
	char *buf;
	size_t size;
	size_t len;
	bool cut;
};

static void put(struct sentence *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len++] = c;
	else
		out->cut = true;
}

static void put_line(struct sentence *out, const char *line, size_t len)
{
	bool first = out->len == 0, begun = false;

	for (size_t i = 0; i < len; i++) {
		char c = line[i] == '\t' ? ' ' : line[i];

		if ((unsigned char)c < ' ' || c == 0x7f)
			continue;
		if (!first && !begun) {
			put(out, ';');
			put(out, ' ');
		}
		begun = true;
		put(out, c);
	}
}

static void finish(struct sentence *out)
{
	static const char dots[] = "…";

	out->buf[out->len] = '\0';
	if (!out->cut)
		return;
	if (out->len > out->size - sizeof(dots))
		out->len = out->size - sizeof(dots);
	while (out->len > 0 && ((unsigned char)out->buf[out->len] & 0xc0) == 0x80)
		out->len--; /* do not split a UTF-8 character */
	memcpy(out->buf + out->len, dots, sizeof(dots));
}

static void join_lines(struct sentence *out, const char *text, bool warnings)
{
	static const char blanks[] = " \t\r\v\f";

	while (*text) {
		const char *line = text + strspn(text, blanks);
		size_t len = strcspn(line, "\n");

		text = line + len + (line[len] == '\n');
		while (len > 0 && strchr(blanks, line[len - 1]))
			len--;
		if (warnings || strncmp(line, "WARNING:", 8) != 0)
			put_line(out, line, len);
	}
}

void sf_proc_message(const char *text, char *buf, size_t size)
{
	struct sentence out = {.buf = buf, .size = size};

	join_lines(&out, text, false);
	if (out.len == 0)
		join_lines(&out, text, true);
	finish(&out);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits until the child writes its byte, or exits and so closes its end of the pipe. */
static int await(int fd, pid_t child)
{
	char ready;
	ssize_t n;
	int status;

	do
		n = read(fd, &ready, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_SUCCESS;
	if (waitpid(child, &status, 0) != child)
		return EXIT_FAILURE;
	if (WIFSIGNALED(status))
		sf_log(SF_LOG_ERROR, "killed by signal %d (%s)", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

int sf_daemon_fork(int *ret_ready_fd, int *ret_status, struct sf_err *err)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return sf_fail(err, -errno, "pipe: %s", strerror(errno));
	child = fork();
	if (child < 0) {
		int rc = sf_fail(err, -errno, "fork: %s", strerror(errno));

		(void)close(ends[0]);
		(void)close(ends[1]);
		return rc;
	}
	if (child > 0) {
		(void)close(ends[1]);
		*ret_status = await(ends[0], child);
		(void)close(ends[0]);
		return 1;
	}
	(void)close(ends[0]);
	(void)setsid(); /* cannot fail: a new child leads no process group */
	*ret_ready_fd = ends[1];
	return 0;
}

int sf_daemon_ready(int ready_fd, struct sf_err *err)
{
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || chdir("/") < 0)
		return sf_fail(err, -errno, "detach from the terminal: %s", strerror(errno));
	if (write(ready_fd, "r", 1) != 1)
		return sf_fail(err, -errno, "the parent process is gone: %s", strerror(errno));
	(void)close(ready_fd);
	sf_log_to_syslog();
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return sf_fail(err, -errno, "detach from the terminal: %s", strerror(errno));
	return 0;
}

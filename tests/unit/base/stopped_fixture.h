/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A child that is stopped: signals stay pending for it, as for a process that waits in a system call. */
#ifndef SF_TESTS_UNIT_BASE_STOPPED_FIXTURE_H
#define SF_TESTS_UNIT_BASE_STOPPED_FIXTURE_H

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void ignore(int signal)
{
	(void)signal;
}

/* It catches SIGCHLD, like a shell. */
static pid_t stopped_child(void)
{
	struct sigaction action = {.sa_handler = ignore};
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigaction(SIGCHLD, &action, NULL);
		(void)raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void end_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook.h"

#include "tools/snapfsctl/tree/interrupt.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/proc.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often to check for an interrupt, and how long a hook may take to exit after SIGTERM. */
#define LOOK_MS  100
#define GRACE_MS 5000

/*
 * Ends a hook and its process group, which it leads. Reaps the hook last: until then no other process group
 * can get its number.
 */
static void end(struct sf_proc *proc)
{
	uint64_t until = sf_clock_mono_ms() + GRACE_MS;
	struct timespec step = {.tv_nsec = 20 * 1000 * 1000};
	siginfo_t info;
	int status;

	(void)kill(-proc->pid, SIGTERM);
	do {
		info.si_pid = 0;
		if (waitid(P_PID, (id_t)proc->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
			break;
		(void)nanosleep(&step, NULL);
	} while (sf_clock_mono_ms() < until);
	(void)kill(-proc->pid, SIGKILL);
	if (sf_proc_wait(proc, GRACE_MS, &status, NULL) == -ETIMEDOUT)
		sf_proc_drop(proc); /* stuck in the kernel */
}

int sf_hook_run(const char *const *argv, const char *const *env, uint64_t deadline_ms, struct sf_err *err)
{
	const struct sf_proc_spec spec = {
		.argv = argv, .extra_env = env, .stdout_fd = STDERR_FILENO, .stderr_fd = STDERR_FILENO};
	uint64_t until = sf_clock_mono_ms() + deadline_ms;
	struct sf_proc proc = {0};
	int status = 0, rc = sf_proc_start(&spec, &proc, err);

	if (rc < 0)
		return sf_wrap(err, rc, "hook %s", argv[0]);
	while ((rc = sf_proc_wait(&proc, LOOK_MS, &status, err)) == -ETIMEDOUT) {
		if (!sf_interrupted() && sf_clock_mono_ms() < until)
			continue;
		end(&proc);
		if (sf_interrupted())
			return sf_fail(err, -EINTR, "hook %s: interrupted", argv[0]);
		return sf_fail(err, -ETIMEDOUT, "hook %s: did not finish within %llu s", argv[0],
			       (unsigned long long)(deadline_ms / 1000));
	}
	if (rc < 0) {
		if (proc.pid)
			end(&proc);
		return sf_wrap(err, rc, "hook %s", argv[0]);
	}
	if (status > 128)
		return sf_fail(err, -EPROTO, "hook %s: ended by signal %d, or exit status %d", argv[0],
			       status - 128, status);
	return status == 0 ? 0 : sf_fail(err, -EPROTO, "hook %s: exit status %d", argv[0], status);
}

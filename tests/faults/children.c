/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Seconds for one process. A healthy one takes milliseconds, or a few seconds on LVM. */
#define PATIENCE 60

/* Redirects the messages to the stage's log, which is printed on a failure. */
static void begin_child(const struct stage *stage)
{
	char path[PATH_MAX];
	int log;

	(void)snprintf(path, sizeof(path), "%s/log", stage->path);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(1);
	(void)alarm(PATIENCE);
}

void children_run(struct stage *stage, void (*fn)(struct stage *stage, const void *arg), const void *arg,
		  int want, const char *what)
{
	int status = 0, how;
	pid_t pid;

	(void)fflush(stdout); /* otherwise a sanitizer's _exit prints it again */
	pid = fork();
	if (pid == 0) {
		begin_child(stage);
		fn(stage, arg);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		stage_complain(stage, "cannot start %s", what);
		return;
	}
	how = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	if (how < 0 && how != want)
		stage_complain(stage, "%s ends by signal %d%s", what, -how,
			       how == -SIGALRM ? ": it hangs" : "");
	else if (how != want && !*stage->shared->complaints)
		stage_complain(stage, "%s ends with status %d", what, how);
}

static void print_lines(const char *prefix, FILE *in)
{
	char line[1024];

	while (fgets(line, sizeof(line), in))
		(void)printf("# %s%s%s", prefix, line, strchr(line, '\n') ? "" : "\n");
}

void children_tell(const struct stage *stage)
{
	char *complaints = stage->shared->complaints, path[PATH_MAX];
	FILE *text = fmemopen(complaints, strlen(complaints), "r"), *log;

	if (text) {
		print_lines("  ", text);
		(void)fclose(text); /* a memory stream */
	}
	(void)snprintf(path, sizeof(path), "%s/log", stage->path);
	log = fopen(path, "re");
	if (log) {
		print_lines("    log: ", log);
		(void)fclose(log); /* opened for reading */
	}
}

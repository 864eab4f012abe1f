/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replaces `lvm`; started as DIRECTORY/lvm. It runs the real lvm, and at the point that DIRECTORY/points
 * selects it kills the process that started it: either before the command, which then does not run, or during
 * the command, which then runs to its end.
 */
#include "killpoints.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void kill_parent(void)
{
	pid_t parent = getppid();

	(void)kill(parent, SIGKILL);
	while (getppid() == parent)
		(void)usleep(1000);
}

int main(int argc, char **argv)
{
	char directory[PATH_MAX], call[64];
	char *slash;

	(void)snprintf(directory, sizeof(directory), "%s", argv[0]);
	slash = strrchr(directory, '/');
	if (argc > 1 && slash && strcmp(argv[1], "lvs") != 0) {
		struct killpoints *points;

		*slash = '\0';
		points = killpoints_map(directory);
		(void)snprintf(call, sizeof(call), "before %s", argv[1]);
		if (killpoints_reach(points, call)) {
			kill_parent();
			return 1;
		}
		(void)snprintf(call, sizeof(call), "during %s", argv[1]);
		if (killpoints_reach(points, call))
			kill_parent();
	}
	argv[0] = KILLPOINTS_LVM;
	(void)execvp(argv[0], argv);
	perror("lvm");
	return 127;
}

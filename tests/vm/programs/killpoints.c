/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "killpoints.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct killpoints *killpoints_map(const char *directory)
{
	struct killpoints *points;
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/" KILLPOINTS_FILE, directory);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*points)) < 0) {
		perror(path);
		exit(1);
	}
	points = mmap(NULL, sizeof(*points), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (points == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	return points;
}

bool killpoints_reach(struct killpoints *points, const char *call)
{
	if (!atomic_load(&points->armed) || atomic_fetch_add(&points->reached, 1) + 1 != points->k)
		return false;
	(void)snprintf(points->call, sizeof(points->call), "%s", call);
	return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crashlog.h"

#include "crashfile.h"
#include "crashnode.h"

#include "base/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int graveyard_fd = -1;

void crashlog_die(const char *what, const char *name)
{
	(void)fprintf(stderr, "crashsim: cannot %s %s: %s\n", what, name, strerror(errno));
	_exit(CRASHSIM_EXIT_UNMODELLED);
}

void crashlog_init(int graveyard)
{
	graveyard_fd = graveyard;
	crashdir_init(graveyard);
}

void crashlog_synced(int fd, bool data_only)
{
	struct crashnode *node = crashnode_of_fd(fd);

	crashfile_synced(node, data_only);
	crashdir_synced(node);
}

static bool is_product_file(int dir, int fd, const char *name)
{
	struct stat st;

	if (fd <= STDERR_FILENO || fd == dir || fd == graveyard_fd || crashnode_owns(fd))
		return false;
	return fstatat(dir, name, &st, 0) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/*
 * Closes the files that the process has open: a lease that it still holds would block the undoing. Pipes stay
 * open, so threads at their ends notice nothing. Other threads may find a file closed; their next change or
 * point then blocks until the process has ended. Uses fstatat() and a raw close, because a thread sanitizer
 * would report this (real) race in fstat() and close().
 */
static void close_files(void)
{
	auto_dir DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!dir)
		crashlog_die("open", "/proc/self/fd");
	while ((entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && is_product_file(dirfd(dir), fd, entry->d_name))
			(void)syscall(SYS_close, fd); /* nobody is left to report a failure to */
	}
}

void crashlog_lose(enum crashsim_mode mode, uint64_t seed)
{
	uint64_t random = seed;

	(void)signal(SIGPIPE, SIG_IGN);
	close_files();
	crashfile_lose(mode, &random);
	crashdir_lose(mode, &random);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops and continues xl's background process of a domain, which handles its reboot, shutdown and crash. That
 * process ends for good when it learns that the domain has suspended (xl_vmcontrol.c of Xen 4.17:
 * handle_domain_death, "Domain has suspended"), as after `xl save -c`. So it is stopped (SIGSTOP) while we
 * have the guest suspended. Once the guest runs again, the process continues, examines the domain and finds
 * it running.
 *
 * It is identified by its log, which is named after the domain ("xl-" and the name; rotated: ".1" and so on).
 */
#include "helper.h"

#include "base/cleanup.h"
#include "base/names.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XL_LOGS "/var/log/xen/xl-"

static bool is_xl(int process)
{
	auto_fd int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	char comm[8] = "";

	return fd >= 0 && read(fd, comm, sizeof(comm) - 1) > 0 && strcmp(comm, "xl\n") == 0;
}

static bool logs_for(int process, const char *name)
{
	char path[PATH_MAX], wanted[sizeof(XL_LOGS) + SF_NAME_MAX + 8];
	ssize_t len = readlinkat(process, "fd/1", path, sizeof(path) - 1);
	size_t n = (size_t)snprintf(wanted, sizeof(wanted), XL_LOGS "%s.log", name);

	if (len < 0)
		return false;
	path[len] = '\0';
	return strncmp(path, wanted, n) == 0 &&
	       (!path[n] || (path[n] == '.' && isdigit((unsigned char)path[n + 1])));
}

/* The open /proc directory identifies the process: it becomes empty when that ends. */
static void signal_if_it_is(const char *pid, const char *name, int number)
{
	char path[32];
	int process;

	(void)snprintf(path, sizeof(path), "/proc/%.20s", pid);
	process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		return;
	if (is_xl(process) && logs_for(process, name))
		(void)kill((pid_t)strtol(pid, NULL, 10), number); /* fails when the process has just ended */
	(void)close(process);
}

static void signal_all(const char *name, int number)
{
	auto_dir DIR *dir = opendir("/proc");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			signal_if_it_is(entry->d_name, name, number);
}

void helper_hold_monitor(const char *name)
{
	signal_all(name, SIGSTOP);
}

void helper_release_monitor(const char *name)
{
	signal_all(name, SIGCONT);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "users.h"

#include "base/cleanup.h"
#include "base/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More are counted together. */
#define USERS_NAMED 4

struct search {
	struct statx file;   /* the file; for a device, only its numbers count */
	bool device;         /* all openers count, otherwise only writers */
	char path[PATH_MAX]; /* as loop devices name it: "/data/web.img", "/dev/dm-3" */
	char *text;          /* SF_USERS_TEXT bytes */
	unsigned found;
};

/* Counts a user; the first few are appended to the text. */
__attribute__((format(printf, 2, 3))) static void add(struct search *search, const char *fmt, ...)
{
	size_t len = strlen(search->text);
	va_list args;

	if (search->found++ > USERS_NAMED)
		return;
	len += (size_t)snprintf(search->text + len, SF_USERS_TEXT - len, "%s",
				search->found == 1 ? ": " : ", ");
	if (len >= SF_USERS_TEXT)
		return;
	va_start(args, fmt);
	(void)vsnprintf(search->text + len, SF_USERS_TEXT - len,
			search->found > USERS_NAMED ? "and others" : fmt, args);
	va_end(args);
}

/* The first line of a file below /proc or /sys, formatted into buf; empty if it cannot be read. */
__attribute__((format(printf, 3, 4))) static void read_line(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	auto_fd int fd = -1;
	va_list args;
	ssize_t n;

	va_start(args, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static bool is_number(const char *name)
{
	return *name && !name[strspn(name, "0123456789")];
}

/* --- processes --- */

/* Whether the descriptor is open for writing; see "fdinfo" in proc(5). */
static bool is_writer(const char *pid, const char *fd)
{
	char info[256], path[64];
	auto_fd int info_fd = -1;
	const char *flags;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%.20s", pid, fd);
	info_fd = open(path, O_RDONLY | O_CLOEXEC);
	n = info_fd < 0 ? -1 : read(info_fd, info, sizeof(info) - 1);
	if (n <= 0)
		return false;
	info[n] = '\0';
	flags = strstr(info, "flags:");
	return flags && (strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static bool is_same(const struct statx *a, const struct statx *b, bool device)
{
	if (device)
		return S_ISBLK(a->stx_mode) && a->stx_rdev_major == b->stx_rdev_major &&
		       a->stx_rdev_minor == b->stx_rdev_minor;
	return a->stx_ino == b->stx_ino && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

/* 1 if the process has the file or device open, 0 if not, -errno if its descriptors cannot be listed. */
static int has_open(const char *pid, const struct statx *wanted, bool device, bool for_writing)
{
	char path[64];
	struct dirent *entry;
	bool found = false;
	DIR *fds;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	if (!fds)
		return -errno;
	while (!found && (entry = readdir(fds))) {
		struct statx st;

		/* The server of a network file system is not asked: it may hang. */
		found = is_number(entry->d_name) &&
			statx(dirfd(fds), entry->d_name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) ==
				0 &&
			is_same(&st, wanted, device) && (!for_writing || is_writer(pid, entry->d_name));
	}
	(void)closedir(fds);
	return found;
}

static void search_process(struct search *search, const char *pid)
{
	char program[64];

	if (has_open(pid, &search->file, search->device, !search->device) != 1)
		return;
	read_line(program, sizeof(program), "/proc/%.20s/comm", pid);
	add(search, "pid %s (%s)", pid, program);
}

static void search_processes(struct search *search)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && (entry = readdir(processes)))
		if (is_number(entry->d_name) && strtol(entry->d_name, NULL, 10) != getpid())
			search_process(search, entry->d_name);
	if (processes)
		(void)closedir(processes);
}

/* --- the kernel's own users --- */

static void search_loops(struct search *search)
{
	DIR *blocks = opendir("/sys/block");
	char backing[PATH_MAX], read_only[8];
	struct dirent *entry;

	while (blocks && (entry = readdir(blocks))) {
		if (strncmp(entry->d_name, "loop", 4) != 0)
			continue;
		read_line(backing, sizeof(backing), "/sys/block/%s/loop/backing_file", entry->d_name);
		read_line(read_only, sizeof(read_only), "/sys/block/%s/ro", entry->d_name);
		if (strcmp(backing, search->path) == 0 && (search->device || strcmp(read_only, "0") == 0))
			add(search, "loop device /dev/%s", entry->d_name);
	}
	if (blocks)
		(void)closedir(blocks);
}

static void search_holders(struct search *search)
{
	char path[64], name[128];
	struct dirent *entry;
	DIR *holders;

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", search->file.stx_rdev_major,
		       search->file.stx_rdev_minor);
	holders = opendir(path);
	while (holders && (entry = readdir(holders))) {
		if (*entry->d_name == '.')
			continue;
		read_line(name, sizeof(name), "/sys/block/%s/dm/name", entry->d_name);
		add(search, *name ? "device %s (%s)" : "device %s", entry->d_name, name);
	}
	if (holders)
		(void)closedir(holders);
}

static bool search_mount(const struct sf_mounts_entry *entry, void *arg)
{
	struct search *search = arg;

	if (major(entry->dev) == search->file.stx_rdev_major &&
	    minor(entry->dev) == search->file.stx_rdev_minor)
		add(search, "mounted at %s", entry->point);
	return true;
}

/* --- asking --- */

int sf_users_has_open(const char *pid, const char *path)
{
	struct statx wanted;

	if (!is_number(pid))
		return -EINVAL;
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &wanted) < 0)
		return -errno;
	return has_open(pid, &wanted, S_ISBLK(wanted.stx_mode), false);
}

const char *sf_users_of_file(int fd, const char *path, char text[static SF_USERS_TEXT])
{
	struct search search = {.text = text};

	*text = '\0';
	(void)snprintf(search.path, sizeof(search.path), "%s", path);
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &search.file) == 0)
		search_processes(&search);
	search_loops(&search);
	return text;
}

const char *sf_users_of_device(dev_t dev, char text[static SF_USERS_TEXT])
{
	struct search search = {.device = true, .text = text};
	char link[64], target[PATH_MAX];
	ssize_t len;

	*text = '\0';
	search.file.stx_rdev_major = major(dev);
	search.file.stx_rdev_minor = minor(dev);
	(void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	len = readlink(link, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	(void)snprintf(search.path, sizeof(search.path), "/dev%s", len > 0 ? strrchr(target, '/') : "");
	(void)sf_mounts_each(search_mount, &search, NULL); /* best effort, as all of this */
	search_holders(&search);
	search_loops(&search);
	search_processes(&search);
	return text;
}

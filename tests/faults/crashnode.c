/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crashnode.h"

#include "crashlog.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct crashnode *nodes;
static const char *own_disk;

void crashnode_own_disk(const char *path)
{
	own_disk = path;
}

static unsigned disk_of(int fd)
{
	char link[64], path[PATH_MAX];
	size_t len = own_disk ? strlen(own_disk) : 0;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return len > 0 && strncmp(path, own_disk, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Takes ownership of fd. */
static struct crashnode *node_of_path_fd(int fd, const char *what)
{
	struct crashnode *node;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		crashlog_die("pin", what);
	for (node = nodes; node; node = node->next) {
		if (node->dev == st.st_dev && node->ino == st.st_ino) {
			(void)close(fd); /* O_PATH: no data to lose */
			return node;
		}
	}
	node = calloc(1, sizeof(*node));
	if (!node)
		crashlog_die("out of memory for", what);
	*node = (struct crashnode){
		.next = nodes, .dev = st.st_dev, .ino = st.st_ino, .fd = fd, .disk = disk_of(fd)};
	nodes = node;
	return node;
}

static int reopen(int fd, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return __real_openat64(AT_FDCWD, path, flags | O_CLOEXEC);
}

struct crashnode *crashnode_of_fd(int fd)
{
	return node_of_path_fd(reopen(fd, O_PATH), "an open file");
}

struct crashnode *crashnode_of_name(int dir, const char *name)
{
	return node_of_path_fd(__real_openat64(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), name);
}

struct crashnode *crashnode_of_parent(int dir, const char *path, const char **ret_name)
{
	auto_free char *parent = strdup(path);
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (!parent)
		crashlog_die("out of memory for", path);
	*ret_name = slash ? path + (slash - parent) + 1 : path;
	if (slash)
		slash[slash == parent ? 1 : 0] = '\0';
	return node_of_path_fd(__real_openat64(dir, slash ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC),
			       path);
}

void crashnode_replace(struct crashnode *node, int dir, const char *name)
{
	auto_fd int fd = __real_openat64(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || dup3(fd, node->fd, O_CLOEXEC) < 0)
		crashlog_die("open again", name);
	node->dev = st.st_dev;
	node->ino = st.st_ino;
}

int crashnode_open(const struct crashnode *node, int flags)
{
	int fd = reopen(node->fd, flags | O_NONBLOCK);

	if (fd < 0)
		crashlog_die("open", "a changed file");
	return fd;
}

static bool reads_plainly(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDWR && !(flags & O_DIRECT);
}

size_t crashnode_read(const struct crashnode *node, int fd, void *buf, size_t len, uint64_t off)
{
	auto_fd int own = reads_plainly(fd) ? -1 : crashnode_open(node, O_RDONLY);
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(own >= 0 ? own : fd, (char *)buf + got, len - got, (off_t)(off + got));

		if (n < 0)
			crashlog_die("read", "a changing file");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return got;
}

uint64_t crashnode_size(const struct crashnode *node)
{
	struct stat st;

	if (fstat(node->fd, &st) < 0)
		crashlog_die("stat", "a changing file");
	return (uint64_t)st.st_size;
}

bool crashnode_owns(int fd)
{
	for (const struct crashnode *node = nodes; node; node = node->next)
		if (node->fd == fd)
			return true;
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log of changes to files: data, size, attributes. */
#include "crashfile.h"

#include "crashlog.h"
#include "crashnode.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

enum kind { DATA, SIZE, MODE, XATTR };

struct file_change {
	struct file_change *prev, *next;
	struct crashnode *node;
	enum kind kind;
	int fd; /* the caller's descriptor; valid until crashlog_after() only */
	uint64_t off, len;
	uint64_t old_size, new_size;
	char *old; /* DATA, SIZE: the old bytes at off; XATTR: the old value or NULL */
	size_t old_len;
	char *new;
	size_t new_len;
	struct stat st; /* of MODE */
	char xattr[NAME_MAX + 1];
};

/* Oldest first. */
static struct file_change *first, *last;

static void *grab(size_t len)
{
	void *buf = malloc(len + 1);

	if (!buf)
		crashlog_die("out of memory for", "the log");
	return buf;
}

static struct file_change *change_new(struct crashnode *node, enum kind kind, int fd)
{
	struct file_change *change = grab(sizeof(*change));

	*change = (struct file_change){.node = node, .kind = kind, .fd = fd};
	change->old_size = crashnode_size(node);
	return change;
}

static void change_free(struct file_change *change)
{
	free(change->old);
	free(change->new);
	free(change);
}

static void keep_old(struct file_change *change)
{
	uint64_t end = change->off + change->len;

	if (end > change->old_size)
		end = change->old_size;
	if (end <= change->off)
		return;
	change->old = grab(end - change->off);
	change->old_len =
		crashnode_read(change->node, change->fd, change->old, end - change->off, change->off);
}

struct file_change *crashlog_before_data(int fd, uint64_t off, uint64_t len)
{
	struct file_change *change = change_new(crashnode_of_fd(fd), DATA, fd);

	change->off = off;
	change->len = len;
	keep_old(change);
	return change;
}

struct file_change *crashlog_before_truncate(int fd, int dir, const char *name, uint64_t new_size)
{
	struct crashnode *node = fd >= 0 ? crashnode_of_fd(fd) : crashnode_of_name(dir, name);
	struct file_change *change = change_new(node, SIZE, fd);

	change->off = new_size;
	change->len = change->old_size > new_size ? change->old_size - new_size : 0;
	keep_old(change);
	return change;
}

struct file_change *crashlog_before_mode(int fd)
{
	struct file_change *change = change_new(crashnode_of_fd(fd), MODE, fd);

	if (fstat(fd, &change->st) < 0)
		crashlog_die("stat", "a changing file");
	return change;
}

struct file_change *crashlog_before_xattr(int fd, const char *name)
{
	struct file_change *change = change_new(crashnode_of_fd(fd), XATTR, fd);
	ssize_t len = fgetxattr(fd, name, NULL, 0);

	if (strlen(name) >= sizeof(change->xattr))
		crashlog_die("long xattr name", name);
	memcpy(change->xattr, name, strlen(name) + 1);
	if (len < 0)
		return change;
	change->old = grab((size_t)len);
	len = fgetxattr(fd, name, change->old, (size_t)len);
	if (len < 0)
		crashlog_die("fgetxattr", name);
	change->old_len = (size_t)len;
	return change;
}

void crashlog_after(struct file_change *change, bool done)
{
	if (!done) {
		change_free(change);
		return;
	}
	change->new_size = crashnode_size(change->node);
	if (change->kind == DATA) {
		change->new = grab(change->len);
		change->new_len =
			crashnode_read(change->node, change->fd, change->new, change->len, change->off);
	}
	change->prev = last;
	if (last)
		last->next = change;
	else
		first = change;
	last = change;
}

static void change_remove(struct file_change *change)
{
	if (change->prev)
		change->prev->next = change->next;
	else
		first = change->next;
	if (change->next)
		change->next->prev = change->prev;
	else
		last = change->prev;
	change_free(change);
}

void crashfile_synced(const struct crashnode *node, bool data_only)
{
	for (struct file_change *change = first, *next; change; change = next) {
		next = change->next;
		if (change->node == node && (!data_only || change->kind == DATA || change->kind == SIZE))
			change_remove(change);
	}
}

static void put(int fd, const char *data, size_t len, uint64_t off)
{
	while (len > 0) {
		ssize_t n = __real_pwrite64(fd, data, len, (off_t)off);

		if (n <= 0)
			crashlog_die("write back", "a changed file");
		data += n;
		len -= (size_t)n;
		off += (uint64_t)n;
	}
}

static void resize(int fd, uint64_t size)
{
	if (__real_ftruncate64(fd, (off_t)size) < 0)
		crashlog_die("truncate back", "a changed file");
}

static void undo(const struct file_change *change, int fd)
{
	const struct timespec times[] = {change->st.st_atim, change->st.st_mtim};
	int rc = 0;

	if (change->kind == DATA || change->kind == SIZE) {
		resize(fd, change->old_size);
		put(fd, change->old, change->old_len, change->off);
	} else if (change->kind == MODE) {
		rc = __real_fchown(fd, change->st.st_uid, change->st.st_gid);
		if (rc == 0)
			rc = __real_fchmod(fd, change->st.st_mode & 07777);
		if (rc == 0)
			rc = __real_futimens(fd, times);
	} else if (change->old) {
		rc = __real_fsetxattr(fd, change->xattr, change->old, change->old_len, 0);
	} else if (__real_fremovexattr(fd, change->xattr) < 0 && errno != ENODATA) {
		rc = -1;
	}
	if (rc < 0)
		crashlog_die("take back an attribute of", "a changed file");
}

static void undo_all(const struct crashnode *node, int fd)
{
	for (const struct file_change *change = last; change; change = change->prev)
		if (change->node == node)
			undo(change, fd);
}

/* Repeats some of the writes, the last of them partly. The size may be ahead of the data. */
static void redo_some(const struct crashnode *node, int fd, uint64_t *random)
{
	uint64_t end = crashnode_size(node);

	for (const struct file_change *change = first; change; change = change->next) {
		uint64_t dice = crashfile_random(random);

		if (change->node != node)
			continue;
		end = change->new_size;
		if (change->kind == SIZE && dice % 2)
			resize(fd, change->new_size);
		else if (change->kind == DATA && dice % 4)
			put(fd, change->new,
			    dice % 4 > 1 ? change->new_len : change->new_len * (dice >> 32) >> 32,
			    change->off);
	}
	if (crashfile_random(random) % 2)
		resize(fd, end);
}

/* splitmix64, public domain (Sebastiano Vigna). */
uint64_t crashfile_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool is_first_of_its_node(const struct file_change *change)
{
	for (const struct file_change *before = change->prev; before; before = before->prev)
		if (before->node == change->node)
			return false;
	return true;
}

void crashfile_lose(enum crashsim_mode mode, uint64_t *random)
{
	for (const struct file_change *change = first; change; change = change->next) {
		uint64_t dice = crashfile_random(random) % 4;
		auto_fd int fd = -1;

		if (mode == CRASHSIM_KEEP || !is_first_of_its_node(change))
			continue;
		if (mode == CRASHSIM_TORN && dice == 0)
			continue;
		fd = crashnode_open(change->node, O_RDWR);
		undo_all(change->node, fd);
		if (mode == CRASHSIM_TORN && dice > 1)
			redo_some(change->node, fd, random);
	}
}

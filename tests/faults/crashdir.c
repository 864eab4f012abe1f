/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of changes to directories, and the graveyard, which keeps unlinked files until the change is
 * durable.
 */
#include "crashfile.h"
#include "crashlog.h"
#include "crashnode.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum kind { CREATE, MKDIR, UNLINK, RMDIR, RENAME, EXCHANGE };

struct dir_change {
	struct dir_change *prev, *next;
	enum kind kind;
	struct crashnode *dir, *to_dir;
	char name[NAME_MAX + 1], to[NAME_MAX + 1];
	char grave[32]; /* name in the graveyard of the file that was at to (RENAME) or name (UNLINK); empty:
			   none */
	struct crashnode *gone; /* of RMDIR */
	struct stat st;         /* of RMDIR */
};

static struct dir_change *first, *last;
static struct {
	int fd;
	unsigned count;
} graveyard = {.fd = -1};

void crashdir_init(int fd)
{
	graveyard.fd = fd;
}

static struct dir_change *change_new(enum kind kind, int dir, const char *path)
{
	struct dir_change *change = calloc(1, sizeof(*change));
	const char *name;

	if (!change)
		crashlog_die("out of memory for", path);
	change->kind = kind;
	change->dir = change->to_dir = crashnode_of_parent(dir, path, &name);
	(void)snprintf(change->name, sizeof(change->name), "%s", name); /* the kernel refuses longer names */
	return change;
}

/* Links the file into the graveyard, where it stays as long as losing the change would restore its name. */
static void bury(struct dir_change *change, int dir, const char *name)
{
	(void)snprintf(change->grave, sizeof(change->grave), "%d.%u", (int)getpid(), graveyard.count++);
	if (__real_linkat(dir, name, graveyard.fd, change->grave, 0) < 0)
		crashlog_die("keep", name);
}

static void change_free(struct dir_change *change)
{
	if (change->grave[0] && __real_unlinkat(graveyard.fd, change->grave, 0) < 0)
		crashlog_die("clear from the graveyard", change->grave);
	free(change);
}

struct dir_change *crashlog_before_create(int dir, const char *path, bool directory)
{
	return change_new(directory ? MKDIR : CREATE, dir, path);
}

struct dir_change *crashlog_before_remove(int dir, const char *path, bool directory)
{
	struct dir_change *change = change_new(directory ? RMDIR : UNLINK, dir, path);

	if (fstatat(dir, path, &change->st, AT_SYMLINK_NOFOLLOW) < 0)
		return change; /* the call will fail */
	if (directory)
		change->gone = crashnode_of_name(dir, path);
	else if (!S_ISDIR(change->st.st_mode))
		bury(change, dir, path);
	return change;
}

struct dir_change *crashlog_before_rename(int from_dir, const char *from, int to_dir, const char *to,
					  unsigned flags)
{
	struct dir_change *change = change_new(flags & RENAME_EXCHANGE ? EXCHANGE : RENAME, from_dir, from);
	const char *name;

	change->to_dir = crashnode_of_parent(to_dir, to, &name);
	(void)snprintf(change->to, sizeof(change->to), "%s", name); /* the kernel refuses longer names */
	if (flags & (RENAME_EXCHANGE | RENAME_NOREPLACE) ||
	    fstatat(to_dir, to, &change->st, AT_SYMLINK_NOFOLLOW) < 0)
		return change;
	if (S_ISDIR(change->st.st_mode))
		crashlog_die("rename over the directory", to);
	bury(change, to_dir, to);
	return change;
}

void crashlog_after_dir(struct dir_change *change, bool done)
{
	if (!done) {
		change_free(change);
		return;
	}
	change->prev = last;
	if (last)
		last->next = change;
	else
		first = change;
	last = change;
}

static void change_remove(struct dir_change *change)
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

void crashdir_synced(const struct crashnode *node)
{
	struct dir_change *change = last, *prev;

	while (change && change->dir != node && change->to_dir != node)
		change = change->prev;
	for (; change; change = prev) {
		prev = change->prev;
		if (change->dir->disk == node->disk)
			change_remove(change);
	}
}

static int undo_rename(struct dir_change *change)
{
	unsigned flags = change->kind == EXCHANGE ? RENAME_EXCHANGE : RENAME_NOREPLACE;

	return __real_renameat2(change->to_dir->fd, change->to, change->dir->fd, change->name, flags);
}

static int undo_rmdir(struct dir_change *change)
{
	if (__real_mkdirat(change->dir->fd, change->name, change->st.st_mode & 07777) < 0)
		return -1;
	crashnode_replace(change->gone, change->dir->fd, change->name);
	return 0;
}

/* Moves the file from the graveyard back to its name. */
static int revive(struct dir_change *change)
{
	const char *name = change->kind == UNLINK ? change->name : change->to;

	if (!change->grave[0])
		return 0;
	if (__real_renameat2(graveyard.fd, change->grave, change->to_dir->fd, name, RENAME_NOREPLACE) < 0)
		return -1;
	change->grave[0] = '\0';
	return 0;
}

static void undo(struct dir_change *change)
{
	int rc = 0;

	if (change->kind == CREATE)
		rc = __real_unlinkat(change->dir->fd, change->name, 0);
	else if (change->kind == MKDIR)
		rc = __real_unlinkat(change->dir->fd, change->name, AT_REMOVEDIR);
	else if (change->kind == RMDIR)
		rc = undo_rmdir(change);
	else if (change->kind == RENAME || change->kind == EXCHANGE)
		rc = undo_rename(change);
	if (rc < 0 || revive(change) < 0)
		crashlog_die("take back a change of", change->name);
}

/* Chooses how many of its last changes each disk loses. */
static void choose_lost(enum crashsim_mode mode, uint64_t *random, uint64_t lost[static CRASHNODE_DISKS])
{
	for (const struct dir_change *change = first; change; change = change->next)
		lost[change->dir->disk] += mode != CRASHSIM_KEEP;
	for (size_t disk = 0; mode == CRASHSIM_TORN && disk < CRASHNODE_DISKS; disk++)
		lost[disk] = crashfile_random(random) % (lost[disk] + 1);
}

void crashdir_lose(enum crashsim_mode mode, uint64_t *random)
{
	uint64_t lost[CRASHNODE_DISKS] = {0};

	choose_lost(mode, random, lost);
	while (last) {
		if (lost[last->dir->disk] > 0) {
			lost[last->dir->disk]--;
			undo(last);
		}
		change_remove(last);
	}
}

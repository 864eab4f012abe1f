/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and directories known to the log, by inode. An O_PATH descriptor pins each, so its inode number is
 * not reused and it can be reopened under any name, or without one.
 */
#ifndef TESTS_FAULTS_CRASHNODE_H
#define TESTS_FAULTS_CRASHNODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct crashnode {
	struct crashnode *next;
	dev_t dev;
	ino_t ino;
	int fd;        /* O_PATH */
	unsigned disk; /* 1: below the path given to crashnode_own_disk(); 0: elsewhere */
};

#define CRASHNODE_DISKS 2

/* path is absolute, has no symbolic links, and must stay valid. */
void crashnode_own_disk(const char *path);

/*
 * The node of an open file, or of dir/name without following a symbolic link. Never NULL. Nodes are never
 * freed.
 */
struct crashnode *crashnode_of_fd(int fd);
struct crashnode *crashnode_of_name(int dir, const char *name);
/* The node of the directory that holds path's last component; *ret_name points to that component, in path. */
struct crashnode *crashnode_of_parent(int dir, const char *path, const char **ret_name);
/* Makes the node stand for the directory dir/name, which was just made again. */
void crashnode_replace(struct crashnode *node, int dir, const char *name);

/* Opens a regular file. flags: O_RDONLY or O_RDWR. Returns the descriptor; the caller closes it. */
int crashnode_open(const struct crashnode *node, int flags);

/*
 * Reads at off and returns the bytes read, fewer than len only at the end of the file. fd may be -1 or not
 * readable.
 */
size_t crashnode_read(const struct crashnode *node, int fd, void *buf, size_t len, uint64_t off);
uint64_t crashnode_size(const struct crashnode *node);

/* True for a descriptor that the log itself uses. */
bool crashnode_owns(int fd);

#endif

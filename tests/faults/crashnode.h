/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files and directories that the log knows, by inode. Each is pinned by an O_PATH descriptor, so its inode
 * number is not reused and it can be opened again under whatever name it has, or none.
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

/* path, absolute and without symbolic links, is kept. */
void crashnode_own_disk(const char *path);

/*
 * The node of an open file or of dir/name (a symbolic link is not followed). Never NULL; lives until the end.
 */
struct crashnode *crashnode_of_fd(int fd);
struct crashnode *crashnode_of_name(int dir, const char *name);
/* The directory that path's last component is in; *ret_name points into path. */
struct crashnode *crashnode_of_parent(int dir, const char *path, const char **ret_name);
/* The directory was made again: the node is that one now. */
void crashnode_replace(struct crashnode *node, int dir, const char *name);

/* A new descriptor of a regular file. flags: O_RDONLY, O_RDWR. */
int crashnode_open(const struct crashnode *node, int flags);

/* Bytes of a file; fewer than len at its end. fd may be -1 or not readable. */
size_t crashnode_read(const struct crashnode *node, int fd, void *buf, size_t len, uint64_t off);
uint64_t crashnode_size(const struct crashnode *node);

/* True for descriptors that the log itself needs. */
bool crashnode_owns(int fd);

#endif

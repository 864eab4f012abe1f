/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounted tree: found, opened, and asked with a deadline. Everything is opened below the mount's own
 * descriptor, so that nothing else can be in its place meanwhile.
 */
#ifndef SF_SNAPFSCTL_TREE_MOUNT_H
#define SF_SNAPFSCTL_TREE_MOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

/* How long the mount may leave a question without an answer, unless SNAPFS_TIMEOUT (seconds) says otherwise.
 */
#define SF_MOUNT_TIMEOUT_MS 30000
/* No document of the tree is larger: jobs, health, metrics, a VM's description. */
#define SF_MOUNT_DOCUMENT_MAX (64 * 1024 * 1024)

struct sf_mount {
	int fd;
	char path[PATH_MAX]; /* without a slash at its end */
};

/*
 * given (NULL: the environment's SNAPFS_MOUNT, then the one mount of type fuse.snapfs in
 * /proc/self/mountinfo), as an open directory. -ENOENT when there is none, -EINVAL when there are several or
 * it is not a snapfs, -ENOTCONN when its daemon is gone, -EACCES.
 */
int sf_mount_open(struct sf_mount *mount, const char *given, struct sf_err *err);

/*
 * For the rest of the scope the daemon has to answer within the deadline; otherwise the process ends with a
 * clear line and SF_EXIT_FAILED: `auto_watch bool watching = sf_mount_watch(mount);`. For single accesses to
 * the tree: an inner scope ends the watch of an outer one. What the daemon has taken and does not answer
 * cannot be got out of: such a process is gone from the terminal, and from the table of processes when the
 * daemon ends. mount stays where it is for the life of the process.
 */
#define auto_watch __attribute__((cleanup(sf_mount_unwatch), unused))
bool sf_mount_watch(const struct sf_mount *mount);
void sf_mount_unwatch(const bool *watching);

/* What an argument means below the mount: "web/x" as it is, "/snaps/web/x" and trailing slashes cut. -EINVAL,
 * -ENAMETOOLONG. */
int sf_mount_path(const struct sf_mount *mount, const char *argument, char *ret, size_t size,
		  struct sf_err *err);

/* All of a file, NUL-terminated, allocated. -errno with the path in err; -EFBIG. */
int sf_mount_read(const struct sf_mount *mount, const char *path, char **ret, size_t *ret_len,
		  struct sf_err *err);

#endif

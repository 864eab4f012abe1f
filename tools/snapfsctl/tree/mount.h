/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds and opens the mounted tree, and bounds each query by a deadline; changes (act.h) have none. All paths
 * are opened relative to the mount's descriptor, so that mounting over it does not redirect them.
 */
#ifndef SF_SNAPFSCTL_TREE_MOUNT_H
#define SF_SNAPFSCTL_TREE_MOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

/* How long the daemon may take to answer a request, unless SNAPFS_TIMEOUT (in seconds) overrides it. */
#define SF_MOUNT_TIMEOUT_MS 30000
/* The largest document of the tree that is read: jobs, health, metrics, a VM's description. */
#define SF_MOUNT_DOCUMENT_MAX (64 * 1024 * 1024)

struct sf_mount {
	int fd;
	char path[PATH_MAX]; /* without a trailing slash */
};

/*
 * Opens the mount at given. NULL: $SNAPFS_MOUNT, then the only snapfs that root or this user mounted; bind
 * mounts of it do not count. /proc/self/mountinfo says what a snapfs is. Starts the watchdog, which keeps a
 * pointer to mount: it must not move for the life of the process.
 * -ENOENT: nothing is mounted, or the path does not exist
 * -EINVAL: several are mounted, or the path is not the top of one
 * -ENOTCONN: its daemon has exited
 * -EACCES
 */
int sf_mount_open(struct sf_mount *mount, const char *given, struct sf_err *err);

/*
 * Sets a deadline for the rest of the scope: `auto_watch bool watching = sf_mount_watch(mount);`. If the
 * daemon does not answer in time, the process prints an error and exits with SF_EXIT_FAILED.
 * For single accesses to the tree: an inner scope ends the watch of an outer one.
 * A request that the daemon has accepted cannot be interrupted: the process then exits once the daemon has
 * answered or exited.
 */
#define auto_watch __attribute__((cleanup(sf_mount_unwatch), unused))
bool sf_mount_watch(const struct sf_mount *mount);
void sf_mount_unwatch(const bool *watching);

/*
 * Converts an argument to a path relative to the mount: "web/x" and "/snaps/web/x/" both give "web/x".
 * -EINVAL, -ENAMETOOLONG.
 */
int sf_mount_path(const struct sf_mount *mount, const char *argument, char *ret, size_t size,
		  struct sf_err *err);

/*
 * Reads a whole file into *ret: NUL-terminated, allocated. ret_len may be NULL. -EFBIG, or -errno with the
 * path in err.
 */
int sf_mount_read(const struct sf_mount *mount, const char *path, char **ret, size_t *ret_len,
		  struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory that an export writes to. It may belong to somebody else, and hold anything: no symbolic link
 * in it is followed, nothing that has another name elsewhere is written to, and nothing is replaced but
 * documents of ours and files that were never complete.
 */
#ifndef SF_SNAPFSCTL_EXPORT_TARGET_H
#define SF_SNAPFSCTL_EXPORT_TARGET_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct sf_err;
struct sf_mount;

/* All zeros is none. */
struct sf_target {
	char path[PATH_MAX]; /* as the user gave it */
	int dir;
	uid_t uid; /* whose the files are that we create there: set by sf_target_put() */
};

/* Creates it (0700) when it is not there. -EBUSY when another export has it open, -EINVAL when it is in the
 * mount itself, -errno. */
int sf_target_open(struct sf_target *target, const char *path, const struct sf_mount *mount,
		   struct sf_err *err);
void sf_target_close(struct sf_target *target);

/* A small file, whole and durable or not at all, in the place of the one of that name. mtime NULL: now. */
int sf_target_put(struct sf_target *target, const char *name, const void *data, size_t len,
		  const struct timespec *mtime, struct sf_err *err);
/* The file's text, NUL-terminated, allocated; -ENOENT, -EINVAL when it is no file, -ELOOP, -EFBIG. */
int sf_target_get(const struct sf_target *target, const char *name, size_t max_bytes, char **ret,
		  size_t *ret_len, struct sf_err *err);
/* Opens a file for reading. -ENOENT, -EEXIST for what is no file. Returns the descriptor. */
int sf_target_look(const struct sf_target *target, const char *name, struct sf_err *err);
/* -ENOENT is none. */
int sf_target_remove(const struct sf_target *target, const char *name, struct sf_err *err);

/*
 * Opens the file that is to become name, for reading and writing: what its beginner left of it (*keep_bytes:
 * how much of it counts), cut off there and then given its size, so that the rest is a hole; or an empty one,
 * when there is none or none of ours: *keep_bytes is 0 then. Something has been put there before. Returns the
 * descriptor.
 */
int sf_target_begin(const struct sf_target *target, const char *name, uint64_t size_bytes,
		    uint64_t *keep_bytes, struct sf_err *err);
/* Gives the file that was begun, and is durable, its name. -EEXIST when something has it. */
int sf_target_finish(const struct sf_target *target, const char *name, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards the directory that an export writes to. It may belong to another user and hold anything. So this
 * module follows no symbolic link in it and writes to no file that has other hard links. It replaces the
 * export's own documents (meta.json, manifest.json, .export.json) and partial files, whoever wrote them.
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

/* All zeros is a closed target. */
struct sf_target {
	char path[PATH_MAX]; /* as the user gave it */
	int dir;
	uid_t uid; /* owner of the files created there; sf_target_put() sets it */
};

/*
 * Opens the directory, or creates it (0700). -EBUSY if another export has it open, -EINVAL if it is in the
 * mount itself, -errno.
 */
int sf_target_open(struct sf_target *target, const char *path, const struct sf_mount *mount,
		   struct sf_err *err);
void sf_target_close(struct sf_target *target);

/* Creates or replaces the file name, atomically and durably. mtime NULL: now. */
int sf_target_put(struct sf_target *target, const char *name, const void *data, size_t len,
		  const struct timespec *mtime, struct sf_err *err);
/*
 * Reads a file into *ret: NUL-terminated, allocated. -ENOENT, -EINVAL if it is not a regular file, -ELOOP,
 * -EFBIG.
 */
int sf_target_get(const struct sf_target *target, const char *name, size_t max_bytes, char **ret,
		  size_t *ret_len, struct sf_err *err);
/* Opens a file for reading and returns the descriptor. -ENOENT, -EEXIST if it is not a regular file. */
int sf_target_look(const struct sf_target *target, const char *name, struct sf_err *err);
/* A missing file is not an error. */
int sf_target_remove(const struct sf_target *target, const char *name, struct sf_err *err);

/*
 * Opens the partial file of name for reading and writing, and returns the descriptor. If an earlier export
 * left one, it is truncated to *keep_bytes and extended with a hole to size_bytes. If there is none, or it
 * has another owner, size or link, a new one is created and *keep_bytes becomes 0. The caller must have
 * called sf_target_put() before.
 */
int sf_target_begin(const struct sf_target *target, const char *name, uint64_t size_bytes,
		    uint64_t *keep_bytes, struct sf_err *err);
/* Renames the partial file, which the caller has made durable, to name. -EEXIST if name exists. */
int sf_target_finish(const struct sf_target *target, const char *name, struct sf_err *err);

#endif

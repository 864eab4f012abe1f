/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durable changes to directories and small files: once a call returns 0, the change survives a power failure.
 * Each name is one path component relative to a directory descriptor; symbolic links are never followed. The
 * recipes come from rename(2), fsync(2) and the ext4 documentation (a rename alone orders nothing).
 */
#ifndef SF_BASE_DURABLE_H
#define SF_BASE_DURABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_err;

/* sf_durable_write() writes to ".NAME.tmp" first. A crash can leave this file behind. */
#define SF_DURABLE_TMP_SUFFIX ".tmp"

/*
 * Replaces dir/name with len bytes, mode 0600: writes a temporary file, syncs it, renames it over name and
 * syncs the directory. Only one writer per name at a time. On failure the old file is intact and the
 * temporary file is gone.
 */
int sf_durable_write(int dir, const char *name, const void *data, size_t len, struct sf_err *err);
/* As sf_durable_write(), and sets the file's times to real_ns (nanoseconds since the epoch). */
int sf_durable_write_dated(int dir, const char *name, const void *data, size_t len, uint64_t real_ns,
			   struct sf_err *err);

/*
 * Reads all of dir/name into a new buffer, which the caller frees. A NUL follows the *ret_len bytes. -EFBIG
 * above max_bytes.
 */
int sf_durable_read(int dir, const char *name, size_t max_bytes, char **ret, size_t *ret_len,
		    struct sf_err *err);

/* mkdir, then fsync of the parent. -EEXIST if the name exists. */
int sf_durable_mkdir(int dir, const char *name, mode_t mode, struct sf_err *err);

/*
 * Opens dir/name as a directory with O_CLOEXEC and returns the descriptor. A symbolic link gives -ELOOP or
 * -ENOTDIR.
 */
int sf_open_dir(int dir, const char *name, struct sf_err *err);

/* Rename that never replaces (-EEXIST), then fsync of both directories. */
int sf_durable_rename(int from_dir, const char *from, int to_dir, const char *to, struct sf_err *err);

/* unlink or rmdir, then fsync of the parent. Idempotent: a missing name is success. */
int sf_durable_unlink(int dir, const char *name, struct sf_err *err);
int sf_durable_rmdir(int dir, const char *name, struct sf_err *err);

/* fsync of a file or directory. `what` names it in the error message. */
int sf_fsync(int fd, const char *what, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes to directories and small files that survive a power cut once the call has returned 0. Every name is
 * one path component under a directory descriptor; symbolic links are never followed. Source of the recipes:
 * rename(2), fsync(2), and the ext4 documentation (a rename orders nothing by itself).
 */
#ifndef SF_BASE_DURABLE_H
#define SF_BASE_DURABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_err;

/* What sf_durable_write() calls its half-written file: ".NAME.tmp". A crash can leave one behind. */
#define SF_DURABLE_TMP_SUFFIX ".tmp"

/*
 * Replaces dir/name by len bytes, mode 0600: temporary file, write, fsync, rename, fsync of the directory.
 * One writer per name at a time. On failure the old file stands and the temporary one is gone.
 */
int sf_durable_write(int dir, const char *name, const void *data, size_t len, struct sf_err *err);
/* The same; the file's times are real_ns, nanoseconds since the epoch. */
int sf_durable_write_dated(int dir, const char *name, const void *data, size_t len, uint64_t real_ns,
			   struct sf_err *err);

/* Reads all of dir/name into memory of its own (NUL added after *ret_len bytes); EFBIG above max_bytes. */
int sf_durable_read(int dir, const char *name, size_t max_bytes, char **ret, size_t *ret_len,
		    struct sf_err *err);

/* mkdir + fsync of the parent. -EEXIST when it is there. */
int sf_durable_mkdir(int dir, const char *name, mode_t mode, struct sf_err *err);

/*
 * Opens dir/name as a directory, O_CLOEXEC, refusing a symbolic link (-ELOOP or -ENOTDIR). Returns the
 * descriptor.
 */
int sf_open_dir(int dir, const char *name, struct sf_err *err);

/* rename without replacing (-EEXIST) + fsync of both directories. */
int sf_durable_rename(int from_dir, const char *from, int to_dir, const char *to, struct sf_err *err);

/* unlink or rmdir + fsync of the parent. A name that is not there is success. */
int sf_durable_unlink(int dir, const char *name, struct sf_err *err);
int sf_durable_rmdir(int dir, const char *name, struct sf_err *err);

/* fsync of a file or directory; what names it in the error. */
int sf_fsync(int fd, const char *what, struct sf_err *err);

#endif

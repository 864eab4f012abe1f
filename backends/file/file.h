/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Storage `file`: raw disk images in regular files. A snapshot is a reflink (FICLONE) where the file system
 * supports it, else a sparse copy. Snapshots lie beside their image, in ".snapfs/<state id>/<token>.img", on
 * the same file system.
 */
#ifndef SF_BACKENDS_FILE_FILE_H
#define SF_BACKENDS_FILE_FILE_H

struct sf_backend_env;
struct sf_err;
struct sf_storage;

int sf_file_open(const struct sf_backend_env *env, struct sf_storage **ret, struct sf_err *err);

#endif

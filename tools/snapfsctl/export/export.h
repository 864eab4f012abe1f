/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ways in which `snapfsctl export` hands a snapshot's files over, and what they share. */
#ifndef SF_SNAPFSCTL_EXPORT_EXPORT_H
#define SF_SNAPFSCTL_EXPORT_EXPORT_H

#include "tools/snapfsctl/content/content.h"
#include "tools/snapfsctl/content/digest.h"
#include "tools/snapfsctl/show/progress.h"
#include "tools/snapfsctl/tree/mount.h"

struct sf_export {
	const struct sf_mount *mount;
	struct sf_content content;
	struct sf_digest *digest;
	struct sf_progress progress;
	uint64_t done_bytes, total_bytes;
	json_t *files;   /* what came of each, for the answer: its name, xxh3_128 and status */
	uint64_t copied; /* files that were not there yet */
};

/*
 * Into the directory target, which is created when it is not there; see export_dir.c for what may lie in it.
 * Whatever stops it, the same call goes on where it stopped. -EEXIST when target holds something else, -EBUSY
 * when another export works there, -EBADMSG when bytes are not what they should be, -EINTR, -ENOSPC, -errno.
 */
int sf_export_dir(struct sf_export *export, const char *target, struct sf_err *err);

/* As a tar archive (pax, with holes) on standard output, compressed with zstd or not. -EPIPE when nobody
 * reads it, as above. */
int sf_export_tar(struct sf_export *export, bool zstd, struct sf_err *err);

/* Counts bytes that were read, and shows it. */
void sf_export_moved(struct sf_export *export, uint64_t bytes);
/* Adds a file's entry to the answer. hash: NULL for none. */
void sf_export_note(struct sf_export *export, const char *name, const char *status, const struct sf_id *hash);
/* -EBADMSG when somebody knows what the file should hash to, and that is not it. */
int sf_export_check(const struct sf_content_file *file, const struct sf_id *hash, struct sf_err *err);

#endif

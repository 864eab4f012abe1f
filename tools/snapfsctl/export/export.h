/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ways in which `snapfsctl export` copies a snapshot's files, and what they share. */
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
	json_t *files;   /* directory export only: the answer's list of files: name, xxh3_128 and status */
	uint64_t copied; /* directory export only: how many files were not in the target yet */
};

/*
 * Exports into the directory target and creates it if needed; export/dir.c describes its content. The same
 * call resumes an export that was interrupted.
 * -EEXIST: target holds something else
 * -EBUSY: another export is writing there
 * -EBADMSG: content differs from its expected hash
 * -EINTR, -ENOSPC, -errno
 */
int sf_export_dir(struct sf_export *export, const char *target, struct sf_err *err);

/*
 * Exports as a tar archive (pax, with holes) to standard output, compressed with zstd if asked.
 * -EPIPE: the reader has gone
 * -EOPNOTSUPP: this libarchive has no zstd
 * -EBADMSG: content differs from its expected hash
 * -EINTR, -EIO, -errno
 */
int sf_export_tar(struct sf_export *export, bool zstd, struct sf_err *err);

/* Adds bytes to the progress and shows it. */
void sf_export_moved(struct sf_export *export, uint64_t bytes);
/* Adds a file's entry to the answer. hash NULL: none. */
void sf_export_note(struct sf_export *export, const char *name, const char *status, const struct sf_id *hash);
/* -EBADMSG if hash differs from an expected hash of the file, or if its expected hashes differ. */
int sf_export_check(const struct sf_content_file *file, const struct sf_id *hash, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens one snapshot and lists its data files with their expected hashes, for commands that read whole
 * snapshots. Its directory stays open, so that a rename meanwhile does no harm.
 */
#ifndef SF_SNAPFSCTL_CONTENT_CONTENT_H
#define SF_SNAPFSCTL_CONTENT_CONTENT_H

#include "reader.h"
#include "tools/snapfsctl/tree/snaps.h"

#include "base/id.h"

#include <sys/stat.h>

/* The file that holds saved RAM. */
#define SF_CONTENT_MEMORY "memory.sav"
/* "web/x/disk.img" and its NUL. */
#define SF_CONTENT_PATH (SF_SNAP_PATH + SF_DISK_FILE)

struct sf_content_file {
	char name[SF_DISK_FILE];
	char path[SF_CONTENT_PATH]; /* for messages */
	struct stat st;
	bool known;           /* an expected hash is known: */
	struct sf_id hash;    /* from the manifest, or from meta.json for RAM without a manifest */
	bool contradicted;    /* the manifest contradicts meta.json or the file's size */
	const char *known_by; /* "its manifest", "meta.json" */
};

struct sf_content {
	struct sf_snap snap;
	char path[SF_SNAP_PATH];
	char uuid[SF_ID_TEXT];
	const struct sf_mount *mount;
	int dir;
	char *meta, *manifest; /* the raw documents; manifest NULL: there is none */
	size_t meta_len, manifest_len;
	struct sf_content_file *files;
	size_t n;
	uint64_t size_bytes; /* of all files */
};

/*
 * argument is "VM/NAME". The mount must outlive the content.
 * -ENOENT, -EINVAL: as sf_snap_load()
 * -EPROTO: meta.json or manifest.json is invalid
 * -ESTALE: another snapshot has taken the name meanwhile
 * -errno: another failure
 */
int sf_content_open(struct sf_content *content, const struct sf_mount *mount, const char *argument,
		    struct sf_err *err);
/* Opens one of the files for reading. -ESTALE if its size has changed since sf_content_open(). */
int sf_content_read(const struct sf_content *content, const struct sf_content_file *file,
		    struct sf_reader *reader, struct sf_err *err);
/* Accepts all zeros. */
void sf_content_close(struct sf_content *content);

#endif

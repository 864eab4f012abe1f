/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of one snapshot that hold data, and what they should hash to: for what reads whole snapshots. Its
 * directory stays open, so a snapshot that is renamed meanwhile stays the same one.
 */
#ifndef SF_SNAPFSCTL_CONTENT_CONTENT_H
#define SF_SNAPFSCTL_CONTENT_CONTENT_H

#include "reader.h"
#include "tools/snapfsctl/tree/snaps.h"

#include "base/id.h"

#include <sys/stat.h>

/* What saved RAM is called. */
#define SF_CONTENT_MEMORY "memory.sav"
/* "web/x/disk.img" and its NUL. */
#define SF_CONTENT_PATH (SF_SNAP_PATH + SF_DISK_FILE)

struct sf_content_file {
	char name[SF_DISK_FILE];
	char path[SF_CONTENT_PATH]; /* for people */
	struct stat st;
	bool known;           /* somebody says what it should hash to: */
	struct sf_id hash;    /* the manifest, or for RAM without one meta.json */
	bool contradicted;    /* manifest and meta.json (or the size) do not agree */
	const char *known_by; /* "its manifest", "meta.json" */
};

struct sf_content {
	struct sf_snap snap;
	char path[SF_SNAP_PATH];
	char uuid[SF_ID_TEXT];
	const struct sf_mount *mount;
	int dir;
	char *meta, *manifest; /* the documents as they are; manifest NULL: there is none */
	size_t meta_len, manifest_len;
	struct sf_content_file *files;
	size_t n;
	uint64_t size_bytes; /* of all files */
};

/*
 * argument: "VM/NAME". -ENOENT and -EINVAL as sf_snap_load(); -EPROTO for records that make no sense, -ESTALE
 * when another snapshot has taken its name meanwhile, -errno.
 */
int sf_content_open(struct sf_content *content, const struct sf_mount *mount, const char *argument,
		    struct sf_err *err);
/* Opens a file of it for reading; -ESTALE when it has not the size that it had. */
int sf_content_read(const struct sf_content *content, const struct sf_content_file *file,
		    struct sf_reader *reader, struct sf_err *err);
/* Accepts all zeros. */
void sf_content_close(struct sf_content *content);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest of a snapshot: size and hash of each data file, computed by a client that read the files
 * whole. This module hashes nothing; it only checks that a manifest belongs to its snapshot. Input is
 * untrusted: every member is checked.
 */
#ifndef SF_CORE_STATE_MANIFEST_H
#define SF_CORE_STATE_MANIFEST_H

#include "base/id.h"
#include "record.h"

#include <stddef.h>
#include <stdint.h>

struct sf_err;

#define SF_MANIFEST_SCHEMA 1
/* All disks and the RAM. */
#define SF_MANIFEST_FILES_MAX (SF_VM_DISKS_MAX + 1)
/* A manifest of the maximum number of files has about 10 KiB. */
#define SF_MANIFEST_BYTES_MAX (64 * 1024)

struct sf_manifest_file {
	char name[SF_DISK_FILE];
	uint64_t size_bytes;
	struct sf_id xxh3_128; /* canonical (big-endian) XXH3 128-bit of the whole file, seed 0 */
};

struct sf_manifest {
	struct sf_manifest_file files[SF_MANIFEST_FILES_MAX];
	size_t n;
};

/*
 * Parses {"schema": 1, "files": [{"name", "size_bytes", "xxh3_128"}]}. Other members and duplicate names are
 * errors. -EINVAL says what is wrong; *ret may then be partly filled.
 */
int sf_manifest_parse(const char *text, size_t len, struct sf_manifest *ret, struct sf_err *err);

/*
 * Checks that the manifest belongs to the record's snapshot. -EINVAL unless it lists all of the snapshot's
 * data files with their sizes and no others. -EIO when the RAM's hash differs from the recorded one: the file
 * is not what was saved.
 */
int sf_manifest_check(const struct sf_manifest *manifest, const struct sf_record *record, struct sf_err *err);

/*
 * The text of manifest.json: the members above plus "snapshot" (the uuid) and "made" (from made_ns, ns since
 * the epoch). Allocated; NULL when out of memory.
 */
char *sf_manifest_format(const struct sf_manifest *manifest, const struct sf_id *snapshot, uint64_t made_ns,
			 size_t *ret_len);

#endif

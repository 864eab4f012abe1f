/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest of a snapshot: what each of its data files was when a client read it whole. The client hashes;
 * here is only looked whether it speaks of this snapshot. Reading trusts nothing.
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
/* With that many files it has some 10 KiB. */
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
 * {"schema": 1, "files": [{"name", "size_bytes", "xxh3_128"}]}, nothing else and no name twice. -EINVAL with
 * what is wrong. On failure *ret may be half filled.
 */
int sf_manifest_parse(const char *text, size_t len, struct sf_manifest *ret, struct sf_err *err);

/*
 * Whether it is of the record's snapshot: all of its data files, with their sizes, and no others (-EINVAL
 * otherwise); RAM that has another hash than was recorded is not what was saved (-EIO).
 */
int sf_manifest_check(const struct sf_manifest *manifest, const struct sf_record *record, struct sf_err *err);

/*
 * The text of manifest.json: the above with "snapshot", the uuid, and "made". Allocated; NULL when out of
 * memory.
 */
char *sf_manifest_format(const struct sf_manifest *manifest, const struct sf_id *snapshot, uint64_t made_ns,
			 size_t *ret_len);

#endif

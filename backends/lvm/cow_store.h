/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The persistent exception store of a classic snapshot: which chunks of the origin it has copies of. Source:
 * linux/drivers/md/dm-snap-persistent.c and Documentation/admin-guide/device-mapper/snapshot.rst.
 */
#ifndef SF_BACKENDS_LVM_COW_STORE_H
#define SF_BACKENDS_LVM_COW_STORE_H

#include <stdint.h>

struct sf_err;
struct sf_extents;

/*
 * Reads the store behind fd (a COW device opened with O_DIRECT, or a file) and gives the parts of the origin
 * that it has copies of: *ret, whose size_bytes the caller has set to the snapshot's size, gets them as
 * ranges in ascending order; what it held before is dropped. *ret_chunk_bytes: size of a chunk. The store may
 * be in use: the ranges are complete for every write to the origin that had finished. -ESTALE when the store
 * is invalid (it overflowed, be it only just now), -EPROTO when it is not understood or contradicts itself,
 * -E2BIG for a snapshot of more than 2^31 chunks. what names the store in errors.
 */
int sf_cow_store_read(int fd, const char *what, struct sf_extents *ret, uint64_t *ret_chunk_bytes,
		      struct sf_err *err);

#endif

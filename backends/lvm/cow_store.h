/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the COW store of a classic snapshot (device-mapper's persistent exception store): which chunks of the
 * origin it has copies of. Sources: linux/drivers/md/dm-snap-persistent.c,
 * Documentation/admin-guide/device-mapper/snapshot.rst.
 */
#ifndef SF_BACKENDS_LVM_COW_STORE_H
#define SF_BACKENDS_LVM_COW_STORE_H

#include <stdint.h>

struct sf_err;
struct sf_extents;

/*
 * Lists the ranges of the origin that the store has copies of, in ascending order. The store may be in use:
 * every write to the origin that had completed before the call is covered.
 *
 * fd: a COW device opened with O_DIRECT, or a file. what names it in errors.
 * *ret: the caller sets size_bytes to the snapshot's size; earlier ranges are released. Untouched on failure.
 * *ret_chunk_bytes: the size of a chunk.
 * -ESTALE   the store is invalid: it has overflowed, perhaps during the call
 * -EPROTO   it is malformed or contradicts itself
 * -E2BIG    the snapshot has more than 2^31 chunks
 * -ENOMEM   and what read(2) returns
 */
int sf_cow_store_read(int fd, const char *what, struct sf_extents *ret, uint64_t *ret_chunk_bytes,
		      struct sf_err *err);

#endif

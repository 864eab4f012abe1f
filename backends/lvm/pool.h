/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thin pools: how full they are, and which blocks of a snapshot they hold. */
#ifndef SF_BACKENDS_LVM_POOL_H
#define SF_BACKENDS_LVM_POOL_H

#include "core/contract/storage.h"

#include <stdint.h>

struct sf_dm_pool;
struct sf_lvm;

/* -EINVAL: not a thin pool. -ENOENT: it is inactive. -EIO: it has failed. */
int sf_lvm_pool_status(const char *vg, const char *pool, struct sf_dm_pool *ret, struct sf_err *err);
/* Slot of the storage contract. */
int sf_lvm_pool_space(struct sf_volume *volume, struct sf_space *ret, struct sf_err *err);
/* -ENOSPC, with the figures, when the pool is too full for another snapshot. */
int sf_lvm_pool_check(struct sf_lvm *lvm, const char *vg, const char *pool, struct sf_err *err);
/*
 * Used metadata, in bytes, above which no more snapshots are made: LVM's own limit, or the configured one of
 * stop percent if that is lower.
 */
uint64_t sf_lvm_metadata_limit(const struct sf_dm_pool *status, uint64_t stop);
/* The mapped ranges of a thin snapshot: see the map slot of the storage contract. */
int sf_lvm_thin_map(struct sf_storage *storage, const struct sf_object *object, struct sf_extents *ret,
		    struct sf_err *err);

#endif

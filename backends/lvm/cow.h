/* SPDX-License-Identifier: GPL-2.0-or-later */
/* COW stores of classic snapshots: sizing, extending and reading them. */
#ifndef SF_BACKENDS_LVM_COW_H
#define SF_BACKENDS_LVM_COW_H

#include "lv.h"

#include <stdint.h>

struct sf_err;
struct sf_extents;
struct sf_lvm;
struct sf_lvm_config;

/* Sizes of COW stores in one VG, in bytes. */
struct sf_lvm_cow_plan {
	uint64_t want;  /* by the configured policy */
	uint64_t least; /* a smaller one is not worth making */
	uint64_t most;  /* a store of this size cannot overflow */
	uint64_t free;  /* in the VG, beyond its reserve */
};
void sf_lvm_cow_plan(const struct sf_lvm_config *config, const struct sf_lvm_report *report,
		     uint64_t origin_bytes, struct sf_lvm_cow_plan *ret);
/* Extends an LV of ours by bytes, rounded up to extents. -ENOSPC. */
int sf_lvm_extend(struct sf_lvm *lvm, const struct sf_lvm_report *report, const struct sf_lv *lv,
		  uint64_t bytes, struct sf_err *err);
/* Upper limit, in bytes, of what overwriting these ranges of the origin adds to a COW store. */
uint64_t sf_lvm_cow_need(const struct sf_extents *ranges, uint64_t chunk_bytes);
/* -EINVAL when LVM does not record it as a snapshot of lv, -EBUSY when LVM is merging a snapshot into lv. */
int sf_lvm_check_snapshot_of(const struct sf_lvm_report *report, const struct sf_lv *snapshot, const char *lv,
			     struct sf_err *err);
/* Lists the ranges of the origin that the snapshot has copies of. Initialises *ret. -ESTALE: it is lost. */
int sf_lvm_exceptions(const char *vg, const struct sf_lv *snapshot, struct sf_extents *ret,
		      struct sf_err *err);

#endif

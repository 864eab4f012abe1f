/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live disks of a VM, opened together, and the room that an operation needs. */
#ifndef SF_CORE_ENGINE_VOLUMES_H
#define SF_CORE_ENGINE_VOLUMES_H

#include "operation.h"

/* Live disks, opened together. */
struct sf_volumes {
	struct sf_volume *list[SF_VM_DISKS_MAX];
	bool held[SF_VM_DISKS_MAX];
	size_t n;
};

/*
 * Opens the VM's disks named in wanted (NULL: all), in the VM's order. -EINVAL for a disk the VM does not
 * have.
 */
int sf_volumes_open(struct sf_vm_op *op, char (*wanted)[SF_VDEV_MAX + 1], size_t nwanted,
		    struct sf_volumes *ret, const struct sf_disk *ret_disks[static SF_VM_DISKS_MAX],
		    struct sf_err *err);
/* Claims them all, or none of them. */
int sf_volumes_hold(struct sf_volumes *volumes, struct sf_err *err);
/* --- volumes.c --- */
int sf_volumes_check(struct sf_volumes *volumes, struct sf_err *err);
void sf_volumes_close(struct sf_volumes *volumes);

/* Adds up what is needed of each pool and compares it with what is free. */
struct sf_budget {
	struct {
		struct sf_space space;
		uint64_t need_bytes;
	} pools[SF_VM_DISKS_MAX + 1];
	size_t npools;
};
void sf_budget_add(struct sf_budget *budget, const struct sf_space *space, uint64_t need_bytes);
/* -ENOSPC with the figures. */
int sf_budget_check(const struct sf_budget *budget, struct sf_err *err);

#endif

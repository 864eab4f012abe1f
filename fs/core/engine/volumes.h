/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The live disks of a VM, opened together, and the budget of space that an operation needs. */
#ifndef SF_CORE_ENGINE_VOLUMES_H
#define SF_CORE_ENGINE_VOLUMES_H

#include "operation.h"

/* Open live disks. */
struct sf_volumes {
	struct sf_volume *list[SF_VM_DISKS_MAX];
	size_t n;
};

/*
 * Opens the VM's disks named in wanted (NULL: all), in the VM's order.
 *   -EINVAL  the VM does not have such a disk
 *   -ENOENT  the VM is gone
 *   -EBUSY   a disk's path no longer leads to what the guest writes to
 * Also fails while the hypervisor's list of VMs is not current.
 */
int sf_volumes_open(struct sf_vm_op *op, char (*wanted)[SF_VDEV_MAX + 1], size_t nwanted,
		    struct sf_volumes *ret, const struct sf_disk *ret_disks[static SF_VM_DISKS_MAX],
		    struct sf_err *err);
/* Claims all volumes, or none on failure. */
int sf_volumes_hold(struct sf_volumes *volumes, struct sf_err *err);
/* -EBUSY if a claim was disturbed. Does not check volumes that are not claimed. */
int sf_volumes_check(struct sf_volumes *volumes, struct sf_err *err);
/* Adds to the job's note what an administrator should know about the disk, or why that cannot be told. */
void sf_volume_add_notes(struct sf_volume *volume, const char *vdev, struct sf_job *job);
void sf_volumes_close(struct sf_volumes *volumes);

/* Sums the space needed per pool and compares it with what is free. */
struct sf_budget {
	struct {
		struct sf_space space;
		uint64_t need_bytes;
	} pools[SF_VM_DISKS_MAX + 1];
	size_t npools;
};
void sf_budget_add(struct sf_budget *budget, const struct sf_space *space, uint64_t need_bytes);
/* -ENOSPC, with the figures, if a pool is too small. */
int sf_budget_check(const struct sf_budget *budget, struct sf_err *err);

#endif

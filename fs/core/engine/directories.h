/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The directories of VMs in the state directory: which VM each belongs to. */
#ifndef SF_CORE_ENGINE_DIRECTORIES_H
#define SF_CORE_ENGINE_DIRECTORIES_H

#include "operation.h"

/*
 * Registers the VM of each directory, and gives each VM its directory. Removes empty directories.
 *
 * Copies of a directory claim the same VM. The one with the VM's name gets it, and the others are reported as
 * stray. If none or several have the name, all are reported and the VM gets none: it is then contested, takes
 * no snapshots and shows none. contested is called for each directory of such a VM, with op->dir open.
 *
 * Call at start, after the hypervisor was asked for its VMs. Returns false if a directory may hold records
 * that will not be read.
 */
bool sf_adopt_directories(struct sf_engine *engine, void (*contested)(struct sf_vm_op *op));

#endif

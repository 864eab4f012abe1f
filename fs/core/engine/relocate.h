/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds snapshots again whose disks have moved: a renamed volume group, a directory of images. */
#ifndef SF_CORE_ENGINE_RELOCATE_H
#define SF_CORE_ENGINE_RELOCATE_H

#include "operation.h"

#include "core/contract/storage.h"

/*
 * Looks for an object that is not where its origin says, at the places of the VM's present disks. The token
 * proves that it is the same one. True, and the new origin in *ret, if it is there.
 */
bool sf_relocate(struct sf_vm_op *op, struct sf_storage *storage, const struct sf_object *object,
		 char ret[static SF_ORIGIN_MAX]);

#endif

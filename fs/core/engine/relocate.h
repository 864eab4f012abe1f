/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds snapshots again whose disks have moved: a renamed volume group, a directory of images. */
#ifndef SF_CORE_ENGINE_RELOCATE_H
#define SF_CORE_ENGINE_RELOCATE_H

#include "operation.h"

#include "core/contract/storage.h"

/*
 * Where the disk of an object that is not at its place is now. It has moved if
 * - none of the VM's present disks has the object's origin, or may have it but cannot be opened,
 * - a present disk has the same last part of the name, and the object, known by its token, is at its place.
 * *ret lives as long as the operation. Asks each disk once in an operation.
 */
bool sf_relocate(struct sf_vm_op *op, const struct sf_storage *storage, const struct sf_object *object,
		 const char **ret);

/* The VM's present disks, for operation.c to free. NULL is a no-op. */
struct sf_present;
void sf_present_free(struct sf_present *present);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds snapshots again whose disks have moved: a renamed volume group, a directory of images. */
#ifndef SF_CORE_ENGINE_RELOCATE_H
#define SF_CORE_ENGINE_RELOCATE_H

#include "operation.h"

#include "core/state/record.h"

/*
 * Looks for each of the record's disks that is not where the record says, at the places of the VM's present
 * disks. The token proves that it is the same one. Changes the record, in memory and in the directory
 * dir_name, and says so in the log. Returns whether anything was found. Best effort.
 */
bool sf_relocate(struct sf_vm_op *op, struct sf_record *record, const char *dir_name);

#endif

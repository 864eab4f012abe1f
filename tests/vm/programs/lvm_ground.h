/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage's disks as logical volumes "disk0", "disk1" of the VG $SNAPFS_TEST_VG, thin ones in its pool
 * $SNAPFS_TEST_POOL: of kind "lvm_thin" or "lvm_classic", or "lvm_mixed": the first thin, the second classic.
 * The VG has extents that STAGE_DISK_BYTES are a multiple of, and lies in the first LVM_GROUND_PV_BYTES of
 * $SNAPFS_TEST_PV, so that all of it can be kept and brought back.
 */
#ifndef TESTS_VM_PROGRAMS_LVM_GROUND_H
#define TESTS_VM_PROGRAMS_LVM_GROUND_H

#include "tests/faults/stage.h"

#define LVM_GROUND_PV_BYTES ((size_t)16 * 1024 * 1024)

extern const struct stage_ground lvm_ground;

/* All of these end the program when they fail. */

/* Once per stage, before it is used: what the product runs as "lvm" is STAGE/lvm, its run directory is
 * STAGE/run. */
void lvm_ground_prepare(const struct stage *stage);
void lvm_ground_make_disks(const struct stage *stage);
/* Everything in the VG, which is laid idle meanwhile; buf has LVM_GROUND_PV_BYTES, aligned to 4096. */
void lvm_ground_save(const struct stage *stage, void *buf);
void lvm_ground_restore(const struct stage *stage, const void *buf);

#endif

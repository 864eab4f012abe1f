/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks of a stage on real LVM: logical volumes "disk0" and "disk1" of the VG $SNAPFS_TEST_VG. The kind is
 * "lvm_thin" (in the pool $SNAPFS_TEST_POOL), "lvm_classic", or "lvm_mixed" (disk0 thin, disk1 classic).
 * STAGE_DISK_BYTES must be a multiple of the VG's extent size. The VG must lie in the first
 * LVM_GROUND_PV_BYTES of $SNAPFS_TEST_PV, so that all of it can be saved and restored.
 */
#ifndef TESTS_VM_PROGRAMS_LVM_GROUND_H
#define TESTS_VM_PROGRAMS_LVM_GROUND_H

#include "tests/faults/stage.h"

#define LVM_GROUND_PV_BYTES ((size_t)16 * 1024 * 1024)

extern const struct stage_ground lvm_ground;

/* All of these end the program on failure. */

/*
 * Call it once per stage, before anything else uses it. From then on the product runs STAGE/lvm as "lvm", and
 * its run directory is STAGE/run.
 */
void lvm_ground_prepare(const struct stage *stage);
void lvm_ground_make_disks(const struct stage *stage);
/*
 * Copies all of the VG to buf, LVM_GROUND_PV_BYTES long and aligned to 4096. The VG is deactivated meanwhile.
 */
void lvm_ground_save(const struct stage *stage, void *buf);
void lvm_ground_restore(const struct stage *stage, const void *buf);

#endif

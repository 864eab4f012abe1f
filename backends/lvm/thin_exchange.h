/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverts a thin volume whose snapshot LVM refuses to merge, by renaming LVs. */
#ifndef SF_BACKENDS_LVM_THIN_EXCHANGE_H
#define SF_BACKENDS_LVM_THIN_EXCHANGE_H

struct sf_err;
struct sf_lv;
struct sf_lvm_report;
struct sf_lvm_storage;
struct sf_lvm_volume;

/*
 * Gives the volume's name to a new writable snapshot of snapshot. -EBUSY when the volume was opened
 * meanwhile, -EUCLEAN when the volume could not get its name back.
 */
int sf_lvm_exchange(struct sf_lvm_volume *volume, const struct sf_lvm_report *report,
		    const struct sf_lv *snapshot, struct sf_err *err);
/* Restores the name that an interrupted exchange took from a volume. -ENOENT: no exchange took it. */
int sf_lvm_heal(struct sf_lvm_storage *storage, const char *vg, const char *lv, struct sf_err *err);
/* Removes the old LVs that exchanges left, where the volume has its name again. */
void sf_lvm_sweep_left(struct sf_lvm_storage *storage, const struct sf_lvm_report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds a live volume: verifies that no other program has its device open or writes to it. One claim serves
 * all users of a volume in this process, such as a revert and the snapshot that it takes.
 */
#ifndef SF_BACKENDS_LVM_HOLD_H
#define SF_BACKENDS_LVM_HOLD_H

#include "core/contract/storage.h"

#include "dm.h"

struct sf_lvm_volume;

struct sf_lvm_claim {
	char dm[SF_DM_NAME];
	int fd; /* O_DIRECT | O_EXCL; writable for a classic volume where the device allows it */
	unsigned refs;
	struct sf_lvm_claim *next;
};

/* Slots of the storage contract. */
int sf_lvm_hold(struct sf_volume *volume, struct sf_err *err);
int sf_lvm_hold_check(struct sf_volume *volume, struct sf_err *err);
void sf_lvm_release(struct sf_volume *volume);

/* -EBUSY if anyone but this handle has the volume open. An inactive volume cannot be open. */
int sf_lvm_check_unused(struct sf_lvm_volume *volume, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live volumes: slots of the storage contract, the same for thin and classic. */
#ifndef SF_BACKENDS_LVM_VOLUME_H
#define SF_BACKENDS_LVM_VOLUME_H

#include "core/contract/storage.h"

#include "tags.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The VG and LV of a disk's specification: a device node of LVM, or the name that an inactive LV would have.
 * False for anything else.
 */
bool sf_lvm_resolve(const char *spec, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME]);
int sf_lvm_claims(struct sf_storage *storage, const char *spec, struct sf_err *err);
int sf_lvm_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err);
void sf_lvm_volume_close(struct sf_volume *volume);
int sf_lvm_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);
int sf_lvm_volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err);
int sf_lvm_volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			struct sf_err *err);

#endif

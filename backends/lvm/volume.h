/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live volumes: slots of the storage contract, the same for thin and classic. */
#ifndef SF_BACKENDS_LVM_VOLUME_H
#define SF_BACKENDS_LVM_VOLUME_H

#include "core/contract/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int sf_lvm_claims(struct sf_storage *storage, const char *spec, struct sf_err *err);
int sf_lvm_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err);
void sf_lvm_volume_close(struct sf_volume *volume);
int sf_lvm_volume_stat(struct sf_volume *volume, struct sf_volume_stat *ret, struct sf_err *err);
int sf_lvm_volume_read(struct sf_volume *volume, void *buf, size_t len, uint64_t off, struct sf_err *err);
int sf_lvm_volume_write(struct sf_volume *volume, const void *buf, size_t len, uint64_t off,
			struct sf_err *err);

#endif

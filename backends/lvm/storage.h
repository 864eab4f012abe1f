/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creates and closes a storage, thin or classic. */
#ifndef SF_BACKENDS_LVM_STORAGE_H
#define SF_BACKENDS_LVM_STORAGE_H

#include "core/contract/storage.h"

#include <stdbool.h>

struct sf_lvm;

/* Takes a reference to lvm. -ENOMEM. */
int sf_lvm_storage_new(struct sf_lvm *lvm, const struct sf_storage_ops *ops, bool thin,
		       struct sf_storage **ret, struct sf_err *err);
void sf_lvm_storage_close(struct sf_storage *storage);

#endif

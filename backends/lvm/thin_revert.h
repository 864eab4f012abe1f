/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverts a thin volume: slot of the storage contract. */
#ifndef SF_BACKENDS_LVM_THIN_REVERT_H
#define SF_BACKENDS_LVM_THIN_REVERT_H

#include "core/contract/storage.h"

int sf_lvm_thin_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		       struct sf_err *err);

#endif

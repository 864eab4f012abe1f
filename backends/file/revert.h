/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverts an image file: slot of the storage contract. */
#ifndef SF_BACKENDS_FILE_REVERT_H
#define SF_BACKENDS_FILE_REVERT_H

#include "core/contract/storage.h"

int sf_file_revert(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		   struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a lost image file again from a snapshot: slot of the storage contract. */
#ifndef SF_BACKENDS_FILE_RECREATE_H
#define SF_BACKENDS_FILE_RECREATE_H

#include "core/contract/storage.h"

int sf_file_recreate(struct sf_storage *storage, const char *spec, const struct sf_object *object,
		     struct sf_job *job, struct sf_err *err);

#endif

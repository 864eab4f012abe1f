/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the snapshots beside an image, ours and foreign ones: slots of the storage contract. */
#ifndef SF_BACKENDS_FILE_LISTING_H
#define SF_BACKENDS_FILE_LISTING_H

#include "core/contract/storage.h"

int sf_file_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		 struct sf_err *err);
int sf_file_foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots of image files: slots of the storage contract. */
#ifndef SF_BACKENDS_FILE_OBJECT_H
#define SF_BACKENDS_FILE_OBJECT_H

#include "core/contract/storage.h"

#include <sys/stat.h>

struct sf_file_place;

int sf_file_create(struct sf_volume *volume, const struct sf_object *object, struct sf_job *job,
		   struct sf_object_stat *ret, struct sf_err *err);
int sf_file_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_file_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		 struct sf_err *err);
int sf_file_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_file_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_file_image(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		  struct sf_err *err);

/* Opens the snapshot's file for reading. Returns the descriptor or a negative errno: -ENOENT, -ESTALE. */
int sf_file_open_object(const struct sf_file_place *place, const struct sf_object *object,
			struct stat *ret_st, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a snapshot's file says about itself, in the extended attribute "user.snapfs": the labels of the
 * object, and the name, owner and mode of its image. Records are rebuilt from it when the state directory is
 * lost, and a lost image gets its owner and mode back. On file systems without such attributes there are
 * none. The attribute holds one JSON object (schema 1), and is untrusted.
 */
#ifndef SF_BACKENDS_FILE_LABELS_H
#define SF_BACKENDS_FILE_LABELS_H

#include "core/contract/storage.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct sf_err;

struct sf_file_labels {
	struct sf_object object;  /* without token and origin */
	char image[NAME_MAX + 1]; /* the image's name in its directory */
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* Replaces the labels of the open file. A no-op where the file system has no extended attributes. */
int sf_file_labels_write(int fd, const struct sf_file_labels *labels, struct sf_err *err);
/*
 * -ENODATA: there are none; -EOPNOTSUPP: they have a newer schema; -EINVAL: they make no sense. Any other
 * failure says nothing about them.
 */
int sf_file_labels_read(int fd, struct sf_file_labels *ret, struct sf_err *err);
/* Whether that is a result of sf_file_labels_read() for a file without labels that this version can use. */
bool sf_file_labels_are_none(int rc);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The storage and its volumes, shared by the files of this room. */
#ifndef SF_BACKENDS_FILE_INTERNAL_H
#define SF_BACKENDS_FILE_INTERNAL_H

#include "core/contract/storage.h"

#include "base/id.h"

#include <stdbool.h>

struct sf_file_storage {
	struct sf_storage base;
	char id[SF_ID_TEXT]; /* the state directory's */
};

/* One user's handle of a live image. Calls on it come one at a time. */
struct sf_file_volume {
	struct sf_volume base;
	int lease_fd; /* held by sf_file_hold(); -1: not held */
	bool probed;
	bool instant; /* valid once probed: a snapshot shares blocks */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What callers ask of the engine. */
#ifndef SF_CORE_ENGINE_REQUESTS_H
#define SF_CORE_ENGINE_REQUESTS_H

#include "core/contract/hypervisor.h"

#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sf_tristate { SF_POLICY, SF_NO, SF_YES };

struct sf_create_request {
	char name[SF_NAME_MAX + 1]; /* empty: seconds since the epoch */
	enum sf_tristate memory;    /* SF_YES fails with -EOPNOTSUPP where it cannot be had */
	enum sf_tristate quiesce;
	const char *description;        /* NULL: none */
	char (*disks)[SF_VDEV_MAX + 1]; /* which disks; NULL: all */
	size_t ndisks;
};

struct sf_revert_request {
	bool power_given; /* false: the power state recorded in the snapshot */
	enum sf_power power;
	bool discard;      /* do not keep the state being left */
	uint64_t snapshot; /* the id of the one that is meant; 0: whichever has the name */
};

/* Which file of a snapshot: a disk's index, or the RAM. */
#define SF_FILE_MEMORY SIZE_MAX

#endif

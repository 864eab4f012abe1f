/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parameters of create and revert, as callers pass them to the engine. */
#ifndef SF_CORE_ENGINE_REQUESTS_H
#define SF_CORE_ENGINE_REQUESTS_H

#include "core/contract/hypervisor.h"

#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sf_tristate { SF_POLICY, SF_NO, SF_YES };

struct sf_create_request {
	char name[SF_NAME_MAX + 1]; /* empty: the time in seconds since the epoch, or the next that is free */
	enum sf_tristate memory;    /* SF_YES: -EOPNOTSUPP if RAM cannot be saved */
	enum sf_tristate quiesce;
	const char *description;        /* NULL: none */
	char (*disks)[SF_VDEV_MAX + 1]; /* NULL: all disks */
	size_t ndisks;
};

struct sf_revert_request {
	bool power_given; /* false: use the power state recorded in the snapshot */
	enum sf_power power;
	bool discard;      /* take no safety snapshot of the current state */
	uint64_t snapshot; /* expected id of the named snapshot; 0: any */
};

/* Selects the RAM where a file of a snapshot is chosen by disk index. */
#define SF_FILE_MEMORY SIZE_MAX

#endif

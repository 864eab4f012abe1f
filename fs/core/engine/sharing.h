/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks that several VMs have in common. A revert of one VM would change the others, so it is refused. What
 * is shown of it comes from the keeper, which looks after each change of the VMs' disks.
 */
#ifndef SF_CORE_ENGINE_SHARING_H
#define SF_CORE_ENGINE_SHARING_H

#include "volumes.h"

#include <stdbool.h>

struct sf_sharing;

/*
 * Opens the disks of all VMs, and reports those that several VMs have in health.json. May take long.
 * -ETIMEDOUT if a storage does not answer, -ENOMEM: nothing is changed then.
 */
int sf_sharing_update(struct sf_engine *engine);
/* Whether another VM has this disk, as of the last update, and that VM's name. */
bool sf_sharing_of(struct sf_engine *engine, uint64_t vm_id, const char *vdev,
		   char ret_other[static SF_NAME_MAX + 1]);
/*
 * Opens the disks of all other VMs now. -EBUSY if one of them is among these volumes. A disk that cannot be
 * opened may be one of them, so its error is returned, unless it does not exist or no backend serves it.
 */
int sf_sharing_check(const struct sf_vm_op *op, const struct sf_volumes *volumes, struct sf_err *err);
void sf_sharing_free(struct sf_sharing *sharing);

#endif

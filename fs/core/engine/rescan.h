/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding out which state directory was lost: volumes bear the identity of the one they belong to. What is then
 * rebuilt, the engine does itself (struct sf_config.rescan).
 */
#ifndef SF_CORE_RESCAN_H
#define SF_CORE_RESCAN_H

#include "base/id.h"

#include <stdbool.h>

struct sf_err;
struct sf_hypervisor;
struct sf_storages;

/*
 * The one identity of other state directories that snapshots of the hypervisor's VMs bear. *ret_found is false
 * when there is none, or when there are snapshots of our own, so that nothing is missing. -EINVAL naming them
 * when there are several. Disks that cannot be opened are passed over with a warning.
 */
int sf_rescan_identity(const struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_id *ret,
		       bool *ret_found, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovers from the loss of the state directory: finds its id on the volumes of the VMs' disks, and rebuilds
 * records from the volumes' labels. The engine decides what to rebuild (struct sf_config.rescan).
 */
#ifndef SF_CORE_ENGINE_RESCAN_H
#define SF_CORE_ENGINE_RESCAN_H

#include "core/contract/hypervisor.h"

#include "base/id.h"
#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_engine;
struct sf_err;
struct sf_hypervisor;
struct sf_storage;
struct sf_storages;

/* An orphan: a volume with our mark that no record owns. */
struct sf_orphan {
	struct sf_storage *storage;
	char *origin, *where;

	/* As in struct sf_object, checked. ndisks is 0 if labels are missing or invalid. */
	struct sf_id token, uuid;
	unsigned index, ndisks;
	uint64_t taken_ns;
	char vdev[SF_VDEV_MAX + 1];
	char vm[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	char snapshot[SF_NAME_MAX + 1];
};

/*
 * Finds the single foreign state id that snapshots of the hypervisor's VMs carry. *ret_found is false if
 * there is none, or if any snapshot carries our own id, since nothing is missing then. -EINVAL, listing the
 * ids, if there are several. Skips disks that cannot be opened, with a warning.
 */
int sf_rescan_identity(const struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_id *ret,
		       bool *ret_found, struct sf_err *err);

/*
 * Creates, durably, and publishes a record from a group of volumes: all disks of one snapshot, in disk order.
 */
int sf_rebuild(struct sf_engine *engine, const struct sf_orphan *group, size_t n, struct sf_err *err);

#endif

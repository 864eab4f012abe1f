/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding out which state directory was lost: volumes bear the identity of the one they belong to. What is
 * then rebuilt, the engine does itself (struct sf_config.rescan).
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

/* A volume with our mark that no record owns. */
struct sf_orphan {
	struct sf_storage *storage;
	char *origin, *where;

	/* As in struct sf_object; checked. ndisks is 0 when there are none, or none that make sense. */
	struct sf_id token, uuid;
	unsigned index, ndisks;
	uint64_t taken_ns;
	char vdev[SF_VDEV_MAX + 1];
	char vm[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	char snapshot[SF_NAME_MAX + 1];
};

/*
 * The one identity of other state directories that snapshots of the hypervisor's VMs bear. *ret_found is
 * false when there is none, or when there are snapshots of our own, so that nothing is missing. -EINVAL
 * naming them when there are several. Disks that cannot be opened are passed over with a warning.
 */
int sf_rescan_identity(const struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_id *ret,
		       bool *ret_found, struct sf_err *err);

/* Makes a record, durable and shown, of volumes that are all the disks of one snapshot, in their order. */
int sf_rebuild(struct sf_engine *engine, const struct sf_orphan *group, size_t n, struct sf_err *err);

#endif

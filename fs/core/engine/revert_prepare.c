/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks whether a VM can be reverted, before anything is changed. */
#include "revert_prepare.h"

#include "actions.h"
#include "internal.h"
#include "operation.h"
#include "ram.h"
#include "revert_lost.h"
#include "sharing.h"
#include "vms.h"
#include "volumes.h"

#include "base/cleanup.h"
#include "base/durable.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Another VM may have been given the volumes of one that is gone: sf_sharing_check() looks at those that are
 * listed now. A VM that is running is not gone, only not listed.
 */
static int check_gone(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_engine *engine = r->op->engine;
	enum sf_power power;
	int rc = sf_hypervisor_power(engine->hv, &r->op->desc, &power, err);

	if (rc == 0 && sf_power_alive(power))
		return sf_fail(err, -EBUSY,
			       "VM '%s' is running, but left out of the list of VMs: see the log",
			       r->op->name);
	if (rc == 0)
		sf_engine_list(engine);
	return rc;
}

/*
 * The hypervisor may no longer know a VM, for example one that was shut down: takes its disks from the
 * snapshot's record.
 */
static int take_recorded_disks(struct sf_reverting *r, struct sf_err *err)
{
	const struct sf_record *record = &r->target->record;
	struct sf_disk *disks;
	int rc;

	if (r->op->present)
		return 0;
	rc = check_gone(r, err);
	if (rc < 0)
		return rc;
	disks = calloc(record->ndisks + 1, sizeof(*disks));
	if (!disks)
		return sf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < record->ndisks; i++) {
		memcpy(disks[i].vdev, record->disks[i].object.vdev, sizeof(disks[i].vdev));
		(void)snprintf(disks[i].spec, sizeof(disks[i].spec), "%s", record->disks[i].object.origin);
	}
	free(r->op->desc.disks);
	r->op->desc.disks = disks;
	r->op->desc.ndisks = record->ndisks;
	r->op->present = true;
	return 0;
}

int sf_revert_match(struct sf_reverting *r, struct sf_err *err)
{
	const struct sf_disk *disks[SF_VM_DISKS_MAX];
	const struct sf_record *record = &r->target->record;
	struct sf_volumes all, matched = {.n = 0};
	int rc = take_recorded_disks(r, err);

	if (rc == 0)
		rc = sf_volumes_open(r->op, NULL, 0, &all, disks, err);
	if (rc == -ENOENT && (rc = sf_revert_make_lost(r, err)) == 0)
		rc = sf_volumes_open(r->op, NULL, 0, &all, disks, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < record->ndisks; i++) {
		size_t k = 0;

		while (k < all.n &&
		       (!all.list[k] || strcmp(all.list[k]->origin, record->disks[i].object.origin) != 0 ||
			strcmp(all.list[k]->storage->ops->name, record->disks[i].storage) != 0))
			k++;
		if (k == all.n) {
			rc = sf_fail(err, -EINVAL, "%s of the snapshot is no longer a disk of VM '%s'",
				     record->disks[i].object.origin, r->op->name);
		} else {
			matched.list[matched.n++] = all.list[k];
			all.list[k] = NULL;
		}
	}
	sf_volumes_close(&all);
	if (rc == 0)
		rc = sf_sharing_check(r->op, &matched, err);
	if (rc < 0)
		sf_volumes_close(&matched);
	else
		r->volumes = matched;
	return rc;
}

static int check_objects(struct sf_reverting *r, struct sf_err *err)
{
	const struct sf_record *record = &r->target->record;

	for (size_t i = 0; i < record->ndisks; i++) {
		struct sf_object_stat stat;
		int rc = sf_object_stat(r->volumes.list[i]->storage, &record->disks[i].object, &stat, err);

		if (rc < 0)
			return sf_wrap(err, rc == -ENOENT ? -EIO : rc, "disk %s of the snapshot",
				       record->disks[i].object.vdev);
	}
	return 0;
}

int sf_revert_open_memory(struct sf_reverting *r, struct sf_err *err)
{
	auto_fd int dir = -1;
	int rc = sf_op_dir(r->op, false, err);

	if (rc < 0)
		return rc;
	dir = sf_open_dir(r->op->dir, r->target->record.name, err);
	return dir < 0 ? dir : sf_ram_open(dir, &r->target->record.memory, err);
}

static int check_memory(struct sf_reverting *r, struct sf_err *err)
{
	auto_fd int fd = -1;

	if (!r->plan.memory)
		return 0;
	fd = sf_revert_open_memory(r, err);
	return fd < 0 ? fd : sf_ram_verify(fd, &r->target->record.memory, r->job, err);
}

static int budget_swap(struct sf_reverting *r, struct sf_budget *budget, struct sf_err *err)
{
	for (size_t i = 0; i < r->volumes.n; i++) {
		struct sf_space space;
		uint64_t need;
		int rc = sf_volume_cost(r->volumes.list[i], SF_FOR_REVERT, &r->target->record.disks[i].object,
					&space, &need, err);

		if (rc < 0)
			return sf_wrap(err, rc, "disk %s", r->target->record.disks[i].object.vdev);
		sf_budget_add(budget, &space, need);
	}
	return sf_budget_check(budget, err);
}

/* Chooses the final power state and checks that the hypervisor can set it. */
static int choose_power(struct sf_reverting *r, const struct sf_revert_request *request, struct sf_err *err)
{
	const struct sf_hypervisor *hv = r->op->engine->hv;
	const struct sf_record *record = &r->target->record;
	enum sf_power wanted = request->power_given ? request->power : record->power;
	bool control = sf_hypervisor_can(hv, SF_HYPERVISOR_CONTROL);

	if (!control && request->power_given)
		return sf_fail(err, -EOPNOTSUPP, "hypervisor '%s' cannot set the power state of a VM",
			       hv->ops->name);
	if (!control && sf_power_alive(r->plan.guest))
		return sf_fail(err, -EOPNOTSUPP, "hypervisor '%s' cannot stop the guest", hv->ops->name);
	if (!control)
		wanted = SF_POWER_UNKNOWN;
	else if (wanted == SF_POWER_UNKNOWN)
		wanted = r->plan.guest;
	r->plan.power = wanted;
	r->plan.memory = sf_power_alive(wanted) && record->memory.present &&
			 sf_hypervisor_can(hv, SF_HYPERVISOR_MEMORY);
	return 0;
}

/* Whether the VM can reach the chosen power state: checked before it is stopped. */
static int check_power_on(struct sf_reverting *r, struct sf_err *err)
{
	struct sf_hypervisor *hv = r->op->engine->hv;
	const char *host = r->target->record.memory.host;
	int rc = 0;

	if (r->plan.memory)
		rc = sf_hypervisor_check_host(hv, host ? host : "", err);
	else if (sf_power_alive(r->plan.power))
		return sf_hypervisor_can_start(hv, &r->op->desc, err);
	return rc < 0 ? sf_wrap(err, rc, "the saved RAM cannot be restored on this host") : 0;
}

int sf_revert_prepare(struct sf_reverting *r, const struct sf_revert_request *request,
		      struct sf_budget *budget, struct sf_err *err)
{
	int rc = sf_verify_snapshot(r->op, &r->target, err);

	if (rc < 0)
		return rc;
	if (r->target->broken)
		return sf_fail(err, -EIO, "the snapshot is broken: see .snapfs/health.json");
	rc = sf_hypervisor_power(r->op->engine->hv, &r->op->desc, &r->plan.guest, err);
	if (rc < 0 || (rc = choose_power(r, request, err)) < 0 || (rc = check_power_on(r, err)) < 0 ||
	    (rc = sf_revert_match(r, err)) < 0 || (rc = check_objects(r, err)) < 0)
		return rc;
	if (!sf_power_alive(r->plan.guest) && (rc = sf_volumes_hold(&r->volumes, err)) < 0)
		return rc;
	rc = budget_swap(r, budget, err);
	return rc < 0 ? rc : check_memory(r, err);
}

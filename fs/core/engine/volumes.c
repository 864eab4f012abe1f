/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM's live disks, opened and claimed together, and the space that an operation on them needs. */
#include "volumes.h"

#include "internal.h"

#include "base/cleanup.h"
#include "core/contract/job.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

static bool is_wanted(const char *vdev, char (*wanted)[SF_VDEV_MAX + 1], size_t nwanted)
{
	for (size_t i = 0; i < nwanted; i++)
		if (strcmp(wanted[i], vdev) == 0)
			return true;
	return !wanted;
}

static int check_wanted(const struct sf_vm_op *op, char (*wanted)[SF_VDEV_MAX + 1], size_t nwanted,
			struct sf_err *err)
{
	for (size_t i = 0; i < nwanted; i++) {
		bool found = false;

		for (size_t k = 0; k < op->desc.ndisks; k++)
			found = found || strcmp(op->desc.disks[k].vdev, wanted[i]) == 0;
		if (!found)
			return sf_fail(err, -EINVAL, "VM '%s' has no disk '%s'", op->desc.name, wanted[i]);
	}
	return 0;
}

/* Records and reports are JSON, which cannot represent a path that is not UTF-8. */
static int check_origin(const struct sf_volume *volume, struct sf_err *err)
{
	json_t *text = json_string(volume->origin);

	if (!text)
		return sf_fail(err, -EINVAL, "its path is not valid UTF-8");
	json_decref(text);
	return 0;
}

static int refuse_twins(const struct sf_volumes *volumes, const struct sf_volume *volume, struct sf_err *err)
{
	for (size_t i = 0; i < volumes->n; i++)
		if (strcmp(volumes->list[i]->origin, volume->origin) == 0)
			return sf_fail(err, -EINVAL, "%s is attached twice", volume->origin);
	return 0;
}

static int open_one(struct sf_vm_op *op, const struct sf_disk *disk, struct sf_volumes *volumes,
		    struct sf_err *err)
{
	struct sf_volume *volume;
	int rc = sf_hypervisor_check_disk(op->engine->hv, &op->desc, disk, err);

	if (rc == 0)
		rc = sf_volume_open(op->engine->storages, op->desc.name, disk, &volume, err);
	if (rc == 0 &&
	    ((rc = check_origin(volume, err)) < 0 || (rc = refuse_twins(volumes, volume, err)) < 0))
		sf_volume_close(volume);
	if (rc < 0)
		return sf_wrap(err, rc, "disk %s", disk->vdev);
	volumes->list[volumes->n++] = volume;
	return 0;
}

/* Only the hypervisor knows a VM's disks; its last answer may be out of date. */
static int check_listed(struct sf_engine *engine, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	return engine->listed ? 0 : sf_fail(err, engine->list_error.code, "%s", engine->list_error.text);
}

int sf_volumes_open(struct sf_vm_op *op, char (*wanted)[SF_VDEV_MAX + 1], size_t nwanted,
		    struct sf_volumes *ret, const struct sf_disk *ret_disks[static SF_VM_DISKS_MAX],
		    struct sf_err *err)
{
	struct sf_volumes volumes = {.n = 0};
	int rc = check_listed(op->engine, err);

	if (rc == 0)
		rc = check_wanted(op, wanted, nwanted, err);
	if (rc == 0 && !op->present)
		rc = sf_fail(err, -ENOENT, "VM '%s' is gone: only its snapshots are left", op->name);
	for (size_t i = 0; rc == 0 && i < op->desc.ndisks; i++) {
		if (!is_wanted(op->desc.disks[i].vdev, wanted, nwanted))
			continue;
		ret_disks[volumes.n] = &op->desc.disks[i];
		rc = open_one(op, &op->desc.disks[i], &volumes, err);
	}
	if (rc == 0 && volumes.n == 0)
		rc = sf_fail(err, -EINVAL, "VM '%s' has no disk to snapshot", op->name);
	if (rc < 0)
		sf_volumes_close(&volumes);
	else
		*ret = volumes;
	return rc;
}

int sf_volumes_hold(struct sf_volumes *volumes, struct sf_err *err)
{
	for (size_t i = 0; i < volumes->n; i++) {
		int rc = sf_volume_hold(volumes->list[i], err);

		if (rc < 0) {
			while (i-- > 0)
				sf_volume_release(volumes->list[i]);
			return rc;
		}
	}
	return 0;
}

int sf_volumes_check(struct sf_volumes *volumes, struct sf_err *err)
{
	for (size_t i = 0; i < volumes->n; i++) {
		int rc = volumes->list[i]->held ? sf_volume_hold_check(volumes->list[i], err) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

struct noted {
	struct sf_job *job;
	const char *vdev;
};

static void add_note(void *arg, const char *text)
{
	const struct noted *noted = arg;

	sf_job_note(noted->job, "disk %s: %s", noted->vdev, text);
}

void sf_volume_add_notes(struct sf_volume *volume, const char *vdev, struct sf_job *job)
{
	struct noted noted = {job, vdev};
	struct sf_err err = {0};

	if (sf_volume_notes(volume, add_note, &noted, &err) < 0)
		add_note(&noted, err.text);
}

void sf_volumes_close(struct sf_volumes *volumes)
{
	for (size_t i = 0; i < volumes->n; i++)
		sf_volume_close(volumes->list[i]);
	volumes->n = 0;
}

void sf_budget_add(struct sf_budget *budget, const struct sf_space *space, uint64_t need_bytes)
{
	size_t i = 0;

	while (i < budget->npools && strcmp(budget->pools[i].space.pool, space->pool) != 0)
		i++;
	if (i == sizeof(budget->pools) / sizeof(budget->pools[0]))
		return; /* cannot happen: one pool per disk, and the state directory's */
	if (i == budget->npools) {
		budget->npools++;
		budget->pools[i].need_bytes = 0;
	}
	budget->pools[i].space = *space;
	if (__builtin_add_overflow(budget->pools[i].need_bytes, need_bytes, &budget->pools[i].need_bytes))
		budget->pools[i].need_bytes = UINT64_MAX;
}

int sf_budget_check(const struct sf_budget *budget, struct sf_err *err)
{
	for (size_t i = 0; i < budget->npools; i++) {
		const struct sf_space *space = &budget->pools[i].space;

		if (budget->pools[i].need_bytes > space->free_bytes)
			return sf_fail(err, -ENOSPC,
				       "%s has too little space: up to %" PRIu64 " bytes needed, %" PRIu64
				       " of %" PRIu64 " free",
				       space->pool, budget->pools[i].need_bytes, space->free_bytes,
				       space->total_bytes);
	}
	return 0;
}

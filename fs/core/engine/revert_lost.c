/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "revert_lost.h"

#include "internal.h"
#include "vms.h"

#include "base/log.h"
#include "core/contract/job.h"

#include <errno.h>
#include <stdio.h>

static bool is_lost(struct sf_reverting *r, const struct sf_disk *disk)
{
	struct sf_volume *volume;
	int rc = sf_volume_open(r->op->engine->storages, r->op->desc.name, disk, &volume, NULL);

	if (rc == 0)
		sf_volume_close(volume);
	return rc == -ENOENT;
}

static int check_off(struct sf_reverting *r, const struct sf_disk *disk, struct sf_err *err)
{
	enum sf_power now;
	int rc = sf_hypervisor_power(r->op->engine->hv, &r->op->desc, &now, err);

	if (rc == 0 && sf_power_alive(now))
		rc = sf_fail(err, -EBUSY, "disk %s is lost: switch the guest off first", disk->vdev);
	return rc;
}

static void tell(struct sf_reverting *r, const struct sf_disk *disk, const char *origin)
{
	char subject[SF_NAME_MAX + SF_VDEV_MAX + 2];

	(void)snprintf(subject, sizeof(subject), "%s:%s", r->op->name, disk->vdev);
	sf_health_clear(r->op->engine->health, "disk", subject);
	sf_log(SF_LOG_WARNING, "VM '%s': disk %s was lost: %s is made again from the snapshot '%s'",
	       r->op->name, disk->vdev, origin, r->target->record.name);
}

/* Only the storage knows which object's disk the VM's name for it leads to. */
static int make_again(struct sf_reverting *r, const struct sf_disk *disk, struct sf_err *err)
{
	const struct sf_record *record = &r->target->record;

	for (size_t i = 0; i < record->ndisks; i++) {
		const struct sf_object *object = &record->disks[i].object;
		struct sf_storage *storage =
			sf_storages_by_name(r->op->engine->storages, record->disks[i].storage);
		struct sf_job own = {0};
		int rc =
			storage ? sf_object_recreate(storage, disk->spec, object, r->job ? r->job : &own, err)
				: -EINVAL;

		if (rc == 0 && *own.note)
			sf_log(SF_LOG_INFO, "VM '%s': %s", r->op->name, own.note);
		if (rc == 0)
			tell(r, disk, object->origin);
		if (rc != -EINVAL && rc != -EOPNOTSUPP)
			return rc;
	}
	return 0;
}

int sf_revert_make_lost(struct sf_reverting *r, struct sf_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->op->desc.ndisks && rc == 0; i++) {
		const struct sf_disk *disk = &r->op->desc.disks[i];

		if (!is_lost(r, disk))
			continue;
		rc = check_off(r, disk, err);
		if (rc == 0)
			rc = make_again(r, disk, err);
	}
	return rc;
}

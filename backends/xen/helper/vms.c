/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds lists of VMs, and decides which Xen disks are part of snapshots. */
#include "helper.h"

#include "base/names.h"
#include "core/contract/hypervisor.h"
#include "core/contract/storage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct sf_helper_vm *helper_vms_add(struct helper_vms *vms)
{
	struct sf_helper_vm *list = realloc(vms->list, (vms->n + 1) * sizeof(*list));

	if (!list)
		return NULL;
	vms->list = list;
	list[vms->n] = (struct sf_helper_vm){0};
	return &list[vms->n++];
}

void helper_vms_fini(struct helper_vms *vms)
{
	for (size_t i = 0; i < vms->n; i++)
		sf_vm_desc_fini(&vms->list[i].desc);
	free(vms->list);
	*vms = (struct helper_vms){0};
}

void helper_vms_trouble(struct helper_vms *vms, const char *fmt, ...)
{
	size_t len = strlen(vms->trouble);
	va_list args;

	if (len > 0 && len + 2 < sizeof(vms->trouble))
		len += (size_t)snprintf(vms->trouble + len, sizeof(vms->trouble) - len, "; ");
	va_start(args, fmt);
	(void)vsnprintf(vms->trouble + len, sizeof(vms->trouble) - len, fmt, args);
	va_end(args);
}

void helper_set_name(struct sf_vm_desc *desc, const char *name)
{
	size_t len = strnlen(name, SF_NAME_MAX + 1);

	memcpy(desc->name, name, len);
	if (len <= SF_NAME_MAX)
		desc->name[len] = '\0';
}

/* --- disks --- */

/* "vg0/web" means /dev/vg0/web, as in Xen's own block script. */
static bool local_path(const char *given, char path[static SF_ORIGIN_MAX])
{
	int len = snprintf(path, SF_ORIGIN_MAX, "%s%s", *given == '/' ? "" : "/dev/", given);

	return len > 0 && len < SF_ORIGIN_MAX;
}

static bool is_local(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (S_ISBLK(st.st_mode) || S_ISREG(st.st_mode));
}

/* NULL: snapshots can hold the disk. */
static const char *reason_against(const libxl_device_disk *disk, const char *vdev, const char *path)
{
	if (disk->is_cdrom)
		return "CD-ROM";
	if (!disk->pdev_path || !*disk->pdev_path)
		return "empty";
	if (!disk->readwrite)
		return "read-only";
	if (disk->backend_domid != 0 ||
	    (disk->backend_domname && *disk->backend_domname && strcmp(disk->backend_domname, "0") != 0))
		return "served by another domain";
	if (disk->format != LIBXL_DISK_FORMAT_RAW && disk->format != LIBXL_DISK_FORMAT_UNKNOWN)
		return "not a raw image";
	/* A path that is not valid text would reach the daemon changed. */
	if (!*path || sf_description_check(path, NULL) < 0 || sf_vdev_check(vdev, NULL) < 0)
		return "its name or path is too long, or has invalid characters";
	/* A path may only be missing for a moment. A target that is not a path is left to its script. */
	if (disk->script && *disk->pdev_path != '/' && !is_local(path))
		return "not on this host: its script makes it";
	return NULL;
}

int helper_leave_out(struct sf_vm_desc *desc, const char *vdev, const char *reason, bool writable)
{
	struct sf_left_out *list = realloc(desc->left_out, (desc->nleft_out + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	desc->left_out = list;
	list[desc->nleft_out] = (struct sf_left_out){.writable = writable};
	(void)snprintf(list[desc->nleft_out].vdev, sizeof(list->vdev), "%s", vdev);
	(void)snprintf(list[desc->nleft_out].reason, sizeof(list->reason), "%s", reason);
	desc->nleft_out++;
	return 0;
}

int helper_add_disk(struct sf_vm_desc *desc, const libxl_device_disk *disk)
{
	const char *vdev = disk->vdev ? disk->vdev : "";
	char path[SF_ORIGIN_MAX] = "";
	const char *reason;
	struct sf_disk *list;

	if (desc->nleft_out == SF_VM_DISKS_MAX)
		return 0; /* further entries would add nothing */
	if (disk->pdev_path && !local_path(disk->pdev_path, path))
		path[0] = '\0';
	reason = reason_against(disk, vdev, path);
	if (!reason && desc->ndisks == SF_VM_DISKS_MAX)
		reason = "one disk too many";
	if (reason)
		return helper_leave_out(desc, vdev, reason, disk->readwrite && !disk->is_cdrom);
	list = realloc(desc->disks, (desc->ndisks + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	desc->disks = list;
	list[desc->ndisks] = (struct sf_disk){0};
	(void)snprintf(list[desc->ndisks].vdev, sizeof(list->vdev), "%s", vdev);
	(void)snprintf(list[desc->ndisks].spec, sizeof(list->spec), "%s", path);
	desc->ndisks++;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "usages.h"

#include "members.h"
#include "mount.h"
#include "snaps.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sf_usages_fini(struct sf_usages *usages)
{
	for (size_t i = 0; i < usages->n; i++) {
		free(usages->list[i].kind);
		free(usages->list[i].subject);
		free(usages->list[i].problem);
	}
	free(usages->list);
	*usages = (struct sf_usages){0};
}

static struct sf_usage_entry *find(struct sf_usages *usages, const char *kind, const char *subject)
{
	for (size_t i = 0; i < usages->n; i++)
		if (strcmp(usages->list[i].kind, kind) == 0 && strcmp(usages->list[i].subject, subject) == 0)
			return &usages->list[i];
	return NULL;
}

/* Adds an entry. One that several VMs share is listed once, without a VM. */
static int add(struct sf_usages *usages, const char *vm, const struct sf_usage_entry *entry)
{
	struct sf_usage_entry *known = find(usages, entry->kind, entry->subject), *larger;

	if (known) {
		if (strcmp(known->vm, vm) != 0)
			*known->vm = '\0';
		return 0;
	}
	larger = realloc(usages->list, (usages->n + 1) * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	usages->list = larger;
	larger += usages->n;
	*larger = *entry;
	larger->kind = strdup(entry->kind);
	larger->subject = strdup(entry->subject);
	larger->problem = strdup(entry->problem);
	(void)snprintf(larger->vm, sizeof(larger->vm), "%s", vm);
	usages->n++; /* half-built entries count, too: sf_usages_fini() frees them */
	return larger->kind && larger->subject && larger->problem ? 0 : -ENOMEM;
}

/* Adds the usages that the daemon reports for a disk; if none, the space in which its snapshots are created.
 */
static int add_disk(struct sf_usages *usages, const char *vm, const json_t *disk)
{
	const json_t *list = json_object_get(disk, "usage"), *space = json_object_get(disk, "space"), *item;
	struct sf_usage_entry entry = {0};
	size_t i;
	int rc = 0;

	json_array_foreach(list, i, item)
	{
		entry = (struct sf_usage_entry){
			.kind = (char *)sf_member_string(item, "kind"),
			.subject = (char *)sf_member_string(item, "subject"),
			.problem = (char *)sf_member_string(item, "problem"),
			.used_bytes = sf_member_number(item, "used_bytes"),
			.total_bytes = sf_member_number(item, "total_bytes"),
			.warn_percent = (unsigned)sf_member_number(item, "warn_percent"),
			.stop_percent = (unsigned)sf_member_number(item, "stop_percent")};
		if (rc == 0)
			rc = add(usages, vm, &entry);
	}
	if (rc < 0 || json_array_size(list) > 0 || !space)
		return rc;
	entry = (struct sf_usage_entry){.kind = (char *)"space",
					.subject = (char *)sf_member_string(space, "pool"),
					.problem = (char *)"",
					.total_bytes = sf_member_number(space, "total_bytes")};
	entry.used_bytes = entry.total_bytes - sf_member_number(space, "free_bytes");
	return add(usages, vm, &entry);
}

static int load_vm(const struct sf_mount *mount, const char *vm, struct sf_usages *usages, struct sf_err *err)
{
	auto_json json_t *root = NULL;
	const json_t *disk;
	size_t i;
	int rc;

	if ((rc = sf_vm_load(mount, vm, &root, err)) < 0)
		return rc;
	json_array_foreach(json_object_get(root, "disks"), i, disk)
	{
		if (rc == 0 && (rc = add_disk(usages, vm, disk)) < 0)
			(void)sf_fail(err, rc, "out of memory");
	}
	return rc;
}

int sf_usages_load(const struct sf_mount *mount, char **vms, size_t nvms, struct sf_usages *ret,
		   struct sf_err *err)
{
	struct sf_usages usages = {0};
	char **all = NULL, vm[SF_SNAP_PATH];
	size_t nall = 0;
	int rc = nvms == 0 ? sf_vms_load(mount, &all, &nall, err) : 0;

	for (size_t i = 0; i < nvms && rc == 0; i++)
		if ((rc = sf_mount_path(mount, vms[i], vm, sizeof(vm), err)) == 0)
			rc = load_vm(mount, vm, &usages, err);
	for (size_t i = 0; i < nall && rc == 0; i++)
		rc = load_vm(mount, all[i], &usages, err);
	sf_names_free(all, nall);
	if (rc < 0)
		sf_usages_fini(&usages);
	else
		*ret = usages;
	return rc;
}

unsigned sf_usage_percent(const struct sf_usage_entry *usage)
{
	if (usage->total_bytes == 0)
		return 0;
	if (usage->used_bytes >= usage->total_bytes)
		return 100;
	return (unsigned)((double)usage->used_bytes * 100 / (double)usage->total_bytes);
}

void sf_usage_bar(const struct sf_usage_entry *usage, unsigned width, char bar[static SF_USAGE_BAR])
{
	unsigned full, mark;

	width = width > SF_USAGE_BAR - 3 ? SF_USAGE_BAR - 3 : width;
	full = sf_usage_percent(usage) * width / 100;
	mark = usage->warn_percent * width / 100;
	bar[0] = '[';
	memset(bar + 1, '#', full);
	memset(bar + 1 + full, '.', width - full);
	if (usage->warn_percent && usage->warn_percent < 100)
		bar[1 + mark] = '|';
	bar[width + 1] = ']';
	bar[width + 2] = '\0';
}

json_t *sf_usages_json(const struct sf_usages *usages)
{
	json_t *list = json_array();

	for (size_t i = 0; i < usages->n; i++) {
		const struct sf_usage_entry *usage = &usages->list[i];
		json_t *entry =
			json_pack("{s:s, s:s, s:I, s:I, s:s}", "kind", usage->kind, "subject", usage->subject,
				  "used_bytes", (json_int_t)usage->used_bytes, "total_bytes",
				  (json_int_t)usage->total_bytes, "problem", usage->problem);

		json_object_set_new(entry, "vm", *usage->vm ? json_string(usage->vm) : json_null());
		json_object_set_new(entry, "warn_percent",
				    usage->warn_percent ? json_integer(usage->warn_percent) : json_null());
		json_object_set_new(entry, "stop_percent",
				    usage->stop_percent ? json_integer(usage->stop_percent) : json_null());
		json_array_append_new(list, entry);
	}
	return list;
}

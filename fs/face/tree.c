/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tree.h"

#include "core/engine/engine.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INO_ROOT    1
#define INO_REPORTS 2
#define INO_REPORT  3 /* and the following numbers */
#define INO_RUN     32

/* The low 8 bits of all other numbers; 0 is the directory itself. */
#define SLOT_VM_CREATE    1
#define SLOT_VM_JSON      2
#define SLOT_VM_SNAPSHOTS 3
#define SLOT_META         1
#define SLOT_MEMORY       2
#define SLOT_REVERT       3
#define SLOT_MANIFEST     4
#define SLOT_SET_MANIFEST 5
#define SLOT_SET_DELETED  6
#define SLOT_DISK         16

_Static_assert(SLOT_DISK + SF_VM_DISKS_MAX <= SF_ID_SLOTS, "every disk has an inode number");

static const char *const report_names[] = {
	[SF_REPORT_JOBS] = "jobs.json",        [SF_REPORT_HEALTH] = "health.json",
	[SF_REPORT_LAST_ERROR] = "last-error", [SF_REPORT_METRICS] = "metrics",
	[SF_REPORT_VERSION] = "version",       [SF_REPORT_SCHEDULES] = "schedules.json",
};

#define NREPORTS (sizeof(report_names) / sizeof(report_names[0]))

_Static_assert(INO_REPORT + NREPORTS <= INO_RUN, "reports have numbers of their own");

void sf_node_fini(struct sf_node *node)
{
	sf_snapshot_unref(node->snapshot);
	node->snapshot = NULL;
}

bool sf_node_is_dir(const struct sf_node *node)
{
	return node->kind == SF_NODE_ROOT || node->kind == SF_NODE_REPORTS || node->kind == SF_NODE_VM ||
	       node->kind == SF_NODE_SNAPSHOT;
}

bool sf_node_is_control(const struct sf_node *node)
{
	return sf_node_is_writable(node) || node->kind == SF_NODE_REPORT || node->kind == SF_NODE_VM_JSON ||
	       node->kind == SF_NODE_SNAPSHOTS_JSON;
}

bool sf_node_is_writable(const struct sf_node *node)
{
	return node->kind == SF_NODE_RUN || node->kind == SF_NODE_CREATE || node->kind == SF_NODE_REVERT ||
	       node->kind == SF_NODE_SET_MANIFEST || node->kind == SF_NODE_SET_DELETED;
}

static void image_name(const struct sf_snapshot *snapshot, size_t file, char name[static SF_DISK_FILE])
{
	if (file == SF_FILE_MEMORY)
		(void)snprintf(name, SF_DISK_FILE, "memory.sav");
	else
		sf_disk_file_name(file, snapshot->record.disks[file].object.vdev, name);
}

/* The last component of the node's path. */
static void node_name(const struct sf_node *node, char name[static SF_NAME_MAX + 1])
{
	const char *fixed = "";

	switch (node->kind) {
	case SF_NODE_ROOT:
		break;
	case SF_NODE_REPORTS:
		fixed = ".snapfs";
		break;
	case SF_NODE_REPORT:
		fixed = report_names[node->report];
		break;
	case SF_NODE_RUN:
		fixed = "run";
		break;
	case SF_NODE_VM:
		fixed = node->vm.name;
		break;
	case SF_NODE_CREATE:
		fixed = ".create";
		break;
	case SF_NODE_SNAPSHOTS_JSON:
		fixed = ".snapshots.json";
		break;
	case SF_NODE_VM_JSON:
		fixed = ".vm.json";
		break;
	case SF_NODE_SNAPSHOT:
		fixed = node->snapshot->record.name;
		break;
	case SF_NODE_META:
		fixed = "meta.json";
		break;
	case SF_NODE_MANIFEST:
		fixed = "manifest.json";
		break;
	case SF_NODE_SET_MANIFEST:
		fixed = ".manifest";
		break;
	case SF_NODE_SET_DELETED:
		fixed = ".delete";
		break;
	case SF_NODE_REVERT:
		fixed = "revert";
		break;
	case SF_NODE_IMAGE:
		image_name(node->snapshot, node->file, name);
		return;
	}
	(void)snprintf(name, SF_NAME_MAX + 1, "%s", fixed);
}

void sf_node_path(const struct sf_node *node, char path[static SF_NODE_PATH])
{
	const char *vm = node->vm.name;
	char name[SF_NAME_MAX + 1];

	node_name(node, name);
	if (node->kind == SF_NODE_REPORT || node->kind == SF_NODE_RUN)
		(void)snprintf(path, SF_NODE_PATH, ".snapfs/%s", name);
	else if (node->kind < SF_NODE_CREATE)
		(void)snprintf(path, SF_NODE_PATH, "%s", name);
	else if (node->kind <= SF_NODE_SNAPSHOT)
		(void)snprintf(path, SF_NODE_PATH, "%s/%s", vm, name);
	else
		(void)snprintf(path, SF_NODE_PATH, "%s/%s/%s", vm, node->snapshot->record.name, name);
}

/* --- from numbers --- */

static int low_node(uint64_t ino, struct sf_node *node)
{
	if (ino == INO_ROOT) {
		node->kind = SF_NODE_ROOT;
	} else if (ino == INO_REPORTS) {
		node->kind = SF_NODE_REPORTS;
	} else if (ino == INO_RUN) {
		node->kind = SF_NODE_RUN;
	} else if (ino >= INO_REPORT && ino < INO_REPORT + NREPORTS) {
		node->kind = SF_NODE_REPORT;
		node->report = (enum sf_report)(ino - INO_REPORT);
	} else {
		return -ENOENT;
	}
	return 0;
}

static int vm_node(unsigned slot, struct sf_node *node)
{
	if (slot == 0)
		node->kind = SF_NODE_VM;
	else if (slot == SLOT_VM_CREATE)
		node->kind = SF_NODE_CREATE;
	else if (slot == SLOT_VM_JSON)
		node->kind = SF_NODE_VM_JSON;
	else if (slot == SLOT_VM_SNAPSHOTS)
		node->kind = SF_NODE_SNAPSHOTS_JSON;
	else
		return -ENOENT;
	return 0;
}

static int image_node(size_t file, const struct sf_record *record, struct sf_node *node)
{
	if (file == SF_FILE_MEMORY ? !record->memory.present : file >= record->ndisks)
		return -ENOENT;
	node->kind = SF_NODE_IMAGE;
	node->file = file;
	return 0;
}

static int snapshot_node(unsigned slot, const struct sf_snapshot *snapshot, struct sf_node *node)
{
	const struct sf_record *record = &snapshot->record;

	if (slot == 0)
		node->kind = SF_NODE_SNAPSHOT;
	else if (slot == SLOT_META)
		node->kind = SF_NODE_META;
	else if (slot == SLOT_REVERT)
		node->kind = SF_NODE_REVERT;
	else if (slot == SLOT_MANIFEST && snapshot->manifest_bytes)
		node->kind = SF_NODE_MANIFEST;
	else if (slot == SLOT_SET_MANIFEST)
		node->kind = SF_NODE_SET_MANIFEST;
	else if (slot == SLOT_SET_DELETED)
		node->kind = SF_NODE_SET_DELETED;
	else if (slot == SLOT_MEMORY)
		return image_node(SF_FILE_MEMORY, record, node);
	else if (slot >= SLOT_DISK)
		return image_node(slot - SLOT_DISK, record, node);
	else
		return -ENOENT;
	return 0;
}

/* The VM of a snapshot. If the VM is gone while readers hold the snapshot, its name comes from the record. */
static void fill_vm(const struct sf_tree *tree, const struct sf_snapshot *snapshot, struct sf_vm_info *vm)
{
	if (sf_catalog_vm_by_id(tree->catalog, snapshot->vm_id, vm) == 0)
		return;
	memset(vm, 0, sizeof(*vm));
	vm->id = snapshot->vm_id;
	memcpy(vm->name, snapshot->record.vm_name, sizeof(vm->name));
}

int sf_tree_node(const struct sf_tree *tree, uint64_t ino, struct sf_node *ret)
{
	unsigned slot = (unsigned)(ino % SF_ID_SLOTS);
	struct sf_node node = {.ino = ino};
	int rc;

	if (ino < SF_ID_SLOTS)
		rc = low_node(ino, &node);
	else if (sf_catalog_vm_by_id(tree->catalog, ino - slot, &node.vm) == 0)
		rc = vm_node(slot, &node);
	else if ((rc = sf_catalog_snapshot_by_id(tree->catalog, ino - slot, &node.snapshot)) == 0)
		rc = snapshot_node(slot, node.snapshot, &node);
	if (rc < 0) {
		sf_node_fini(&node);
		return rc;
	}
	if (node.snapshot)
		fill_vm(tree, node.snapshot, &node.vm);
	*ret = node;
	return 0;
}

/* --- from names --- */

static int find_report(const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < NREPORTS; i++) {
		if (strcmp(report_names[i], name) == 0) {
			*ret = INO_REPORT + i;
			return 0;
		}
	}
	if (strcmp(name, "run") != 0)
		return -ENOENT;
	*ret = INO_RUN;
	return 0;
}

static int find_in_root(const struct sf_tree *tree, const char *name, uint64_t *ret)
{
	struct sf_vm_info vm;
	int rc;

	if (strcmp(name, ".snapfs") == 0) {
		*ret = INO_REPORTS;
		return 0;
	}
	rc = sf_catalog_vm(tree->catalog, name, &vm);
	if (rc == 0)
		*ret = vm.id;
	return rc;
}

static int find_in_vm(const struct sf_tree *tree, uint64_t vm_id, const char *name, uint64_t *ret)
{
	struct sf_snapshot *snapshot;
	int rc = 0;

	if (strcmp(name, ".create") == 0) {
		*ret = vm_id | SLOT_VM_CREATE;
	} else if (strcmp(name, ".vm.json") == 0) {
		*ret = vm_id | SLOT_VM_JSON;
	} else if (strcmp(name, ".snapshots.json") == 0) {
		*ret = vm_id | SLOT_VM_SNAPSHOTS;
	} else if ((rc = sf_catalog_snapshot(tree->catalog, vm_id, name, &snapshot)) == 0) {
		*ret = snapshot->id;
		sf_snapshot_unref(snapshot);
	}
	return rc;
}

static int find_in_snapshot(const struct sf_snapshot *snapshot, const char *name, uint64_t *ret)
{
	char file[SF_DISK_FILE];

	if (strcmp(name, "meta.json") == 0)
		*ret = snapshot->id | SLOT_META;
	else if (strcmp(name, "revert") == 0)
		*ret = snapshot->id | SLOT_REVERT;
	else if (strcmp(name, "memory.sav") == 0)
		*ret = snapshot->id | SLOT_MEMORY;
	else if (strcmp(name, "manifest.json") == 0)
		*ret = snapshot->id | SLOT_MANIFEST;
	else if (strcmp(name, ".manifest") == 0)
		*ret = snapshot->id | SLOT_SET_MANIFEST;
	else if (strcmp(name, ".delete") == 0)
		*ret = snapshot->id | SLOT_SET_DELETED;
	else
		*ret = 0;
	for (size_t i = 0; i < snapshot->record.ndisks && *ret == 0; i++) {
		image_name(snapshot, i, file);
		if (strcmp(name, file) == 0)
			*ret = snapshot->id | (SLOT_DISK + i);
	}
	return *ret ? 0 : -ENOENT;
}

uint64_t sf_tree_meta_ino(const struct sf_node *snapshot)
{
	return snapshot->snapshot->id | SLOT_META;
}

uint64_t sf_tree_manifest_ino(const struct sf_node *snapshot)
{
	return snapshot->snapshot->id | SLOT_MANIFEST;
}

static uint64_t parent_ino(const struct sf_node *dir)
{
	return dir->kind == SF_NODE_SNAPSHOT ? dir->vm.id : INO_ROOT;
}

int sf_tree_lookup(const struct sf_tree *tree, const struct sf_node *dir, const char *name,
		   struct sf_node *ret)
{
	uint64_t ino;
	int rc = 0;

	/* After a restart, an NFS server looks up "." in any inode number. */
	if (strcmp(name, ".") == 0)
		ino = dir->ino;
	else if (!sf_node_is_dir(dir))
		return -ENOTDIR;
	else if (strcmp(name, "..") == 0)
		ino = parent_ino(dir);
	else if (dir->kind == SF_NODE_ROOT)
		rc = find_in_root(tree, name, &ino);
	else if (dir->kind == SF_NODE_REPORTS)
		rc = find_report(name, &ino);
	else if (dir->kind == SF_NODE_VM)
		rc = find_in_vm(tree, dir->vm.id, name, &ino);
	else
		rc = find_in_snapshot(dir->snapshot, name, &ino);
	return rc == 0 ? sf_tree_node(tree, ino, ret) : rc;
}

/* --- listings --- */

/* Has room for all entries from the start, so that adding cannot fail. */
struct list {
	struct sf_entry *entries;
	size_t n;
};

static int list_begin(struct list *list, const struct sf_node *dir, size_t room)
{
	static const size_t ndots = 2;

	list->n = ndots;
	list->entries = calloc(room + ndots, sizeof(*list->entries));
	if (!list->entries)
		return -ENOMEM;
	list->entries[0] = (struct sf_entry){.ino = dir->ino, .is_dir = true, .name = "."};
	list->entries[1] = (struct sf_entry){.ino = parent_ino(dir), .is_dir = true, .name = ".."};
	return 0;
}

static void list_add(struct list *list, uint64_t ino, bool is_dir, const char *name)
{
	struct sf_entry *entry = &list->entries[list->n++];

	entry->ino = ino;
	entry->is_dir = is_dir;
	(void)snprintf(entry->name, sizeof(entry->name), "%s", name);
}

static int list_root(const struct sf_tree *tree, const struct sf_node *dir, struct list *list)
{
	auto_free struct sf_vm_info *vms = NULL;
	size_t nvms;
	int rc = sf_catalog_vms(tree->catalog, &vms, &nvms);

	if (rc < 0 || (rc = list_begin(list, dir, nvms + 1)) < 0)
		return rc;
	for (size_t i = 0; i < nvms; i++)
		list_add(list, vms[i].id, true, vms[i].name);
	if (tree->show_control)
		list_add(list, INO_REPORTS, true, ".snapfs");
	return 0;
}

static int list_reports(const struct sf_tree *tree, const struct sf_node *dir, struct list *list)
{
	int rc = list_begin(list, dir, NREPORTS + 1);

	for (size_t i = 0; i < NREPORTS && rc == 0; i++)
		list_add(list, INO_REPORT + i, false, report_names[i]);
	if (rc == 0 && tree->show_control)
		list_add(list, INO_RUN, false, "run");
	return rc;
}

static int list_vm(const struct sf_tree *tree, const struct sf_node *dir, struct list *list)
{
	struct sf_snapshot **snapshots;
	size_t n;
	int rc = sf_catalog_snapshots(tree->catalog, dir->vm.id, &snapshots, &n);

	if (rc < 0)
		return rc;
	rc = list_begin(list, dir, n + 3);
	for (size_t i = 0; i < n && rc == 0; i++)
		list_add(list, snapshots[i]->id, true, snapshots[i]->record.name);
	sf_catalog_snapshots_free(snapshots, n);
	if (rc == 0 && tree->show_control) {
		list_add(list, dir->vm.id | SLOT_VM_CREATE, false, ".create");
		list_add(list, dir->vm.id | SLOT_VM_JSON, false, ".vm.json");
		list_add(list, dir->vm.id | SLOT_VM_SNAPSHOTS, false, ".snapshots.json");
	}
	return rc;
}

static int list_snapshot(const struct sf_tree *tree, const struct sf_node *dir, struct list *list)
{
	const struct sf_snapshot *snapshot = dir->snapshot;
	char name[SF_DISK_FILE];
	int rc = list_begin(list, dir, snapshot->record.ndisks + 6);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < snapshot->record.ndisks; i++) {
		image_name(snapshot, i, name);
		list_add(list, snapshot->id | (SLOT_DISK + i), false, name);
	}
	if (snapshot->record.memory.present)
		list_add(list, snapshot->id | SLOT_MEMORY, false, "memory.sav");
	list_add(list, snapshot->id | SLOT_META, false, "meta.json");
	if (snapshot->manifest_bytes)
		list_add(list, snapshot->id | SLOT_MANIFEST, false, "manifest.json");
	if (tree->show_control) {
		list_add(list, snapshot->id | SLOT_REVERT, false, "revert");
		list_add(list, snapshot->id | SLOT_SET_MANIFEST, false, ".manifest");
		list_add(list, snapshot->id | SLOT_SET_DELETED, false, ".delete");
	}
	return 0;
}

int sf_tree_list(const struct sf_tree *tree, const struct sf_node *dir, struct sf_entry **ret, size_t *ret_n)
{
	struct list list = {0};
	int rc = -ENOTDIR;

	if (dir->kind == SF_NODE_ROOT)
		rc = list_root(tree, dir, &list);
	else if (dir->kind == SF_NODE_REPORTS)
		rc = list_reports(tree, dir, &list);
	else if (dir->kind == SF_NODE_VM)
		rc = list_vm(tree, dir, &list);
	else if (dir->kind == SF_NODE_SNAPSHOT)
		rc = list_snapshot(tree, dir, &list);
	if (rc < 0)
		return rc;
	*ret = list.entries;
	*ret_n = list.n;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two kinds of sorted arrays: all snapshots by id, and each VM's named ones by name. VMs are few and searched
 * linearly. Everything here is in memory and takes little time; catalog.h has the rules.
 */
#include "catalog.h"

#include "base/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct entry {
	struct sf_snapshot *snapshot;
	unsigned nreaders;
	bool hidden; /* the name is gone */
	bool dying;  /* the storage is being removed: no new readers */
};

/* A growing array of entries; an order_fn keeps it sorted. */
struct entries {
	struct entry **list;
	size_t n;
	size_t room;
};

struct vm {
	struct sf_vm_info info;
	struct entries visible; /* by name */
};

struct sf_catalog {
	pthread_mutex_t lock; /* guards everything below */
	struct vm **vms;
	size_t nvms;
	struct entries all; /* by id */
};

uint64_t sf_snapshot_id(const struct sf_id *uuid)
{
	uint64_t id;

	memcpy(&id, uuid->bytes, sizeof(id));
	id &= ~(uint64_t)(SF_ID_SLOTS - 1);
	return id ? id : SF_ID_SLOTS;
}

uint64_t sf_vm_id(const char *uuid, const char *name)
{
	const char *key = *uuid ? uuid : name;
	uint64_t id = XXH3_64bits_withSeed(key, strlen(key), *uuid ? 1 : 0) & ~(uint64_t)(SF_ID_SLOTS - 1);

	return id ? id : SF_ID_SLOTS;
}

struct sf_snapshot *sf_snapshot_new(struct sf_record *record, uint64_t vm_id, bool broken)
{
	struct sf_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	auto_free char *meta = NULL;

	if (!snapshot)
		return NULL;
	meta = sf_record_format(record, &snapshot->meta_len);
	if (!meta) {
		free(snapshot);
		return NULL;
	}
	atomic_init(&snapshot->refs, 1);
	snapshot->id = sf_snapshot_id(&record->uuid);
	snapshot->vm_id = vm_id;
	snapshot->broken = broken;
	snapshot->record = *record;
	*record = (struct sf_record){.ndisks = 0};
	return snapshot;
}

struct sf_snapshot *sf_snapshot_ref(struct sf_snapshot *snapshot)
{
	atomic_fetch_add(&snapshot->refs, 1);
	return snapshot;
}

void sf_snapshot_unref(struct sf_snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub(&snapshot->refs, 1) != 1)
		return;
	sf_record_fini(&snapshot->record);
	free(snapshot);
}

/* --- sorted arrays --- */

static int by_id(const struct entry *entry, const void *key)
{
	uint64_t id = *(const uint64_t *)key;

	return entry->snapshot->id < id ? -1 : entry->snapshot->id > id;
}

static int by_name(const struct entry *entry, const void *key)
{
	return strcmp(entry->snapshot->record.name, key);
}

typedef int order_fn(const struct entry *entry, const void *key);

/* The index of key, or where to insert it; *ret_found says which. */
static size_t position(const struct entries *entries, order_fn *order, const void *key, bool *ret_found)
{
	size_t low = 0, high = entries->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int cmp = order(entries->list[mid], key);

		if (cmp == 0) {
			*ret_found = true;
			return mid;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_found = false;
	return low;
}

static struct entry *find(const struct entries *entries, order_fn *order, const void *key)
{
	bool found;
	size_t at = position(entries, order, key, &found);

	return found ? entries->list[at] : NULL;
}

static int make_room(struct entries *entries)
{
	size_t room = entries->room ? 2 * entries->room : 16;
	struct entry **list;

	if (entries->n < entries->room)
		return 0;
	list = realloc(entries->list, room * sizeof(*list));
	if (!list)
		return -ENOMEM;
	entries->list = list;
	entries->room = room;
	return 0;
}

/* The caller has made room. */
static void insert(struct entries *entries, order_fn *order, const void *key, struct entry *entry)
{
	bool found;
	size_t at = position(entries, order, key, &found);

	memmove(entries->list + at + 1, entries->list + at, (entries->n - at) * sizeof(*entries->list));
	entries->list[at] = entry;
	entries->n++;
}

static void erase(struct entries *entries, order_fn *order, const void *key)
{
	bool found;
	size_t at = position(entries, order, key, &found);

	if (!found)
		return;
	entries->n--;
	memmove(entries->list + at, entries->list + at + 1, (entries->n - at) * sizeof(*entries->list));
}

/* --- the catalog --- */

int sf_catalog_new(struct sf_catalog **ret)
{
	struct sf_catalog *catalog = calloc(1, sizeof(*catalog));

	if (!catalog)
		return -ENOMEM;
	pthread_mutex_init(&catalog->lock, NULL);
	*ret = catalog;
	return 0;
}

void sf_catalog_free(struct sf_catalog *catalog)
{
	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->all.n; i++) {
		sf_snapshot_unref(catalog->all.list[i]->snapshot);
		free(catalog->all.list[i]);
	}
	for (size_t i = 0; i < catalog->nvms; i++) {
		free(catalog->vms[i]->visible.list);
		free(catalog->vms[i]);
	}
	free(catalog->all.list);
	free(catalog->vms);
	pthread_mutex_destroy(&catalog->lock);
	free(catalog);
}

static struct vm *vm_by_id(struct sf_catalog *catalog, uint64_t id)
{
	for (size_t i = 0; i < catalog->nvms; i++)
		if (catalog->vms[i]->info.id == id)
			return catalog->vms[i];
	return NULL;
}

static bool shown(const struct vm *vm)
{
	return vm->info.present || vm->visible.n > 0;
}

static struct sf_vm_info info_of(const struct vm *vm)
{
	struct sf_vm_info info = vm->info;

	info.nsnapshots = vm->visible.n;
	return info;
}

int sf_catalog_vm(struct sf_catalog *catalog, const char *name, struct sf_vm_info *ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);

	for (size_t i = 0; i < catalog->nvms; i++) {
		if (shown(catalog->vms[i]) && strcmp(catalog->vms[i]->info.name, name) == 0) {
			*ret = info_of(catalog->vms[i]);
			return 0;
		}
	}
	return -ENOENT;
}

int sf_catalog_vm_by_id(struct sf_catalog *catalog, uint64_t id, struct sf_vm_info *ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	const struct vm *vm = vm_by_id(catalog, id);

	if (!vm || !shown(vm))
		return -ENOENT;
	*ret = info_of(vm);
	return 0;
}

static int compare_info(const void *a, const void *b)
{
	return strcmp(((const struct sf_vm_info *)a)->name, ((const struct sf_vm_info *)b)->name);
}

int sf_catalog_vms(struct sf_catalog *catalog, struct sf_vm_info **ret, size_t *ret_n)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct sf_vm_info *list = calloc(catalog->nvms + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < catalog->nvms; i++)
		if (shown(catalog->vms[i]))
			list[n++] = info_of(catalog->vms[i]);
	qsort(list, n, sizeof(*list), compare_info);
	*ret = list;
	*ret_n = n;
	return 0;
}

int sf_catalog_snapshot(struct sf_catalog *catalog, uint64_t vm_id, const char *name,
			struct sf_snapshot **ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	const struct vm *vm = vm_by_id(catalog, vm_id);
	const struct entry *entry = vm ? find(&vm->visible, by_name, name) : NULL;

	if (!entry)
		return -ENOENT;
	*ret = sf_snapshot_ref(entry->snapshot);
	return 0;
}

int sf_catalog_snapshot_by_id(struct sf_catalog *catalog, uint64_t id, struct sf_snapshot **ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	const struct entry *entry = find(&catalog->all, by_id, &id);

	if (!entry)
		return -ENOENT;
	*ret = sf_snapshot_ref(entry->snapshot);
	return 0;
}

int sf_catalog_snapshots(struct sf_catalog *catalog, uint64_t vm_id, struct sf_snapshot ***ret, size_t *ret_n)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	const struct vm *vm = vm_by_id(catalog, vm_id);
	struct sf_snapshot **list;

	if (!vm)
		return -ENOENT;
	list = calloc(vm->visible.n + 1, sizeof(struct sf_snapshot *));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < vm->visible.n; i++)
		list[i] = sf_snapshot_ref(vm->visible.list[i]->snapshot);
	*ret = list;
	*ret_n = vm->visible.n;
	return 0;
}

void sf_catalog_snapshots_free(struct sf_snapshot **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sf_snapshot_unref(list[i]);
	free(list);
}

int sf_catalog_open(struct sf_catalog *catalog, uint64_t snapshot_id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct entry *entry = find(&catalog->all, by_id, &snapshot_id);

	if (!entry || entry->dying)
		return -ENOENT;
	entry->nreaders++;
	return 0;
}

bool sf_catalog_close(struct sf_catalog *catalog, uint64_t snapshot_id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct entry *entry = find(&catalog->all, by_id, &snapshot_id);

	if (!entry || --entry->nreaders > 0 || !entry->hidden)
		return false;
	entry->dying = true;
	return true;
}

static struct vm *vm_add(struct sf_catalog *catalog, uint64_t id)
{
	struct vm **list = realloc(catalog->vms, (catalog->nvms + 1) * sizeof(struct vm *));
	struct vm *vm = calloc(1, sizeof(*vm));

	if (list)
		catalog->vms = list;
	if (!list || !vm) {
		free(vm);
		return NULL;
	}
	vm->info.id = id;
	catalog->vms[catalog->nvms++] = vm;
	return vm;
}

int sf_catalog_vm_put(struct sf_catalog *catalog, uint64_t id, const char *name, bool present)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct vm *vm = vm_by_id(catalog, id);

	if (!vm)
		vm = vm_add(catalog, id);
	if (!vm)
		return -ENOMEM;
	(void)snprintf(vm->info.name, sizeof(vm->info.name), "%s", name);
	vm->info.present = present;
	return 0;
}

static void replace(struct vm *vm, struct entry *entry, struct sf_snapshot *snapshot)
{
	struct sf_snapshot *old = entry->snapshot;

	if (!entry->hidden)
		erase(&vm->visible, by_name, old->record.name);
	entry->snapshot = sf_snapshot_ref(snapshot);
	if (!entry->hidden)
		insert(&vm->visible, by_name, snapshot->record.name, entry);
	sf_snapshot_unref(old);
}

static void touch(struct vm *vm, const struct sf_record *record)
{
	uint64_t ns = record->edited_ns > record->taken_ns ? record->edited_ns : record->taken_ns;

	if (ns > vm->info.changed_ns)
		vm->info.changed_ns = ns;
}

int sf_catalog_publish(struct sf_catalog *catalog, struct sf_snapshot *snapshot)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct vm *vm = vm_by_id(catalog, snapshot->vm_id);
	struct entry *entry = find(&catalog->all, by_id, &snapshot->id);
	const struct entry *namesake;

	if (!vm)
		return -ENOENT;
	namesake = find(&vm->visible, by_name, snapshot->record.name);
	if (namesake && namesake != entry)
		return -EEXIST;
	if (entry) {
		if (entry->snapshot->vm_id != snapshot->vm_id ||
		    !sf_id_equal(&entry->snapshot->record.uuid, &snapshot->record.uuid))
			return -EEXIST;
		replace(vm, entry, snapshot);
		touch(vm, &snapshot->record);
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry || make_room(&catalog->all) < 0 || make_room(&vm->visible) < 0) {
		free(entry);
		return -ENOMEM;
	}
	entry->snapshot = sf_snapshot_ref(snapshot);
	insert(&catalog->all, by_id, &snapshot->id, entry);
	insert(&vm->visible, by_name, snapshot->record.name, entry);
	touch(vm, &snapshot->record);
	return 0;
}

bool sf_catalog_hide(struct sf_catalog *catalog, uint64_t snapshot_id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct entry *entry = find(&catalog->all, by_id, &snapshot_id);
	struct vm *vm = entry ? vm_by_id(catalog, entry->snapshot->vm_id) : NULL;

	if (!entry || !vm)
		return false;
	if (!entry->hidden)
		erase(&vm->visible, by_name, entry->snapshot->record.name);
	entry->hidden = true;
	entry->dying = entry->nreaders == 0;
	return entry->dying;
}

void sf_catalog_forget(struct sf_catalog *catalog, uint64_t snapshot_id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&catalog->lock);
	struct entry *entry = find(&catalog->all, by_id, &snapshot_id);

	if (!entry)
		return;
	erase(&catalog->all, by_id, &snapshot_id);
	sf_snapshot_unref(entry->snapshot);
	free(entry);
}

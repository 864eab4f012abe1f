/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens the files of snapshots for readers, and finds the free space behind them. Takes no VM's
 * exclusion, so readers never wait for operations.
 */
#include "core/engine/engine.h"
#include "core/engine/internal.h"
#include "core/engine/keeper.h"
#include "core/engine/vms.h"

#include "core/state/manifest.h"
#include "mapped.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

/* Together these tries wait about 0.2 s, longer than any rename of ours takes. */
#define FIND_TRIES 20

/* The directory may belong to another snapshot of that name by now; its record tells. */
static int open_own_dir(int vm_dir, const char *name, const struct sf_id *uuid, struct sf_err *err)
{
	auto_fd int dir = sf_open_dir(vm_dir, name, err);
	struct sf_record record;
	bool own;
	int rc = dir < 0 ? dir : sf_state_read_record(dir, &record, err);

	if (rc < 0)
		return rc;
	own = sf_id_equal(&record.uuid, uuid);
	sf_record_fini(&record);
	return own ? sf_take_fd(&dir) : sf_fail(err, -ENOENT, "'%s' is another snapshot now", name);
}

/*
 * Renames and deletions go on meanwhile, first on disk and then in the catalog. So try the current name, then
 * the deleting name, and again a moment later.
 */
static int find_dir(struct sf_engine *engine, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	auto_fd int vm_dir = sf_engine_vm_dir(engine, snapshot->vm_id, err);
	char deleting[SF_ID_TEXT + 1];
	int dir = -ENOENT;

	if (vm_dir < 0)
		return vm_dir;
	sf_state_deleting_name(&snapshot->record.uuid, deleting);
	for (int attempt = 0; attempt < FIND_TRIES && dir == -ENOENT; attempt++) {
		struct sf_snapshot *now;

		(void)poll(NULL, 0, attempt); /* milliseconds; the first try does not wait */
		if (sf_catalog_snapshot_by_id(engine->catalog, snapshot->id, &now) < 0)
			return sf_fail(err, -ENOENT, "the snapshot is gone");
		dir = open_own_dir(vm_dir, now->record.name, &now->record.uuid, err);
		sf_snapshot_unref(now);
		if (dir == -ENOENT)
			dir = open_own_dir(vm_dir, deleting, &snapshot->record.uuid, err);
	}
	return dir;
}

/* Only some storages keep hole maps. Not fatal: without the directory, the map is not kept. */
static int find_map_dir(struct sf_engine *engine, const struct sf_storage *storage,
			const struct sf_snapshot *snapshot)
{
	struct sf_err why = {0};
	int dir = storage->ops->map ? find_dir(engine, snapshot, &why) : -EOPNOTSUPP;

	if (dir < 0 && storage->ops->map)
		sf_log(SF_LOG_WARNING, "%s/%s: nowhere to keep a hole map: %s", snapshot->record.vm_name,
		       snapshot->record.name, why.text);
	return dir;
}

/*
 * A reader would mistake an early end for the end of the disk. Data past the recorded end is not shown. A
 * rebuilt record has the size that its storage reported, which for an inactive classic snapshot is that of
 * the origin, and that may have grown since.
 */
static int check_size(const struct sf_record *record, const struct sf_record_disk *disk,
		      const struct sf_image *image, struct sf_err *err)
{
	if (record->rebuilt || image->size_bytes >= disk->stat.size_bytes)
		return 0;
	return sf_fail(err, -EIO, "its image has %" PRIu64 " of %" PRIu64 " bytes: it was cut short",
		       image->size_bytes, disk->stat.size_bytes);
}

static int open_disk(struct sf_engine *engine, const struct sf_snapshot *snapshot, size_t index,
		     struct sf_image **ret, struct sf_err *err)
{
	char map[SF_STATE_MAP_NAME];
	const struct sf_record_disk *disk;
	struct sf_storage *storage;
	struct sf_image *image;
	auto_fd int dir = -1;
	int rc;

	if (index >= snapshot->record.ndisks)
		return sf_fail(err, -ENOENT, "the snapshot has no disk number %zu", index);
	disk = &snapshot->record.disks[index];
	storage = sf_storages_by_name(engine->storages, disk->storage);
	if (!storage)
		return sf_fail(err, -EOPNOTSUPP, "this build has no storage '%s'", disk->storage);
	dir = find_map_dir(engine, storage, snapshot);
	sf_state_map_name(disk->object.vdev, map);
	rc = sf_object_image_mapped(storage, &disk->object, dir, map, &image, err);
	if (rc < 0)
		return rc == -ENOENT ? sf_fail(err, -EIO, "its volume is gone") : rc;
	rc = check_size(&snapshot->record, disk, image, err);
	if (rc < 0)
		sf_image_close(image);
	else
		*ret = image;
	return rc;
}

static int open_memory(struct sf_engine *engine, const struct sf_snapshot *snapshot, struct sf_image **ret,
		       struct sf_err *err)
{
	const struct sf_record_memory *memory = &snapshot->record.memory;
	struct sf_image *image;
	auto_fd int dir = -1;
	int rc;

	if (!memory->present)
		return sf_fail(err, -ENOENT, "the snapshot has no RAM");
	dir = find_dir(engine, snapshot, err);
	if (dir < 0)
		return dir;
	rc = sf_image_open_file(dir, SF_STATE_MEMORY, SF_STATE_MEMORY, &image, err);
	if (rc < 0)
		return rc;
	if (image->size_bytes != memory->size_bytes) {
		sf_image_close(image);
		return sf_fail(err, -EIO, SF_STATE_MEMORY " does not have the size that was saved");
	}
	*ret = image;
	return 0;
}

int sf_engine_image_open(struct sf_engine *engine, struct sf_snapshot *snapshot, size_t file,
			 struct sf_image **ret, struct sf_err *err)
{
	int rc = sf_catalog_open(engine->catalog, snapshot->id);

	if (rc < 0)
		return sf_fail(err, rc, "the snapshot is gone");
	if (file == SF_FILE_MEMORY)
		rc = open_memory(engine, snapshot, ret, err);
	else
		rc = open_disk(engine, snapshot, file, ret, err);
	if (rc == 0)
		return 0;
	if (sf_catalog_close(engine->catalog, snapshot->id))
		sf_keeper_push(engine, snapshot->id);
	return rc;
}

void sf_engine_image_close(struct sf_engine *engine, uint64_t snapshot_id, struct sf_image *image)
{
	sf_image_close(image);
	if (sf_catalog_close(engine->catalog, snapshot_id))
		sf_keeper_push(engine, snapshot_id);
}

int sf_engine_manifest(struct sf_engine *engine, const struct sf_snapshot *snapshot, char **ret,
		       struct sf_err *err)
{
	auto_fd int dir = find_dir(engine, snapshot, err);
	size_t len;

	return dir < 0 ? dir : sf_durable_read(dir, SF_STATE_MANIFEST, SF_MANIFEST_BYTES_MAX, ret, &len, err);
}

/* --- space --- */

static void keep_fullest(struct sf_space *fullest, bool *any, const struct sf_space *space)
{
	if (!*any || space->free_bytes < fullest->free_bytes)
		*fullest = *space;
	*any = true;
}

static void space_of_vm(struct sf_engine *engine, const struct sf_vm_desc *vm, struct sf_space *fullest,
			bool *any)
{
	for (size_t i = 0; i < vm->ndisks; i++) {
		struct sf_volume *volume;
		struct sf_space space;

		if (sf_volume_open(engine->storages, vm->name, &vm->disks[i], &volume, NULL) < 0)
			continue;
		if (sf_volume_space(volume, &space, NULL) == 0)
			keep_fullest(fullest, any, &space);
		sf_volume_close(volume);
	}
}

/* Copies the VM's description, so that no lock is held while its disks are opened. */
static int copy_vm(struct sf_engine *engine, size_t index, uint64_t vm_id, struct sf_vm_desc *ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	if (index >= engine->nvms)
		return -ENOENT;
	if (vm_id && engine->vms[index]->id != vm_id) {
		memset(ret, 0, sizeof(*ret));
		return 0;
	}
	return sf_vm_desc_copy(&engine->vms[index]->desc, ret);
}

int sf_engine_space(struct sf_engine *engine, uint64_t vm_id, struct sf_space *ret, struct sf_err *err)
{
	struct sf_vm_desc vm;
	struct sf_space fullest = {0};
	bool any = false;

	for (size_t i = 0; copy_vm(engine, i, vm_id, &vm) == 0; i++) {
		space_of_vm(engine, &vm, &fullest, &any);
		sf_vm_desc_fini(&vm);
	}
	if (!any)
		return sf_state_space(engine->state, ret, NULL, err);
	*ret = fullest;
	return 0;
}

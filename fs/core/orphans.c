/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes with our mark that no record owns: reported, never touched. Disks that cannot be opened are noticed
 * on the way.
 */
#include "engine_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct owned {
	struct sf_engine *engine;
	struct sf_id *tokens;
	size_t n;
};

static int collect(struct owned *owned, const struct sf_snapshot *snapshot)
{
	const struct sf_record *record = &snapshot->record;
	struct sf_id *tokens = realloc(owned->tokens, (owned->n + record->ndisks) * sizeof(*tokens));

	if (!tokens)
		return -ENOMEM;
	owned->tokens = tokens;
	for (size_t i = 0; i < record->ndisks; i++)
		owned->tokens[owned->n++] = record->disks[i].object.token;
	return 0;
}

static int compare_tokens(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sf_id));
}

static int check_owner(void *arg, const struct sf_id *token, const char *where, struct sf_err *err)
{
	const struct owned *owned = arg;

	(void)err;
	if (!owned->n || !bsearch(token, owned->tokens, owned->n, sizeof(*token), compare_tokens))
		sf_health_set(owned->engine->health, "orphan", where,
			      "no record owns this volume; it is left alone");
	return 0;
}

static void look_at_origins(struct sf_engine *engine, struct owned *owned, const struct sf_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->record.ndisks; i++) {
		const struct sf_record_disk *disk = &snapshot->record.disks[i];
		struct sf_storage *storage = sf_storages_by_name(engine->storages, disk->storage);

		if (storage)
			(void)sf_object_list(storage, disk->object.origin, check_owner, owned,
					     NULL); /* a courtesy */
	}
}

static void look_at_disks(struct sf_engine *engine, struct owned *owned, const struct sf_engine_vm *vm)
{
	for (size_t i = 0; i < vm->desc.ndisks; i++) {
		const struct sf_disk *disk = &vm->desc.disks[i];
		char subject[SF_NAME_MAX + SF_VDEV_MAX + 2];
		struct sf_err err = {0};
		struct sf_volume *volume;

		(void)snprintf(subject, sizeof(subject), "%s:%s", vm->name, disk->vdev);
		if (sf_volume_open(engine->storages, vm->desc.name, disk, &volume, &err) < 0) {
			sf_health_set(engine->health, "disk", subject, "%s", err.text);
			continue;
		}
		(void)sf_object_list(volume->storage, volume->origin, check_owner, owned,
				     NULL); /* a courtesy */
		sf_volume_close(volume);
	}
}

void sf_find_orphans(struct sf_engine *engine)
{
	struct owned owned = {.engine = engine};
	struct sf_snapshot **list;
	size_t n;

	for (size_t i = 0; i < engine->nvms; i++) {
		if (sf_catalog_snapshots(engine->catalog, engine->vms[i]->id, &list, &n) < 0)
			continue;
		for (size_t k = 0; k < n; k++)
			(void)collect(&owned, list[k]); /* out of memory: an orphan too many is reported */
		sf_catalog_snapshots_free(list, n);
	}
	if (owned.n)
		qsort(owned.tokens, owned.n, sizeof(*owned.tokens), compare_tokens);
	for (size_t i = 0; i < engine->nvms; i++) {
		look_at_disks(engine, &owned, engine->vms[i]);
		if (sf_catalog_snapshots(engine->catalog, engine->vms[i]->id, &list, &n) < 0)
			continue;
		for (size_t k = 0; k < n; k++)
			look_at_origins(engine, &owned, list[k]);
		sf_catalog_snapshots_free(list, n);
	}
	free(owned.tokens);
}

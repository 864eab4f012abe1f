/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds orphans: volumes with our mark that no record owns. Groups them by their labels, rebuilds records
 * from them if requested (rescan.c), otherwise reports them without touching them. A volume that a record may
 * own which could not be read is no orphan. Also reports disks that cannot be opened.
 */
#include "orphans.h"

#include "internal.h"
#include "rescan.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Limit, about 25 MiB. Further orphans are reported without their labels, and nothing is rebuilt. */
#define ORPHANS_MAX 65536

struct search {
	struct sf_engine *engine;
	struct sf_id *tokens; /* owned by records, sorted */
	size_t ntokens;
	struct sf_orphan *orphans;
	size_t norphans, room;
	struct place {
		struct sf_storage *storage;
		char *origin;
	} * asked; /* origins whose objects (or whose directory's) are listed */
	size_t nasked;
	bool whole; /* nothing is missing from the lists */

	struct sf_storage *storage; /* being listed */
	const char *origin;
};

/* --- what records own --- */

static int collect(struct search *search, const struct sf_snapshot *snapshot)
{
	const struct sf_record *record = &snapshot->record;
	struct sf_id *tokens = realloc(search->tokens, (search->ntokens + record->ndisks) * sizeof(*tokens));

	if (!tokens)
		return -ENOMEM;
	search->tokens = tokens;
	for (size_t i = 0; i < record->ndisks; i++)
		search->tokens[search->ntokens++] = record->disks[i].object.token;
	return 0;
}

static int compare_tokens(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct sf_id));
}

/* Calls fn for every snapshot. Returns false if memory ran out. */
static bool each_snapshot(struct search *search, int (*fn)(struct search *, const struct sf_snapshot *))
{
	struct sf_engine *engine = search->engine;
	bool all = true;

	for (size_t i = 0; i < engine->nvms; i++) {
		struct sf_snapshot **list;
		size_t n;
		int rc = sf_catalog_snapshots(engine->catalog, engine->vms[i]->id, &list, &n);

		if (rc < 0) {
			all = all && rc == -ENOENT;
			continue;
		}
		for (size_t k = 0; k < n; k++)
			all = fn(search, list[k]) == 0 && all;
		sf_catalog_snapshots_free(list, n);
	}
	return all;
}

/* --- finding orphans --- */

static bool is_owned(const struct search *search, const struct sf_id *token)
{
	return search->ntokens &&
	       bsearch(token, search->tokens, search->ntokens, sizeof(*token), compare_tokens);
}

/* Labels are untrusted: anyone who may create volumes can write them. */
static bool labels_make_sense(const struct sf_object *object)
{
	return object->ndisks > 0 && object->ndisks <= SF_VM_DISKS_MAX && object->index < object->ndisks &&
	       sf_vdev_check(object->vdev, NULL) == 0 && sf_name_check(object->vm, NULL) == 0 &&
	       sf_name_check(object->snapshot, NULL) == 0;
}

static void take_labels(struct sf_orphan *orphan, const struct sf_object *object)
{
	orphan->uuid = object->uuid;
	orphan->index = object->index;
	orphan->ndisks = object->ndisks;
	orphan->taken_ns = object->taken_ns;
	memcpy(orphan->vdev, object->vdev, sizeof(orphan->vdev));
	memcpy(orphan->vm, object->vm, sizeof(orphan->vm));
	memcpy(orphan->vm_uuid, object->vm_uuid, sizeof(orphan->vm_uuid));
	memcpy(orphan->snapshot, object->snapshot, sizeof(orphan->snapshot));
}

static int keep_orphan(struct search *search, const struct sf_object *object, const char *where)
{
	size_t room = search->room ? 2 * search->room : 64;
	auto_free char *origin = strdup(object->origin ? object->origin : search->origin);
	auto_free char *place = strdup(where);
	struct sf_orphan *orphan;

	if (!origin || !place || search->norphans == ORPHANS_MAX)
		return -ENOMEM;
	if (search->norphans == search->room) {
		orphan = realloc(search->orphans, room * sizeof(*orphan));
		if (!orphan)
			return -ENOMEM;
		search->orphans = orphan;
		search->room = room;
	}
	orphan = &search->orphans[search->norphans++];
	*orphan = (struct sf_orphan){.storage = search->storage, .token = object->token};
	orphan->origin = sf_take_ptr(&origin);
	orphan->where = sf_take_ptr(&place);
	if (labels_make_sense(object))
		take_labels(orphan, object);
	return 0;
}

static int check_owner(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	struct search *search = arg;

	(void)err;
	if (is_owned(search, &object->token) || keep_orphan(search, object, where) == 0)
		return 0;
	search->whole = false;
	sf_health_set(search->engine->health, "orphan", where,
		      "no record owns this volume; it is left alone");
	return 0;
}

static bool told_the_same(const struct sf_storage *storage, const char *a, const char *b)
{
	const char *a_name = strrchr(a, '/'), *b_name = strrchr(b, '/');

	if (!storage->ops->lists_directories || !a_name || !b_name)
		return strcmp(a, b) == 0;
	return a_name - a == b_name - b && memcmp(a, b, (size_t)(a_name - a)) == 0;
}

/* Lists each origin's objects once: many snapshots share an origin, and many origins a directory. */
static void ask(struct search *search, struct sf_storage *storage, const char *origin)
{
	struct sf_err why = {0};
	struct place *asked;

	for (size_t i = 0; i < search->nasked; i++)
		if (search->asked[i].storage == storage &&
		    told_the_same(storage, search->asked[i].origin, origin))
			return;
	search->storage = storage;
	search->origin = origin;
	if (sf_object_list(storage, origin, check_owner, search, &why) < 0 && why.code != -ENODEV) {
		search->whole = false;
		sf_log(SF_LOG_WARNING, "not all snapshots of %s could be listed: %s", origin, why.text);
	}
	asked = realloc(search->asked, (search->nasked + 1) * sizeof(*asked));
	if (!asked)
		return;
	search->asked = asked;
	asked[search->nasked] = (struct place){storage, strdup(origin)};
	search->nasked += asked[search->nasked].origin != NULL;
}

static int look_at_origins(struct search *search, const struct sf_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->record.ndisks; i++) {
		const struct sf_record_disk *disk = &snapshot->record.disks[i];
		struct sf_storage *storage = sf_storages_by_name(search->engine->storages, disk->storage);

		if (storage)
			ask(search, storage, disk->object.origin);
	}
	return 0;
}

static void look_at_disks(struct search *search, const struct sf_engine_vm *vm)
{
	struct sf_engine *engine = search->engine;

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
		ask(search, volume->storage, volume->origin);
		sf_volume_close(volume);
	}
}

/* --- grouping --- */

/* Orphans without labels first, then by snapshot and disk. */
static int compare_orphans(const void *a, const void *b)
{
	const struct sf_orphan *x = a, *y = b;
	int order = (x->ndisks > 0) - (y->ndisks > 0);

	if (order == 0)
		order = memcmp(&x->uuid, &y->uuid, sizeof(x->uuid));
	if (order == 0)
		order = (x->index > y->index) - (x->index < y->index);
	return order ? order : memcmp(&x->token, &y->token, sizeof(x->token));
}

static void free_orphan(struct sf_orphan *orphan)
{
	free(orphan->origin);
	free(orphan->where);
}

/* Sorts the orphans and drops duplicates, which arise when several origins' lists show a volume. */
static void sort(struct search *search)
{
	size_t n = 0;

	if (search->norphans)
		qsort(search->orphans, search->norphans, sizeof(*search->orphans), compare_orphans);
	for (size_t i = 0; i < search->norphans; i++) {
		struct sf_orphan *orphan = &search->orphans[i];

		if (n > 0 && search->orphans[n - 1].storage == orphan->storage &&
		    sf_id_equal(&search->orphans[n - 1].token, &orphan->token))
			free_orphan(orphan);
		else
			search->orphans[n++] = *orphan;
	}
	search->norphans = n;
}

/*
 * Whether the group is all the disks of one snapshot, each once. An interrupted rename leaves two different
 * names.
 */
static bool is_complete(const struct sf_orphan *group, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (group[i].ndisks != n || group[i].index != i || group[i].taken_ns != group[0].taken_ns ||
		    strcmp(group[i].vm, group[0].vm) != 0 || strcmp(group[i].vm_uuid, group[0].vm_uuid) != 0)
			return false;
		for (size_t k = 0; k < i; k++)
			if (group[i].storage == group[k].storage &&
			    strcmp(group[i].origin, group[k].origin) == 0)
				return false;
	}
	return true;
}

static void report_group(struct sf_health *health, const struct sf_orphan *group, size_t n, const char *fate)
{
	for (size_t i = 0; i < n; i++)
		sf_health_set(health, "orphan", group[i].where,
			      "no record owns this volume; it is disk %s of the snapshot '%s/%s', %s",
			      group[i].vdev, group[i].vm, group[i].snapshot, fate);
}

static void report_incomplete(struct sf_health *health, const struct sf_orphan *group, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sf_health_set(health, "orphan", group[i].where,
			      "no record owns this volume; it is part of the incomplete snapshot '%s/%s' "
			      "(disk %s, number %u of %u; %zu found), and left alone",
			      group[i].vm, group[i].snapshot, group[i].vdev, group[i].index + 1,
			      group[i].ndisks, n);
}

static void settle_group(struct sf_engine *engine, const struct sf_orphan *group, size_t n, bool rebuild)
{
	char fate[SF_ERR_TEXT + 64];
	struct sf_err why = {0};

	if (!is_complete(group, n)) {
		report_incomplete(engine->health, group, n);
	} else if (!rebuild) {
		report_group(engine->health, group, n, "which --rescan would rebuild; it is left alone");
	} else if (sf_rebuild(engine, group, n, &why) < 0) {
		(void)snprintf(fate, sizeof(fate), "which cannot be rebuilt: %s", why.text);
		report_group(engine->health, group, n, fate);
	}
}

static void settle_orphans(struct search *search, bool rebuild)
{
	const struct sf_orphan *list = search->orphans;
	size_t end;

	for (size_t i = 0; i < search->norphans; i = end) {
		end = i + 1;
		if (list[i].ndisks == 0) {
			sf_health_set(search->engine->health, "orphan", list[i].where,
				      "no record owns this volume; it is left alone");
			continue;
		}
		while (end < search->norphans && sf_id_equal(&list[end].uuid, &list[i].uuid))
			end++;
		settle_group(search->engine, &list[i], end - i, rebuild);
	}
}

/* Whether a record that is not in the catalog may own volumes. */
static bool in_doubt(const struct sf_engine *engine, bool all_known)
{
	for (size_t i = 0; i < engine->nvms; i++)
		all_known = all_known && !engine->vms[i]->unsure;
	return !all_known;
}

static void report_doubts(const struct search *search)
{
	for (size_t i = 0; i < search->norphans; i++)
		sf_health_set(
			search->engine->health, "unowned", search->orphans[i].where,
			"no record owns this volume, but not all records could be read; it is left alone");
}

/*
 * While records are unread or unsettled, a volume may look like an orphan without being one; a second record
 * for it would do harm.
 */
static bool may_rebuild(const struct search *search, bool all_known)
{
	struct sf_engine *engine = search->engine;
	const char *unsettled = NULL;

	if (!engine->config->rescan)
		return false;
	for (size_t i = 0; i < engine->nvms; i++)
		if (engine->vms[i]->unsettled)
			unsettled = engine->vms[i]->name;
	if (unsettled)
		sf_health_set(engine->health, "rescan", "state",
			      "nothing is rebuilt while work on VM '%s' is half done", unsettled);
	else if (!all_known || !search->whole)
		sf_health_set(engine->health, "rescan", "state",
			      "nothing is rebuilt: not all records or volumes could be read");
	return !unsettled && all_known && search->whole;
}

void sf_find_orphans(struct sf_engine *engine, bool all_known)
{
	struct search search = {.engine = engine};
	bool rebuild;

	search.whole = each_snapshot(&search, collect);
	if (search.ntokens)
		qsort(search.tokens, search.ntokens, sizeof(*search.tokens), compare_tokens);
	for (size_t i = 0; i < engine->nvms; i++)
		look_at_disks(&search, engine->vms[i]);
	(void)each_snapshot(&search, look_at_origins);
	sort(&search);
	rebuild = may_rebuild(&search, all_known);
	if (in_doubt(engine, all_known))
		report_doubts(&search);
	else
		settle_orphans(&search, rebuild);
	for (size_t i = 0; i < search.norphans; i++)
		free_orphan(&search.orphans[i]);
	for (size_t i = 0; i < search.nasked; i++)
		free(search.asked[i].origin);
	free(search.asked);
	free(search.orphans);
	free(search.tokens);
}

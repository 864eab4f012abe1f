/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's documents except metrics: .vm.json, .snapshots.json, jobs.json, health.json, schedules.json
 * and last-error. Each is generated anew whenever it is opened.
 */
#include "core/engine/engine.h"
#include "core/engine/internal.h"
#include "core/engine/sharing.h"
#include "core/engine/vms.h"
#include "core/engine/watchers.h"

#include "base/json.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- .vm.json --- */

/* Foreign snapshots of one disk that are listed; more are only counted. */
#define FOREIGN_MAX 1000

struct shown_usages {
	json_t *list;
	const char *origin;
	const char *pool; /* "": unknown */
};

static void add_usage(void *arg, const struct sf_usage *usage)
{
	const struct shown_usages *shown = arg;
	bool concerned = *usage->origin ? strcmp(usage->origin, shown->origin) == 0
					: *shown->pool && strcmp(usage->pool, shown->pool) == 0;
	json_t *item;

	if (!concerned)
		return;
	item = json_pack("{s:s, s:o, s:I, s:I}", "kind", usage->kind, "subject",
			 sf_json_lossy(usage->subject), "used_bytes", (json_int_t)usage->used_bytes,
			 "total_bytes", (json_int_t)usage->total_bytes);
	if (item && usage->warn_percent)
		json_object_set_new(item, "warn_percent", json_integer(usage->warn_percent));
	if (item && usage->stop_percent)
		json_object_set_new(item, "stop_percent", json_integer(usage->stop_percent));
	if (item && *usage->problem)
		json_object_set_new(item, "problem", sf_json_lossy(usage->problem));
	json_array_append_new(shown->list, item);
}

struct shown_foreign {
	json_t *list;
	size_t unlisted;
};

static int add_one_foreign(void *arg, const char *where, const struct sf_id *state_id, struct sf_err *err)
{
	struct shown_foreign *shown = arg;
	char id[SF_ID_TEXT];

	(void)err;
	if (json_array_size(shown->list) == FOREIGN_MAX) {
		shown->unlisted++;
		return 0;
	}
	if (state_id)
		sf_id_format(state_id, id);
	json_array_append_new(shown->list, json_pack("{s:o, s:o}", "where", sf_json_lossy(where), "snapfs",
						     state_id ? json_string(id) : json_null()));
	return 0;
}

/* If the storage cannot tell, the members are left out: an empty list would say that there are none. */
static void add_foreign(json_t *item, struct sf_volume *volume)
{
	struct shown_foreign shown = {.list = json_array()};
	struct sf_err err = {0};

	if (!volume->storage->ops->foreign) {
		json_decref(shown.list);
		return;
	}
	if (sf_volume_foreign(volume, add_one_foreign, &shown, &err) < 0)
		json_object_set_new(item, "foreign_snapshots_error", sf_json_lossy(err.text));
	json_object_set_new(item, "foreign_snapshots", shown.list);
	if (shown.unlisted)
		json_object_set_new(item, "foreign_snapshots_unlisted",
				    json_integer((json_int_t)shown.unlisted));
}

static void add_note(void *arg, const char *text)
{
	json_array_append_new(arg, sf_json_lossy(text));
}

static void add_notes(json_t *item, struct sf_volume *volume)
{
	json_t *list = json_array();
	struct sf_err err = {0};

	if (sf_volume_notes(volume, add_note, list, &err) < 0)
		add_note(list, err.text);
	json_object_set_new(item, "notes", list);
}

static void add_volume(struct sf_engine *engine, json_t *item, struct sf_volume *volume)
{
	struct shown_usages usages = {.list = json_array(), .origin = volume->origin};
	struct sf_volume_stat stat;
	struct sf_space space = {.pool = ""};

	json_object_set_new(item, "storage", json_string(volume->storage->ops->name));
	json_object_set_new(item, "origin", sf_json_lossy(volume->origin));
	if (sf_volume_stat(volume, &stat, NULL) == 0) {
		json_object_set_new(item, "size_bytes", json_integer((json_int_t)stat.size_bytes));
		json_object_set_new(item, "allocated_bytes", json_integer((json_int_t)stat.allocated_bytes));
		json_object_set_new(item, "method", json_string(stat.method));
		json_object_set_new(item, "instant", json_boolean(stat.instant));
	}
	if (sf_volume_space(volume, &space, NULL) == 0)
		json_object_set_new(item, "space",
				    json_pack("{s:o, s:I, s:I}", "pool", sf_json_lossy(space.pool),
					      "total_bytes", (json_int_t)space.total_bytes, "free_bytes",
					      (json_int_t)space.free_bytes));
	add_notes(item, volume);
	usages.pool = space.pool;
	sf_watchers_each(engine->watchers, add_usage, &usages);
	json_object_set_new(item, "usage", usages.list);
	add_foreign(item, volume);
}

static json_t *disk_json(struct sf_engine *engine, uint64_t vm_id, const struct sf_vm_desc *vm,
			 const struct sf_disk *disk)
{
	json_t *item = json_pack("{s:s, s:o}", "vdev", disk->vdev, "spec", sf_json_lossy(disk->spec));
	char other[SF_NAME_MAX + 1];
	struct sf_volume *volume;
	struct sf_err err = {0};

	if (sf_sharing_of(engine, vm_id, disk->vdev, other))
		json_object_set_new(item, "also_disk_of", sf_json_lossy(other));
	if (sf_volume_open(engine->storages, vm->name, disk, &volume, &err) < 0) {
		json_object_set_new(item, "error", sf_json_lossy(err.text));
		return item;
	}
	add_volume(engine, item, volume);
	sf_volume_close(volume);
	return item;
}

static json_t *policy_json(const struct sf_policy *policy)
{
	return json_pack(
		"{s:b, s:b, s:b, s:I, s:I, s:s?}", "memory", policy->memory, "live", policy->live, "quiesce",
		policy->quiesce, "pause_deadline_ms", (json_int_t)policy->pause_deadline_ms, "max_snapshots",
		(json_int_t)policy->max_snapshots, "timezone", *policy->timezone ? policy->timezone : NULL);
}

static json_t *left_out_json(const struct sf_vm_desc *vm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vm->nleft_out; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "disk", vm->left_out[i].vdev,
						      "reason", sf_json_lossy(vm->left_out[i].reason),
						      "writable", vm->left_out[i].writable));
	return list;
}

/* A copy of what the document shows from the table of VMs. */
struct vm_view {
	struct sf_vm_desc desc;
	char name[SF_NAME_MAX + 1];
	bool present, busy, unsettled;
};

static int view_vm(struct sf_engine *engine, uint64_t vm_id, struct vm_view *ret)
{
	const struct sf_engine_vm *vm = sf_engine_vm_by_id(engine, vm_id);
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	if (!vm)
		return -ENOENT;
	memcpy(ret->name, vm->name, sizeof(ret->name));
	ret->present = vm->present;
	ret->busy = vm->busy;
	ret->unsettled = vm->unsettled;
	return sf_vm_desc_copy(&vm->desc, &ret->desc);
}

static json_t *vm_json(struct sf_engine *engine, uint64_t vm_id, const struct vm_view *view)
{
	enum sf_power power = SF_POWER_UNKNOWN;
	struct sf_vm_info info = {0};
	json_t *disks = json_array(), *root;
	struct sf_err err = {0};
	int rc = 0;

	if (view->present)
		rc = sf_hypervisor_power(engine->hv, &view->desc, &power, &err);
	(void)sf_catalog_vm_by_id(engine->catalog, vm_id, &info); /* unknown: no snapshots */
	for (size_t i = 0; i < view->desc.ndisks; i++)
		json_array_append_new(disks, disk_json(engine, vm_id, &view->desc, &view->desc.disks[i]));
	root = json_pack("{s:o, s:o, s:b, s:s, s:s, s:I, s:b, s:b, s:I, s:o, s:o, s:o}", "name",
			 sf_json_lossy(view->name), "uuid",
			 *view->desc.uuid ? sf_json_lossy(view->desc.uuid) : json_null(), "present",
			 view->present, "hypervisor", engine->hv->ops->name, "power", sf_power_name(power),
			 "memory_bytes", (json_int_t)view->desc.memory_bytes, "busy", view->busy, "unsettled",
			 view->unsettled, "snapshots", (json_int_t)info.nsnapshots, "policy",
			 policy_json(sf_config_policy(engine->config, view->desc.name)), "disks", disks,
			 "left_out", left_out_json(&view->desc));
	if (root && rc < 0)
		json_object_set_new(root, "error", sf_json_lossy(err.text));
	return root;
}

char *sf_engine_vm_json(struct sf_engine *engine, uint64_t vm_id)
{
	auto_json json_t *root = NULL;
	struct vm_view view = {0};

	sf_engine_refresh(engine);
	if (view_vm(engine, vm_id, &view) < 0)
		return NULL;
	root = vm_json(engine, vm_id, &view);
	sf_vm_desc_fini(&view.desc);
	return sf_json_text(root, NULL);
}

/* --- .snapshots.json --- */

/* Thousands of records take many megabytes: print them one by one instead of building a tree first. */
static int print_snapshots(FILE *out, struct sf_snapshot *const *list, size_t n)
{
	const char *comma = "";
	int rc = 0;

	(void)fputs("{\"snapshots\": [", out);
	for (size_t i = 0; i < n && rc == 0; i++) {
		(void)fputs(i ? ",\n" : "\n", out);
		rc = sf_record_print(&list[i]->record, out);
	}
	(void)fputs("\n], \"broken\": [", out);
	for (size_t i = 0; i < n; i++) {
		auto_json json_t *name = list[i]->broken ? json_string(list[i]->record.name) : NULL;

		if (!name)
			continue;
		(void)fputs(comma, out);
		if (json_dumpf(name, out, JSON_ENCODE_ANY) < 0)
			rc = -EIO;
		comma = ", ";
	}
	(void)fputs("]}\n", out);
	return rc;
}

char *sf_engine_snapshots_json(struct sf_engine *engine, uint64_t vm_id)
{
	struct sf_snapshot **list;
	char *text = NULL;
	size_t n, len;
	FILE *out;
	int rc;

	if (sf_catalog_snapshots(engine->catalog, vm_id, &list, &n) < 0)
		return NULL;
	out = open_memstream(&text, &len);
	rc = out ? print_snapshots(out, list, n) : -ENOMEM;
	sf_catalog_snapshots_free(list, n);
	if (out && fclose(out) != 0)
		rc = -ENOMEM;
	if (rc == 0)
		return text;
	free(text);
	return NULL;
}

/* --- .snapfs --- */

char *sf_engine_jobs_json(struct sf_engine *engine)
{
	return sf_jobs_json(engine->jobs);
}

char *sf_engine_health_json(struct sf_engine *engine)
{
	return sf_health_json(engine->health, engine->config->state_dir);
}

char *sf_engine_schedules_json(struct sf_engine *engine)
{
	return sf_runs_json(engine->runs);
}

char *sf_engine_last_error(struct sf_engine *engine)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	char when[SF_TIME_TEXT];
	char *text;

	if (engine->last_error_ns == 0)
		return strdup("");
	sf_time_format(engine->last_error_ns, when);
	if (asprintf(&text, "%s %s %s\n", when, sf_errno_name(engine->last_error.code),
		     engine->last_error.text) < 0)
		return NULL;
	return text;
}

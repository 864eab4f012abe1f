/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of VMs: their identities, names and directories. engine->lock guards all of it. */
#include "vms.h"

#include "engine.h"
#include "internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MS 1000

static struct sf_engine_vm *by_id(struct sf_engine *engine, uint64_t id)
{
	for (size_t i = 0; i < engine->nvms; i++)
		if (engine->vms[i]->id == id)
			return engine->vms[i];
	return NULL;
}

static struct sf_engine_vm *by_name(struct sf_engine *engine, const char *name)
{
	for (size_t i = 0; i < engine->nvms; i++)
		if (strcmp(engine->vms[i]->name, name) == 0)
			return engine->vms[i];
	return NULL;
}

/*
 * Finds a VM by uuid, or by name if one side has no uuid: a VM that was first known by name keeps its
 * snapshots when a hypervisor assigns it a uuid.
 */
static struct sf_engine_vm *by_identity(struct sf_engine *engine, const char *uuid, const char *name)
{
	struct sf_engine_vm *vm = by_id(engine, sf_vm_id(uuid, name));

	if (vm)
		return vm;
	for (size_t i = 0; i < engine->nvms; i++) {
		vm = engine->vms[i];
		if (*uuid && strcmp(vm->desc.uuid, uuid) == 0)
			return vm;
		if (strcmp(vm->desc.name, name) == 0 && (!*uuid || !*vm->desc.uuid))
			return vm;
	}
	return NULL;
}

/* The name, marked with the VM's id if another VM uses it. */
static void free_name(struct sf_engine *engine, const struct sf_engine_vm *vm, const char *wanted,
		      char name[static SF_NAME_MAX + 1])
{
	const struct sf_engine_vm *other = by_name(engine, wanted);

	if (!other || other == vm)
		(void)snprintf(name, SF_NAME_MAX + 1, "%s", wanted);
	else
		(void)snprintf(name, SF_NAME_MAX + 1, "%.*s~%08llx", SF_NAME_MAX - 9, wanted,
			       (unsigned long long)(vm->id >> 32));
}

static struct sf_engine_vm *add_vm(struct sf_engine *engine, uint64_t id)
{
	struct sf_engine_vm **list = realloc(engine->vms, (engine->nvms + 1) * sizeof(struct sf_engine_vm *));
	struct sf_engine_vm *vm = calloc(1, sizeof(*vm));

	if (list)
		engine->vms = list;
	if (!list || !vm) {
		free(vm);
		return NULL;
	}
	vm->id = id;
	engine->vms[engine->nvms++] = vm;
	return vm;
}

/* Publishes the VM's current state. The catalog keeps the id under which the VM was first seen. */
static void show(struct sf_engine *engine, struct sf_engine_vm *vm)
{
	char name[SF_NAME_MAX + 1];

	free_name(engine, vm, vm->desc.name, name);
	memcpy(vm->name, name, sizeof(name));
	if (sf_catalog_vm_put(engine->catalog, vm->id, name, vm->present) < 0)
		sf_log(SF_LOG_ERROR, "VM '%s' cannot be shown: out of memory", name);
}

static bool has_these_disks(const struct sf_engine_vm *vm, const struct sf_vm_desc *listed)
{
	for (size_t i = 0; i < listed->ndisks && i < vm->desc.ndisks; i++)
		if (strcmp(listed->disks[i].vdev, vm->desc.disks[i].vdev) != 0 ||
		    strcmp(listed->disks[i].spec, vm->desc.disks[i].spec) != 0)
			return false;
	return listed->ndisks == vm->desc.ndisks;
}

static void merge(struct sf_engine *engine, struct sf_vm_desc *listed)
{
	struct sf_engine_vm *vm = by_identity(engine, listed->uuid, listed->name);

	if (!vm)
		vm = add_vm(engine, sf_vm_id(listed->uuid, listed->name));
	if (!vm)
		return;
	if (!vm->was_present || !has_these_disks(vm, listed))
		engine->disks_changed = true;
	sf_vm_desc_fini(&vm->desc);
	vm->desc = *listed;
	memset(listed, 0, sizeof(*listed));
	vm->present = true;
}

/* Present VMs take precedence over those that are gone when names collide. */
static void show_all(struct sf_engine *engine)
{
	for (size_t i = 0; i < engine->nvms; i++)
		engine->vms[i]->name[0] = '\0';
	for (size_t i = 0; i < engine->nvms; i++)
		if (engine->vms[i]->present)
			show(engine, engine->vms[i]);
	for (size_t i = 0; i < engine->nvms; i++)
		if (!engine->vms[i]->present)
			show(engine, engine->vms[i]);
}

void sf_engine_list(struct sf_engine *engine)
{
	struct sf_vm_list list = {0};
	struct sf_err err = {0};

	if (sf_hypervisor_list(engine->hv, &list, &err) < 0) {
		sf_health_set(engine->health, "hypervisor", "list", "%s", err.text);
		pthread_mutex_lock(&engine->lock);
		engine->listed = false;
		engine->list_error = err;
		pthread_mutex_unlock(&engine->lock);
		return;
	}
	sf_health_clear(engine->health, "hypervisor", "list");
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		engine->listed = true;
		for (size_t i = 0; i < engine->nvms; i++) {
			engine->vms[i]->was_present = engine->vms[i]->present;
			engine->vms[i]->present = false;
		}
		for (size_t i = 0; i < list.nvms; i++)
			merge(engine, &list.vms[i]);
		for (size_t i = 0; i < engine->nvms; i++)
			if (engine->vms[i]->was_present && !engine->vms[i]->present)
				engine->disks_changed = true;
		show_all(engine);
		if (engine->disks_changed) {
			engine->nchanges++;
			pthread_cond_broadcast(&engine->changed);
		}
	}
	sf_vm_list_fini(&list);
}

/* Call with the engine's lock held. */
static bool is_stale(const struct sf_engine *engine, uint64_t now)
{
	return !engine->refreshing && now - engine->refreshed_ms >= REFRESH_MS;
}

bool sf_engine_is_stale(struct sf_engine *engine)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	return is_stale(engine, sf_clock_mono_ms());
}

void sf_engine_refresh(struct sf_engine *engine)
{
	uint64_t now = sf_clock_mono_ms();

	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		if (!is_stale(engine, now))
			return;
		engine->refreshing = true;
	}
	sf_engine_list(engine);
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		engine->refreshing = false;
		engine->refreshed_ms = now;
	}
}

static struct sf_engine_vm *known_or_gone(struct sf_engine *engine, const char *uuid, const char *name)
{
	struct sf_engine_vm *vm = by_identity(engine, uuid, name);

	if (vm)
		return vm;
	vm = add_vm(engine, sf_vm_id(uuid, name));
	if (!vm)
		return NULL;
	(void)snprintf(vm->desc.name, sizeof(vm->desc.name), "%s", name);
	(void)snprintf(vm->desc.uuid, sizeof(vm->desc.uuid), "%s", uuid);
	return vm;
}

int sf_engine_vm_of(struct sf_engine *engine, const char *uuid, const char *name, struct sf_engine_vm **ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	struct sf_engine_vm *vm = known_or_gone(engine, uuid, name);

	if (!vm)
		return -ENOMEM;
	show(engine, vm);
	*ret = vm;
	return 0;
}

void sf_engine_give_dir(struct sf_engine *engine, struct sf_engine_vm *vm, const char *dir)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	(void)snprintf(vm->dir, sizeof(vm->dir), "%s", dir);
}

const struct sf_engine_vm *sf_engine_home(struct sf_engine *engine, const char *uuid, const char *name,
					  char dir[static SF_VM_DIR])
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	const struct sf_engine_vm *vm = by_identity(engine, uuid, name);

	(void)snprintf(dir, SF_VM_DIR, "%s", vm ? vm->dir : "");
	return vm;
}

struct sf_engine_vm *sf_engine_vm_by_id(struct sf_engine *engine, uint64_t id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	return by_id(engine, id);
}

int sf_engine_vm_dir(struct sf_engine *engine, uint64_t vm_id, struct sf_err *err)
{
	char dir[SF_VM_DIR] = "";

	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
		const struct sf_engine_vm *vm = by_id(engine, vm_id);

		if (vm)
			memcpy(dir, vm->dir, sizeof(dir));
	}
	if (!*dir)
		return sf_fail(err, -ENOENT, "no such VM");
	return sf_state_vm_dir(engine->state, dir, false, err);
}

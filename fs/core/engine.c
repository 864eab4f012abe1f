/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing, the table of VMs, and the exclusion of operations. See engine.h and engine_impl.h. */
#include "engine_impl.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MS 1000

/* --- the table of VMs; all of it under engine->lock --- */

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
 * Whose is this identity? The same uuid, or the same name where one side has no uuid: a VM that was first
 * known by name alone keeps its snapshots when a hypervisor gives it a uuid.
 */
static struct sf_engine_vm *by_identity(struct sf_engine *engine, const char *uuid, const char *name)
{
	struct sf_engine_vm *vm = by_id(engine, sf_vm_id(uuid, name));

	if (vm)
		return vm;
	for (size_t i = 0; i < engine->nvms; i++) {
		vm = engine->vms[i];
		if (strcmp(vm->desc.name, name) == 0 && (!*uuid || !*vm->desc.uuid))
			return vm;
	}
	return NULL;
}

/* The name, or, when another VM has that one, the name marked with the VM's id. */
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

/* Shows the VM as it is now. The catalog keeps the id under which the VM was first seen. */
static void show(struct sf_engine *engine, struct sf_engine_vm *vm)
{
	char name[SF_NAME_MAX + 1];

	free_name(engine, vm, vm->desc.name, name);
	memcpy(vm->name, name, sizeof(name));
	if (sf_catalog_vm_put(engine->catalog, vm->id, name, vm->present) < 0)
		sf_log(SF_LOG_ERROR, "VM '%s' cannot be shown: out of memory", name);
}

static void merge(struct sf_engine *engine, struct sf_vm_desc *listed)
{
	struct sf_engine_vm *vm = by_identity(engine, listed->uuid, listed->name);

	if (!vm)
		vm = add_vm(engine, sf_vm_id(listed->uuid, listed->name));
	if (!vm)
		return;
	sf_vm_desc_fini(&vm->desc);
	vm->desc = *listed;
	memset(listed, 0, sizeof(*listed));
	vm->present = true;
}

/* A name belongs first of all to the VM that bears it now, then to those that are gone. */
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
		return;
	}
	sf_health_clear(engine->health, "hypervisor", "list");
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		for (size_t i = 0; i < engine->nvms; i++)
			engine->vms[i]->present = false;
		for (size_t i = 0; i < list.nvms; i++)
			merge(engine, &list.vms[i]);
		show_all(engine);
	}
	sf_vm_list_fini(&list);
}

void sf_engine_refresh(struct sf_engine *engine)
{
	uint64_t now = sf_clock_mono_ms();

	{
		auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

		if (engine->refreshing || now - engine->refreshed_ms < REFRESH_MS)
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

int sf_engine_add_gone(struct sf_engine *engine, const char *uuid, const char *name, const char *dir,
		       struct sf_engine_vm **ret)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	struct sf_engine_vm *vm = by_identity(engine, uuid, name);

	if (!vm) {
		vm = add_vm(engine, sf_vm_id(uuid, name));
		if (!vm)
			return -ENOMEM;
		(void)snprintf(vm->desc.name, sizeof(vm->desc.name), "%s", name);
		(void)snprintf(vm->desc.uuid, sizeof(vm->desc.uuid), "%s", uuid);
	}
	if (*vm->dir)
		return -EEXIST;
	(void)snprintf(vm->dir, sizeof(vm->dir), "%s", dir);
	show(engine, vm);
	*ret = vm;
	return 0;
}

struct sf_engine_vm *sf_engine_vm_by_id(struct sf_engine *engine, uint64_t id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	return by_id(engine, id);
}

/* --- operations --- */

/* What is logged is also what last-error shows. */
static void note(struct sf_engine *engine, const char *what, int rc, const char *text)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	engine->last_error.code = rc;
	(void)snprintf(engine->last_error.text, sizeof(engine->last_error.text), "%s: %s", what, text);
	engine->last_error_ns = sf_clock_real_ns();
	sf_log(SF_LOG_ERROR, "%s (%s)", engine->last_error.text, sf_errno_name(rc));
}

void sf_engine_note_failure(struct sf_engine *engine, const char *what, const struct sf_err *err)
{
	note(engine, what, err->code, err->text);
}

static int enter(struct sf_engine *engine, struct sf_engine_vm *vm, struct sf_vm_op *op, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	if (vm->busy)
		return sf_fail(err, -EBUSY, "another operation on VM '%s' is running", vm->name);
	if (sf_vm_desc_copy(&vm->desc, &op->desc) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	vm->busy = true;
	op->engine = engine;
	op->vm = vm;
	memcpy(op->name, vm->name, sizeof(op->name));
	op->present = vm->present;
	op->dir = -1;
	return 0;
}

int sf_op_enter(struct sf_engine *engine, struct sf_engine_vm *vm, struct sf_vm_op *ret, struct sf_err *err)
{
	struct sf_vm_op op = {0};
	int rc = enter(engine, vm, &op, err);

	if (rc == 0)
		*ret = op;
	return rc;
}

/*
 * Under the lock: a VM without snapshots has no directory. An operation may be about to use it; then it
 * stays.
 */
static void remove_empty_dir(struct sf_engine *engine, const struct sf_engine_vm *vm)
{
	if (*vm->dir && !vm->busy)
		(void)unlinkat(sf_state_fd(engine->state), vm->dir, AT_REMOVEDIR); /* refused while in use */
}

void sf_engine_tidy(struct sf_engine *engine, uint64_t vm_id)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);
	const struct sf_engine_vm *vm = by_id(engine, vm_id);

	if (vm)
		remove_empty_dir(engine, vm);
}

void sf_op_leave(struct sf_vm_op *op)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

	op->vm->busy = false;
	remove_empty_dir(op->engine, op->vm);
	sf_cleanup_fd(&op->dir);
	sf_vm_desc_fini(&op->desc);
}

void sf_op_unsettle(struct sf_vm_op *op)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

	op->vm->unsettled = true;
}

static void choose_dir(struct sf_engine *engine, struct sf_engine_vm *vm)
{
	bool taken = false;

	for (size_t i = 0; i < engine->nvms; i++)
		taken = taken || strcmp(engine->vms[i]->dir, vm->name) == 0;
	if (taken)
		(void)snprintf(vm->dir, sizeof(vm->dir), "%s~%08llx", vm->name,
			       (unsigned long long)(vm->id >> 32));
	else
		(void)snprintf(vm->dir, sizeof(vm->dir), "%s", vm->name);
}

int sf_op_dir(struct sf_vm_op *op, bool create, struct sf_err *err)
{
	char dir[SF_VM_DIR];
	int fd;

	if (op->dir >= 0)
		return 0;
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

		if (!*op->vm->dir && create)
			choose_dir(op->engine, op->vm);
		memcpy(dir, op->vm->dir, sizeof(dir));
	}
	if (!*dir)
		return sf_fail(err, -ENOENT, "VM '%s' has no snapshots", op->name);
	fd = sf_state_vm_dir(op->engine->state, dir, create, err);
	if (fd < 0)
		return fd;
	op->dir = fd;
	return 0;
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

/* What an earlier operation could not finish comes first: nothing new is built on a half-done thing. */
static int settle(struct sf_vm_op *op, struct sf_err *err)
{
	int rc;

	{
		auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

		if (!op->vm->unsettled)
			return 0;
		op->vm->unsettled = false;
	}
	rc = sf_recover_vm(op, err);
	if (rc < 0)
		return sf_wrap(err, rc, "an earlier operation on this VM is not finished");
	return 0;
}

static int begin(struct sf_engine *engine, const char *name, struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_engine_vm *vm;
	int rc;

	sf_engine_refresh(engine);
	pthread_mutex_lock(&engine->lock);
	vm = by_name(engine, name);
	pthread_mutex_unlock(&engine->lock);
	if (!vm)
		return sf_fail(err, -ENOENT, "there is no VM '%s'", name);
	rc = enter(engine, vm, op, err);
	if (rc < 0)
		return rc;
	rc = settle(op, err);
	if (rc < 0)
		sf_op_leave(op);
	return rc;
}

static void describe(enum sf_operation kind, const char *vm, const char *snapshot, char what[static 320])
{
	(void)snprintf(what, 320, "%s %s%s%s", sf_operation_name(kind), vm, *snapshot ? "/" : "", snapshot);
}

int sf_op_begin(struct sf_engine *engine, enum sf_operation kind, const char *vm, const char *snapshot,
		struct sf_job *job, struct sf_vm_op *ret, struct sf_err *err)
{
	struct sf_vm_op op = {.kind = kind, .job = job};
	struct sf_err own = {0};
	char what[320];
	int rc;

	op.number = sf_jobs_begin(engine->jobs, kind, vm, snapshot, job);
	rc = begin(engine, vm, &op, &own);
	if (rc < 0) {
		describe(kind, vm, snapshot, what);
		note(engine, what, rc, own.text);
		sf_jobs_end(engine->jobs, op.number, kind, rc, own.text);
		return sf_fail(err, rc, "%s", own.text);
	}
	*ret = op;
	return 0;
}

int sf_op_end(struct sf_vm_op *op, int rc, struct sf_err *err)
{
	struct sf_engine *engine = op->engine;
	char what[320], snapshot[SF_NAME_MAX + 1];

	sf_jobs_subject(engine->jobs, op->number, snapshot);
	describe(op->kind, op->name, snapshot, what);
	if (rc < 0)
		note(engine, what, rc, err->text);
	else
		sf_log(SF_LOG_INFO, "%s: done", what);
	sf_op_leave(op);
	sf_jobs_end(engine->jobs, op->number, op->kind, rc, err->text);
	return rc;
}

/* --- opening and closing --- */

struct sf_catalog *sf_engine_catalog(struct sf_engine *engine)
{
	return engine->catalog;
}

static int open_parts(struct sf_engine *engine, struct sf_err *err)
{
	int rc;

	if (sf_catalog_new(&engine->catalog) < 0 || sf_health_new(&engine->health) < 0 ||
	    sf_jobs_new(&engine->jobs) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_leases_new(engine->hv, engine->health, &engine->leases, err);
	return rc < 0 ? rc : sf_reaper_new(engine, err);
}

int sf_engine_open(struct sf_engine **ret, struct sf_state *state, const struct sf_config *config,
		   struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_err *err)
{
	struct sf_engine *engine = calloc(1, sizeof(*engine));
	int rc;

	if (!engine)
		return sf_fail(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&engine->lock, NULL);
	engine->config = config;
	engine->storages = storages;
	engine->hv = hv;
	rc = open_parts(engine, err);
	if (rc < 0) {
		sf_engine_close(engine);
		return rc;
	}
	engine->state = state;
	sf_engine_list(engine);
	sf_recover_all(engine);
	*ret = engine;
	return 0;
}

void sf_engine_close(struct sf_engine *engine)
{
	if (!engine)
		return;
	sf_reaper_free(engine->reaper);
	sf_leases_free(engine->leases);
	sf_jobs_free(engine->jobs);
	sf_health_free(engine->health);
	sf_catalog_free(engine->catalog);
	for (size_t i = 0; i < engine->nvms; i++) {
		sf_vm_desc_fini(&engine->vms[i]->desc);
		free(engine->vms[i]);
	}
	free(engine->vms);
	sf_state_close(engine->state);
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

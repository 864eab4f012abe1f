/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exclusion of operations, what goes before each of them, and how each is reported. */
#include "internal.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What is logged is also what last-error shows. */
static void note(struct sf_engine *engine, const char *what, int rc, const char *text)
{
	sf_log(SF_LOG_ERROR, "%s: %s (%s)", what, text, sf_errno_name(rc));
	pthread_mutex_lock(&engine->lock);
	engine->last_error.code = rc;
	(void)snprintf(engine->last_error.text, sizeof(engine->last_error.text), "%s: %s", what, text);
	engine->last_error_ns = sf_clock_real_ns();
	pthread_mutex_unlock(&engine->lock);
}

void sf_engine_note_failure(struct sf_engine *engine, const char *what, const struct sf_err *err)
{
	note(engine, what, err->code, err->text);
}

static int enter(struct sf_engine *engine, struct sf_engine_vm *vm, bool keeper, struct sf_vm_op *op,
		 struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	while (vm->kept)
		pthread_cond_wait(&engine->idle, &engine->lock);
	if (vm->busy)
		return sf_fail(err, -EBUSY, "another operation on VM '%s' is running", vm->name);
	if (sf_vm_desc_copy(&vm->desc, &op->desc) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	vm->busy = true;
	vm->kept = keeper;
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
	int rc = enter(engine, vm, true, &op, err);

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

void sf_op_leave(struct sf_vm_op *op)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

	op->vm->busy = false;
	op->vm->kept = false;
	remove_empty_dir(op->engine, op->vm);
	sf_cleanup_fd(&op->dir);
	sf_vm_desc_fini(&op->desc);
	pthread_cond_broadcast(&op->engine->idle);
	sf_keeper_wake(op->engine);
}

void sf_op_unsettle(struct sf_vm_op *op)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

	op->vm->unsettled = true;
}

static void choose_dir(struct sf_engine *engine, struct sf_engine_vm *vm)
{
	bool taken = sf_state_is_reserved(vm->name);

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

int sf_op_settle(struct sf_vm_op *op, struct sf_err *err)
{
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

		if (!op->vm->unsettled)
			return 0;
		op->vm->unsettled = false; /* recovery sets it again for what it cannot finish */
	}
	return sf_recover_vm(op, err);
}

/* Nothing new is built on half-done disks; names and deletions may go on beside them. */
static int settle(struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_err why = {0};
	int rc = sf_op_settle(op, &why);

	if (rc < 0 && (op->kind == SF_OP_CREATE || op->kind == SF_OP_REVERT))
		return sf_fail(err, rc, "an earlier revert of this VM is not finished: %s", why.text);
	return 0;
}

static int begin(struct sf_engine *engine, uint64_t vm_id, struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_engine_vm *vm;
	int rc;

	sf_engine_refresh(engine);
	vm = sf_engine_vm_by_id(engine, vm_id);
	if (!vm)
		return sf_fail(err, -ENOENT, "there is no such VM");
	rc = enter(engine, vm, false, op, err);
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

int sf_op_begin(struct sf_engine *engine, enum sf_operation kind, uint64_t vm_id, const char *snapshot,
		struct sf_job *job, struct sf_vm_op *ret, struct sf_err *err)
{
	struct sf_vm_op op = {.kind = kind, .job = job, .begun_ms = sf_clock_mono_ms()};
	struct sf_vm_info vm = {.name = "?"};
	struct sf_err own = {0};
	char what[320];
	int rc;

	(void)sf_catalog_vm_by_id(engine->catalog, vm_id, &vm); /* for its name; begin says when it is gone */
	op.number = sf_jobs_begin(engine->jobs, kind, vm.name, snapshot, job);
	(void)snprintf(op.snapshot, sizeof(op.snapshot), "%s", snapshot);
	rc = begin(engine, vm_id, &op, &own);
	if (rc < 0) {
		describe(kind, vm.name, snapshot, what);
		note(engine, what, rc, own.text);
		sf_jobs_end(engine->jobs, op.number, kind, rc, 0, own.text);
		return sf_fail(err, rc, "%s", own.text);
	}
	*ret = op;
	return 0;
}

int sf_op_end(struct sf_vm_op *op, int rc, struct sf_err *err)
{
	struct sf_engine *engine = op->engine;
	bool remark = op->job && *op->job->note;
	char what[320];

	describe(op->kind, op->name, op->snapshot, what);
	if (rc < 0)
		note(engine, what, rc, err->text);
	else
		sf_log(SF_LOG_INFO, "%s: done%s%s", what, remark ? ": " : "", remark ? op->job->note : "");
	sf_op_leave(op);
	sf_jobs_end(engine->jobs, op->number, op->kind, rc, sf_clock_mono_ms() - op->begun_ms, err->text);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations that users start. Each one starts a job, takes the VM's exclusion and settles what an
 * earlier failure left; then it does its work and ends with one report.
 */
#include "create.h"
#include "delete.h"
#include "edit.h"
#include "engine.h"
#include "internal.h"
#include "operation.h"
#include "recover.h"
#include "revert.h"
#include "vms.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- begin and end --- */

/* Logs a failure and keeps it for last-error. */
static void note(struct sf_engine *engine, const char *what, int rc, const char *text)
{
	sf_log(SF_LOG_ERROR, "%s: %s (%s)", what, text, sf_errno_name(rc));
	pthread_mutex_lock(&engine->lock);
	engine->last_error.code = rc;
	(void)snprintf(engine->last_error.text, sizeof(engine->last_error.text), "%s: %s", what, text);
	sf_defuse(engine->last_error.text); /* names and messages of peers must not forge a second line */
	engine->last_error_ns = sf_clock_real_ns();
	pthread_mutex_unlock(&engine->lock);
}

void sf_engine_note_failure(struct sf_engine *engine, const char *what, const struct sf_err *err)
{
	note(engine, what, err->code, err->text);
}

/* Creates and reverts must not build on half-done disks; renames, edits and deletions may proceed. */
static int settle(struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_err why = {0};
	int rc = sf_op_settle(op, &why);

	if (rc < 0 && (op->kind == SF_OP_CREATE || op->kind == SF_OP_REVERT))
		return sf_fail(err, rc, "an earlier revert of this VM is not finished: %s", why.text);
	return 0;
}

static int enter(struct sf_engine *engine, uint64_t vm_id, struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_engine_vm *vm;
	int rc;

	sf_engine_refresh(engine);
	vm = sf_engine_vm_by_id(engine, vm_id);
	if (!vm)
		return sf_fail(err, -ENOENT, "there is no such VM");
	rc = sf_op_enter(engine, vm, false, op, err);
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

/* What a snapshot holds: allocated on its disks, and RAM. 0 if there is no such snapshot. */
static uint64_t bytes_of(const struct sf_vm_op *op)
{
	struct sf_snapshot *snapshot;
	uint64_t bytes;

	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, op->snapshot, &snapshot) < 0)
		return 0;
	bytes = snapshot->record.memory.size_bytes;
	for (size_t i = 0; i < snapshot->record.ndisks; i++)
		bytes += snapshot->record.disks[i].stat.allocated_bytes;
	sf_snapshot_unref(snapshot);
	return bytes;
}

/* "create web/a: done in 0.812 s, 64.0 MiB: REMARK". */
static void log_done(const struct sf_vm_op *op, const char *what, uint64_t took_ms)
{
	const char *remark = op->job ? op->job->note : "";
	uint64_t bytes = op->kind == SF_OP_CREATE ? bytes_of(op) : op->bytes;
	char size[32] = "";

	if (bytes > 0 && op->kind != SF_OP_RENAME && op->kind != SF_OP_EDIT)
		(void)snprintf(size, sizeof(size), ", %.1f MiB", (double)bytes / (1024 * 1024));
	sf_log(SF_LOG_INFO, "%s: done in %.3f s%s%s%s", what, (double)took_ms / 1000, size,
	       *remark ? ": " : "", remark);
}

static int op_begin(struct sf_engine *engine, enum sf_operation kind, uint64_t vm_id, const char *snapshot,
		    struct sf_job *job, struct sf_vm_op *ret, struct sf_err *err)
{
	struct sf_vm_op op = {.kind = kind, .job = job, .begun_ms = sf_clock_mono_ms()};
	struct sf_vm_info vm = {.name = "?"};
	struct sf_err own = {0};
	char what[320];
	int rc;

	(void)sf_catalog_vm_by_id(engine->catalog, vm_id,
				  &vm); /* only the name; enter() reports a missing VM */
	op.number = sf_jobs_begin(engine->jobs, kind, vm.name, snapshot, job);
	(void)snprintf(op.snapshot, sizeof(op.snapshot), "%s", snapshot);
	rc = enter(engine, vm_id, &op, &own);
	if (rc < 0) {
		describe(kind, vm.name, snapshot, what);
		note(engine, what, rc, own.text);
		sf_jobs_end(engine->jobs, op.number, kind, rc, 0, own.text);
		return sf_fail(err, rc, "%s", own.text);
	}
	op.bytes = bytes_of(&op);
	*ret = op;
	return 0;
}

static int op_end(struct sf_vm_op *op, int rc, struct sf_err *err)
{
	struct sf_engine *engine = op->engine;
	uint64_t took_ms = sf_clock_mono_ms() - op->begun_ms;
	char what[320];

	describe(op->kind, op->name, op->snapshot, what);
	if (rc < 0)
		note(engine, what, rc, err->text);
	else
		log_done(op, what, took_ms);
	sf_op_leave(op);
	sf_jobs_end(engine->jobs, op->number, op->kind, rc, took_ms, err->text);
	return rc;
}

/* --- the operations --- */

/* The time in seconds, or the first later second whose name is free. */
static void make_name(struct sf_vm_op *op, char name[static SF_NAME_MAX + 1])
{
	uint64_t seconds = sf_clock_real_ns() / 1000000000;
	struct sf_snapshot *other;

	(void)snprintf(name, SF_NAME_MAX + 1, "%" PRIu64, seconds);
	while (sf_catalog_snapshot(op->engine->catalog, op->vm->id, name, &other) == 0) {
		sf_snapshot_unref(other);
		(void)snprintf(name, SF_NAME_MAX + 1, "%" PRIu64, ++seconds);
	}
	memcpy(op->snapshot, name, sizeof(op->snapshot));
	sf_jobs_name(op->engine->jobs, op->number, name);
}

int sf_engine_create(struct sf_engine *engine, uint64_t vm_id, const struct sf_create_request *request,
		     struct sf_job *job, char ret_name[static SF_NAME_MAX + 1], struct sf_err *err)
{
	struct sf_take_options options = {.request = request, .uuid = sf_id_new()};
	char name[SF_NAME_MAX + 1];
	struct sf_lease *lease = NULL;
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc;

	rc = op_begin(engine, SF_OP_CREATE, vm_id, request->name, job, &op, err);
	if (rc < 0)
		return rc;
	memcpy(name, request->name, sizeof(name));
	if (!*name)
		make_name(&op, name);
	options.name = name;
	rc = op_end(&op, sf_take(&op, &options, &lease, &own), &own);
	if (rc < 0)
		return sf_fail(err, rc, "%s", own.text);
	memcpy(ret_name, name, sizeof(name));
	return 0;
}

int sf_engine_delete(struct sf_engine *engine, uint64_t vm_id, const char *name, struct sf_job *job,
		     struct sf_err *err)
{
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc = op_begin(engine, SF_OP_DELETE, vm_id, name, job, &op, err);

	if (rc < 0)
		return rc;
	rc = op_end(&op, sf_delete_named(&op, name, 0, false, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

int sf_engine_delete_one(struct sf_engine *engine, uint64_t snapshot_id, bool forget, struct sf_job *job,
			 struct sf_err *err)
{
	struct sf_snapshot *snapshot;
	char name[SF_NAME_MAX + 1];
	struct sf_err own = {0};
	struct sf_vm_op op;
	uint64_t vm_id;
	int rc = sf_catalog_snapshot_by_id(engine->catalog, snapshot_id, &snapshot);

	if (rc < 0)
		return sf_fail(err, -ENOENT, "the snapshot is gone");
	vm_id = snapshot->vm_id;
	memcpy(name, snapshot->record.name, sizeof(name));
	sf_snapshot_unref(snapshot);
	rc = op_begin(engine, SF_OP_DELETE, vm_id, name, job, &op, err);
	if (rc < 0)
		return rc;
	rc = op_end(&op, sf_delete_named(&op, name, snapshot_id, forget, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

int sf_engine_rename(struct sf_engine *engine, uint64_t vm_id, const char *from, const char *to,
		     struct sf_err *err)
{
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc = op_begin(engine, SF_OP_RENAME, vm_id, from, NULL, &op, err);

	if (rc < 0)
		return rc;
	rc = op_end(&op, sf_rename_named(&op, from, to, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

int sf_engine_revert(struct sf_engine *engine, uint64_t vm_id, const char *name,
		     const struct sf_revert_request *request, struct sf_job *job, struct sf_err *err)
{
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc = op_begin(engine, SF_OP_REVERT, vm_id, name, job, &op, err);

	if (rc < 0)
		return rc;
	rc = op_end(&op, sf_revert_named(&op, name, request, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

static int edit(struct sf_engine *engine, uint64_t id, const struct sf_edit *edit, struct sf_err *err)
{
	struct sf_snapshot *snapshot;
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc = sf_catalog_snapshot_by_id(engine->catalog, id, &snapshot);

	if (rc < 0)
		return sf_fail(err, -ENOENT, "the snapshot is gone");
	rc = op_begin(engine, SF_OP_EDIT, snapshot->vm_id, snapshot->record.name, NULL, &op, err);
	sf_snapshot_unref(snapshot);
	if (rc < 0)
		return rc;
	rc = op_end(&op, sf_edit_by_id(&op, id, edit, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

int sf_engine_describe(struct sf_engine *engine, uint64_t snapshot_id, const char *text, struct sf_err *err)
{
	const struct sf_edit what = {.description = text};
	int rc = sf_description_check(text, err);

	return rc < 0 ? rc : edit(engine, snapshot_id, &what, err);
}

int sf_engine_hold(struct sf_engine *engine, uint64_t snapshot_id, bool held, struct sf_err *err)
{
	const struct sf_edit what = {.change_hold = true, .held = held};

	return edit(engine, snapshot_id, &what, err);
}

int sf_engine_set_manifest(struct sf_engine *engine, uint64_t snapshot_id, const struct sf_manifest *manifest,
			   struct sf_err *err)
{
	const struct sf_edit what = {.manifest = manifest};

	return edit(engine, snapshot_id, &what, err);
}

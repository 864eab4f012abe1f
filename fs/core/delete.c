/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deletion: the directory in the state directory gets its deleting name (one rename: the point of no return),
 * the tree forgets the name, and the storage goes at once or, while someone reads it, at the last close, by
 * the reaper's thread.
 */
#include "engine_impl.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sf_reaper {
	struct sf_engine *engine;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows; a leaf */
	pthread_cond_t changed;
	uint64_t *queue;
	size_t n;
	bool stopping;
};

static int drop_disks(struct sf_engine *engine, const struct sf_record *record, struct sf_err *err)
{
	for (size_t i = 0; i < record->ndisks; i++) {
		const struct sf_record_disk *disk = &record->disks[i];
		struct sf_storage *storage = sf_storages_by_name(engine->storages, disk->storage);
		int rc;

		if (!storage)
			return sf_fail(err, -EOPNOTSUPP, "disk %s: this build has no storage '%s'",
				       disk->object.vdev, disk->storage);
		rc = sf_object_remove(storage, &disk->object, err);
		if (rc < 0)
			return sf_wrap(err, rc, "disk %s", disk->object.vdev);
	}
	return 0;
}

int sf_drop_snapshot(struct sf_engine *engine, int vm_dir, const struct sf_record *record,
		     const char *dir_name, struct sf_err *err)
{
	int rc = drop_disks(engine, record, err);

	return rc < 0 ? rc : sf_state_remove_snapshot(vm_dir, dir_name, err);
}

/* Deleting -> absent, for a snapshot that nobody can open any more. */
static int reap(struct sf_engine *engine, int vm_dir, const struct sf_snapshot *snapshot, struct sf_err *err)
{
	const struct sf_step *step = sf_lifecycle(SF_LIFE_DELETING, SF_EVENT_UNUSED);
	char name[SF_ID_TEXT + 1];
	int rc = 0;

	sf_state_deleting_name(&snapshot->record.uuid, name);
	for (size_t i = 0; rc == 0 && i < step->nactions; i++) {
		if (step->actions[i] == SF_ACT_DROP_DISKS)
			rc = drop_disks(engine, &snapshot->record, err);
		else if (step->actions[i] == SF_ACT_DROP_RECORD)
			rc = sf_state_remove_snapshot(vm_dir, name, err);
		else
			sf_catalog_forget(engine->catalog, snapshot->id);
	}
	return rc;
}

/*
 * The record says so too, for whoever looks at the directory; the name already does, so a failure changes
 * nothing.
 */
static void mark_deleting(int vm_dir, const char *name, const struct sf_record *record)
{
	struct sf_record copy;
	auto_fd int dir = sf_open_dir(vm_dir, name, NULL);

	if (dir < 0 || sf_record_copy(record, &copy) < 0)
		return;
	copy.state = SF_RECORD_DELETING;
	(void)sf_state_write_record(dir, &copy, NULL);
	sf_record_fini(&copy);
}

int sf_delete_snapshot(struct sf_vm_op *op, struct sf_snapshot *snapshot, struct sf_err *err)
{
	char name[SF_ID_TEXT + 1], subject[SF_NAME_MAX * 2 + 2];
	int rc = sf_op_dir(op, false, err);

	sf_state_deleting_name(&snapshot->record.uuid, name);
	if (rc == 0)
		rc = sf_durable_rename(op->dir, snapshot->record.name, op->dir, name, err);
	if (rc < 0)
		return rc;
	mark_deleting(op->dir, name, &snapshot->record);
	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, snapshot->record.name);
	sf_health_clear(op->engine->health, "broken", subject);
	if (!sf_catalog_hide(op->engine->catalog, snapshot->id))
		return 0; /* still being read: the last close goes on from here */
	rc = reap(op->engine, op->dir, snapshot, err);
	if (rc < 0) {
		sf_op_unsettle(op);
		return sf_wrap(err, rc, "the name is gone, the rest will be tried again");
	}
	return 0;
}

static int find(struct sf_vm_op *op, const char *name, struct sf_snapshot **ret, struct sf_err *err)
{
	if (sf_catalog_snapshot(op->engine->catalog, op->vm->id, name, ret) < 0)
		return sf_fail(err, -ENOENT, "VM '%s' has no snapshot '%s'", op->name, name);
	return 0;
}

static int delete_named(struct sf_vm_op *op, const char *name, struct sf_err *err)
{
	struct sf_snapshot *snapshot;
	int rc = find(op, name, &snapshot, err);

	if (rc < 0)
		return rc;
	if (snapshot->record.held)
		rc = sf_fail(err, -EBUSY, "the snapshot is held (setfattr -x user.snapfs.hold releases it)");
	else
		rc = sf_delete_snapshot(op, snapshot, err);
	sf_snapshot_unref(snapshot);
	return rc;
}

int sf_engine_delete(struct sf_engine *engine, const char *vm, const char *name, struct sf_job *job,
		     struct sf_err *err)
{
	struct sf_err own = {0};
	struct sf_vm_op op;
	int rc = sf_op_begin(engine, SF_OP_DELETE, vm, name, job, &op, err);

	if (rc < 0)
		return rc;
	rc = sf_op_end(&op, delete_named(&op, name, &own), &own);
	return rc < 0 ? sf_fail(err, rc, "%s", own.text) : 0;
}

/* --- the reaper --- */

static void reap_by_id(struct sf_engine *engine, uint64_t id)
{
	struct sf_snapshot *snapshot;
	struct sf_engine_vm *vm;
	struct sf_err err = {0};
	int dir, rc;

	if (sf_catalog_snapshot_by_id(engine->catalog, id, &snapshot) < 0)
		return;
	dir = rc = sf_engine_vm_dir(engine, snapshot->vm_id, &err);
	if (rc >= 0)
		rc = reap(engine, dir, snapshot, &err);
	sf_cleanup_fd(&dir);
	if (rc < 0) {
		sf_health_set(engine->health, "undo", snapshot->record.vm_name, "deleted snapshot '%s': %s",
			      snapshot->record.name, err.text);
		vm = sf_engine_vm_by_id(engine, snapshot->vm_id);
		pthread_mutex_lock(&engine->lock);
		vm->unsettled = true;
		pthread_mutex_unlock(&engine->lock);
	} else {
		sf_log(SF_LOG_INFO, "%s/%s: its last reader is gone, and so is its storage",
		       snapshot->record.vm_name, snapshot->record.name);
	}
	sf_engine_tidy(engine, snapshot->vm_id);
	sf_snapshot_unref(snapshot);
}

static void *reaper_run(void *arg)
{
	struct sf_reaper *reaper = arg;

	pthread_mutex_lock(&reaper->lock);
	while (reaper->n > 0 || !reaper->stopping) {
		uint64_t id;

		if (reaper->n == 0) {
			pthread_cond_wait(&reaper->changed, &reaper->lock);
			continue;
		}
		id = reaper->queue[--reaper->n];
		pthread_mutex_unlock(&reaper->lock);
		reap_by_id(reaper->engine, id);
		pthread_mutex_lock(&reaper->lock);
	}
	pthread_mutex_unlock(&reaper->lock);
	return NULL;
}

int sf_reaper_new(struct sf_engine *engine, struct sf_err *err)
{
	struct sf_reaper *reaper = calloc(1, sizeof(*reaper));
	int rc;

	if (!reaper)
		return sf_fail(err, -ENOMEM, "out of memory");
	reaper->engine = engine;
	pthread_mutex_init(&reaper->lock, NULL);
	pthread_cond_init(&reaper->changed, NULL);
	rc = pthread_create(&reaper->thread, NULL, reaper_run, reaper);
	if (rc != 0) {
		free(reaper);
		return sf_fail(err, -rc, "start the reaper: %s", strerror(rc));
	}
	engine->reaper = reaper;
	return 0;
}

void sf_reaper_free(struct sf_reaper *reaper)
{
	if (!reaper)
		return;
	pthread_mutex_lock(&reaper->lock);
	reaper->stopping = true;
	pthread_cond_signal(&reaper->changed);
	pthread_mutex_unlock(&reaper->lock);
	pthread_join(reaper->thread, NULL);
	pthread_cond_destroy(&reaper->changed);
	pthread_mutex_destroy(&reaper->lock);
	free(reaper->queue);
	free(reaper);
}

void sf_reaper_push(struct sf_engine *engine, uint64_t snapshot_id)
{
	struct sf_reaper *reaper = engine->reaper;
	auto_unlock pthread_mutex_t *held = sf_lock(&reaper->lock);
	uint64_t *queue = realloc(reaper->queue, (reaper->n + 1) * sizeof(*queue));

	if (!queue)
		return; /* the next start finds it */
	reaper->queue = queue;
	queue[reaper->n++] = snapshot_id;
	pthread_cond_signal(&reaper->changed);
}

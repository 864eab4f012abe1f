/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The FUSE operations that change something. An operation that may take long runs on a thread of its own: a
 * struct change carries the request, its arguments and its job there, and that thread replies.
 */
#define FUSE_USE_VERSION 312

#include "data.h"
#include "later.h"
#include "ops.h"
#include "reply.h"

#include "control.h"

#include "core/engine/engine.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

struct change {
	struct sf_task task; /* first */
	fuse_req_t req;
	struct sf_fs *fs;
	uint64_t vm_ino;
	char vm[SF_NAME_MAX + 1];
	char name[SF_NAME_MAX + 1];
	char to[SF_NAME_MAX + 1]; /* rename */
	size_t written;           /* control files: the number of bytes to reply */
	uint64_t off;             /* and the offset of the write */
	struct sf_handle *handle; /* .create: reads the outcome; stays open until the reply */
	struct sf_control_create create;
	struct sf_revert_request revert;
	uint64_t snapshot; /* id of the snapshot whose file was opened */
	bool forget;       /* .delete: leave the volumes in place */
	struct sf_manifest manifest;
};

/* --- changes --- */

/*
 * Some signal has woken the caller. The kernel says so once a request, whatever comes later. The caller's
 * thread id is 0 in another PID namespace: its signals are not visible there, so none of them cancels.
 */
static void on_interrupt(fuse_req_t req, void *arg)
{
	struct change *change = arg;

	sf_job_interrupt(&change->task.job, fuse_req_ctx(req)->pid);
}

/* node belongs to a VM or a snapshot. NULL when out of memory; the request has then been answered. */
static struct change *new_change(fuse_req_t req, const struct sf_node *node)
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	change->req = req;
	change->fs = sf_fs_of(req);
	change->vm_ino = node->vm.id;
	memcpy(change->vm, node->vm.name, sizeof(change->vm));
	if (node->snapshot) {
		memcpy(change->name, node->snapshot->record.name, sizeof(change->name));
		change->snapshot = node->snapshot->id;
	}
	return change;
}

/* Takes over change. verb and node are for messages. */
static void start(struct change *change, const char *verb, const struct sf_node *node,
		  void (*run)(struct sf_task *task))
{
	fuse_req_t req = change->req;
	int rc;

	change->task.run = run;
	fuse_req_interrupt_func(req, on_interrupt, change);
	rc = sf_tasks_start(&change->fs->tasks, &change->task);
	if (rc == 0)
		return; /* the thread owns the change, which may be freed by now */
	fuse_req_interrupt_func(req, NULL, NULL);
	free(change);
	sf_later_refuse(req, verb, node, NULL, rc);
}

/*
 * Detaches the change from interrupts, so that it can be answered and freed. The directories above show the
 * time of the newest snapshot or edit, so the kernel must forget their attributes.
 */
static fuse_req_t take_req(struct change *change)
{
	const struct sf_fs *fs = change->fs;

	fuse_req_interrupt_func(change->req, NULL, NULL);
	sf_reply_changed(fs, FUSE_ROOT_ID);
	sf_reply_changed(fs, change->vm_ino);
	return change->req;
}

static void run_mkdir(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	struct sf_fs *fs = change->fs;
	struct sf_node vm = {0}, node = {0};
	struct sf_err err = {0};
	int rc = sf_engine_create(fs->engine, change->vm_ino, &change->create.request, &task->job,
				  change->name, &err);
	fuse_req_t req = take_req(change);

	if (rc == 0)
		rc = sf_tree_node(&fs->tree, change->vm_ino, &vm);
	if (rc == 0)
		rc = sf_tree_lookup(&fs->tree, &vm, change->name, &node);
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		sf_reply_node(req, fs, &node);
	sf_node_fini(&node);
	sf_node_fini(&vm);
}

static void run_rmdir(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	struct sf_err err = {0};
	int rc = sf_engine_delete(change->fs->engine, change->vm_ino, change->name, &task->job, &err);

	fuse_reply_err(take_req(change), -rc);
}

static void notify_rename(const struct change *change)
{
	const struct sf_fs *fs = change->fs;
	struct sf_node vm = {0}, node = {0};

	if (sf_tree_node(&fs->tree, change->vm_ino, &vm) == 0 &&
	    sf_tree_lookup(&fs->tree, &vm, change->to, &node) == 0 && node.kind == SF_NODE_SNAPSHOT)
		sf_reply_changed(fs, sf_tree_meta_ino(&node));
	sf_node_fini(&node);
	sf_node_fini(&vm);
}

static void run_rename(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	struct sf_err err = {0};
	int rc = sf_engine_rename(change->fs->engine, change->vm_ino, change->name, change->to, &err);

	if (rc == 0)
		notify_rename(change);
	fuse_reply_err(take_req(change), -rc);
}

static void reply_written(struct change *change, int rc)
{
	fuse_req_t req = take_req(change);

	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		fuse_reply_write(req, change->written);
}

static void run_revert(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	struct sf_err err = {0};

	reply_written(change, sf_engine_revert(change->fs->engine, change->vm_ino, change->name,
					       &change->revert, &task->job, &err));
}

/* A failed write does not move the writer's file position, and its next read starts there. */
static void answer(struct change *change, int rc, const struct sf_err *err)
{
	const char *note = change->task.job.note;

	sf_data_answer(change->handle, sf_control_outcome(change->vm, change->name, note, rc, err),
		       rc < 0 ? change->off : change->off + change->written);
}

static void run_create(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	struct sf_err err = {0};
	int rc = sf_engine_create(change->fs->engine, change->vm_ino, &change->create.request, &task->job,
				  change->name, &err);

	answer(change, rc, &err);
	reply_written(change, rc);
}

static void run_manifest(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	const struct sf_fs *fs = change->fs;
	struct sf_node snapshot;
	struct sf_err err = {0};
	int rc = sf_engine_set_manifest(fs->engine, change->snapshot, &change->manifest, &err);

	if (rc == 0 && sf_tree_node(&fs->tree, change->snapshot, &snapshot) == 0) {
		sf_reply_listing_changed(fs, snapshot.ino);
		sf_reply_changed(fs, sf_tree_manifest_ino(&snapshot));
		sf_node_fini(&snapshot);
	}
	reply_written(change, rc);
}

/* The kernel saw no rmdir, so it must be told that the name is gone. */
static void run_delete(struct sf_task *task)
{
	struct change *change = (struct change *)task;
	const struct sf_fs *fs = change->fs;
	struct sf_err err = {0};
	int rc;

	rc = sf_engine_delete_one(fs->engine, change->snapshot, change->forget, &task->job, &err);
	reply_written(change, rc);
	/* Only after the reply: a mkdir in the directory may hold its lock for as long as it runs. */
	if (rc == 0)
		(void)fuse_lowlevel_notify_inval_entry(fs->se, change->vm_ino, change->name,
						       strlen(change->name)); /* fails for an unknown name */
}

/* --- mkdir, rmdir, rename --- */

static void make(fuse_req_t req, const struct sf_node *dir, const char *name)
{
	struct change *change;
	struct sf_err err = {0};
	int rc = sf_name_check(name, &err);

	if (dir->kind != SF_NODE_VM) {
		sf_reply_refuse_node(req, sf_fs_of(req), "mkdir", dir, name, -EPERM,
				     "mkdir takes a snapshot only in a VM's directory");
		return;
	}
	if (rc < 0) {
		sf_reply_refuse_node(req, sf_fs_of(req), "mkdir", dir, name, rc, err.text);
		return;
	}
	change = new_change(req, dir);
	if (!change)
		return;
	(void)snprintf(change->create.request.name, sizeof(change->create.request.name), "%s", name);
	start(change, "mkdir", dir, run_mkdir);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct sf_node dir;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, parent, &dir);

	(void)mode;
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	make(req, &dir, name);
	sf_node_fini(&dir);
}

/* *ret: the node of parent/name. On failure the request has been answered. */
static int find(fuse_req_t req, fuse_ino_t parent, const char *name, struct sf_node *ret)
{
	const struct sf_tree *tree = &sf_fs_of(req)->tree;
	struct sf_node dir = {0};
	int rc = sf_tree_node(tree, parent, &dir);

	if (rc == 0)
		rc = sf_tree_lookup(tree, &dir, name, ret);
	sf_node_fini(&dir);
	if (rc < 0)
		fuse_reply_err(req, -rc);
	return rc;
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct change *change;
	struct sf_node node;

	if (find(req, parent, name, &node) < 0)
		return;
	if (node.kind != SF_NODE_SNAPSHOT) {
		sf_reply_refuse_node(req, sf_fs_of(req), "rmdir", &node, NULL,
				     sf_node_is_dir(&node) ? -EPERM : -ENOTDIR,
				     "only snapshots can be removed");
	} else {
		change = new_change(req, &node);
		if (change)
			start(change, "rmdir", &node, run_rmdir);
	}
	sf_node_fini(&node);
}

/*
 * EXDEV is the usual error for a move elsewhere, but mv would then copy, and the mkdir of that copy would
 * take a snapshot.
 */
static int check_rename(const struct sf_node *node, bool same_dir, const char *to, unsigned flags,
			struct sf_err *err)
{
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return sf_fail(err, -EINVAL, "snapshots cannot be exchanged");
	if (node->kind != SF_NODE_SNAPSHOT)
		return sf_fail(err, -EPERM, "only snapshots can be renamed");
	if (!same_dir)
		return sf_fail(err, -EPERM, "a snapshot cannot leave the directory of its VM");
	return sf_name_check(to, err);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
		      const char *newname, unsigned int flags)
{
	struct change *change;
	struct sf_node node;
	struct sf_err err = {0};

	if (find(req, parent, name, &node) < 0)
		return;
	if (check_rename(&node, parent == newparent, newname, flags, &err) < 0) {
		sf_reply_refuse_node(req, sf_fs_of(req), "rename", &node, NULL, err.code, err.text);
	} else {
		change = new_change(req, &node);
		if (change) {
			(void)snprintf(change->to, sizeof(change->to), "%s", newname);
			start(change, "rename", &node, run_rename);
		}
	}
	sf_node_fini(&node);
}

/* --- writes into control files --- */

/* A command is one write: the second half of a split write must not count as a command. */
static int check_place(off_t off, const struct fuse_file_info *fi, struct sf_err *err)
{
	if (off == 0 || (fi->flags & O_APPEND))
		return 0;
	return sf_fail(err, -EINVAL, "a command must be one write, at the start of the file");
}

/*
 * Takes the result of parsing a command (rc, given). True if the caller must carry out the command; otherwise
 * the write has been answered.
 */
static bool is_command(fuse_req_t req, const struct sf_node *node, size_t size, off_t off,
		       const struct fuse_file_info *fi, int rc, bool given, struct sf_err *err)
{
	if (rc == 0 && given)
		rc = check_place(off, fi, err);
	if (rc < 0)
		sf_reply_refuse_node(req, sf_fs_of(req), "write", node, NULL, rc, err->text);
	else if (!given)
		fuse_reply_write(req, size);
	return rc == 0 && given;
}

static void write_revert(fuse_req_t req, const struct sf_node *node, const char *buf, size_t size, off_t off,
			 const struct fuse_file_info *fi)
{
	struct change *change;
	struct sf_revert_request request;
	struct sf_err err = {0};
	bool given = false;
	int rc = sf_control_parse_revert(buf, size, &request, &given, &err);

	if (is_command(req, node, size, off, fi, rc, given, &err) && (change = new_change(req, node))) {
		change->written = size;
		change->revert = request;
		change->revert.snapshot = change->snapshot;
		start(change, "write", node, run_revert);
	}
}

static void write_delete(fuse_req_t req, const struct sf_node *node, const char *buf, size_t size, off_t off,
			 const struct fuse_file_info *fi)
{
	struct change *change;
	struct sf_err err = {0};
	bool given = false, forget = false;
	int rc = sf_control_parse_delete(buf, size, &forget, &given, &err);

	if (is_command(req, node, size, off, fi, rc, given, &err) && (change = new_change(req, node))) {
		change->written = size;
		change->forget = forget;
		start(change, "write", node, run_delete);
	}
}

static void write_manifest(fuse_req_t req, const struct sf_node *node, const char *buf, size_t size,
			   off_t off, const struct fuse_file_info *fi)
{
	struct change *change = new_change(req, node);
	struct sf_err err = {0};
	bool given = false;
	int rc;

	if (!change)
		return;
	change->written = size;
	rc = sf_control_parse_manifest(buf, size, &change->manifest, &given, &err);
	if (is_command(req, node, size, off, fi, rc, given, &err))
		start(change, "write", node, run_manifest);
	else
		free(change);
}

static void write_create(fuse_req_t req, const struct sf_node *node, const char *buf, size_t size, off_t off,
			 const struct fuse_file_info *fi)
{
	struct change *change = new_change(req, node);
	struct sf_err err = {0};
	bool given = false;
	int rc;

	if (!change)
		return;
	change->written = size;
	change->off = (uint64_t)off;
	change->handle = (struct sf_handle *)(uintptr_t)fi->fh;
	rc = sf_control_parse_create(buf, size, &change->create, &given, &err);
	if (rc == 0 && given)
		rc = check_place(off, fi, &err);
	if (rc == 0 && given) {
		start(change, "write", node, run_create);
		return;
	}
	if (rc < 0) {
		answer(change, rc, &err);
		sf_reply_refuse_node(req, change->fs, "write", node, NULL, rc, err.text);
	} else {
		fuse_reply_write(req, size);
	}
	free(change);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct sf_node node;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	if (node.kind == SF_NODE_REVERT)
		write_revert(req, &node, buf, size, off, fi);
	else if (node.kind == SF_NODE_CREATE)
		write_create(req, &node, buf, size, off, fi);
	else if (node.kind == SF_NODE_SET_MANIFEST)
		write_manifest(req, &node, buf, size, off, fi);
	else if (node.kind == SF_NODE_SET_DELETED)
		write_delete(req, &node, buf, size, off, fi);
	else if (node.kind == SF_NODE_RUN)
		sf_ops_write_run(req, &node, buf, size, off, fi);
	else
		fuse_reply_err(req, EROFS);
	sf_node_fini(&node);
}

void sf_ops_write_fill(struct fuse_lowlevel_ops *ops)
{
	ops->mkdir = op_mkdir;
	ops->rmdir = op_rmdir;
	ops->rename = op_rename;
	ops->write = op_write;
}

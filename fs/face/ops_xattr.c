/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The xattrs of a snapshot's directory: user.snapfs.description and user.snapfs.hold. A change is an
 * operation on the VM and may have to wait for its turn, so it runs on a thread of its own.
 */
#define FUSE_USE_VERSION 312

#include "later.h"
#include "ops.h"
#include "reply.h"

#include "control.h"

#include "core/engine/engine.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include <fuse_lowlevel.h>

#define PREFIX      "user.snapfs."
#define DESCRIPTION PREFIX "description"
#define HOLD        PREFIX "hold"

/* --- reading --- */

static void reply_value(fuse_req_t req, const char *value, size_t len, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, len);
	else if (len > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, value, len);
}

static void get_own(fuse_req_t req, const struct sf_node *node, const char *name, size_t size)
{
	const struct sf_record *record = node->kind == SF_NODE_SNAPSHOT ? &node->snapshot->record : NULL;

	if (record && strcmp(name, DESCRIPTION) == 0 && record->description)
		reply_value(req, record->description, strlen(record->description), size);
	else if (record && strcmp(name, HOLD) == 0 && record->held)
		reply_value(req, "1", 1, size);
	else
		fuse_reply_err(req, ENODATA);
}

/*
 * ls and cp ask for ACLs and security labels. After EOPNOTSUPP, ls does not ask for those of the next file
 * (errno_unsupported in coreutils' ls.c).
 */
static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct sf_node node;
	int rc;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0) {
		fuse_reply_err(req, strncmp(name, "user.", 5) == 0 ? ENODATA : EOPNOTSUPP);
		return;
	}
	rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	get_own(req, &node, name, size);
	sf_node_fini(&node);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	char names[sizeof(DESCRIPTION) + sizeof(HOLD)];
	struct sf_node node;
	size_t len = 0;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	if (node.kind == SF_NODE_SNAPSHOT && node.snapshot->record.description) {
		memcpy(names, DESCRIPTION, sizeof(DESCRIPTION));
		len = sizeof(DESCRIPTION);
	}
	if (node.kind == SF_NODE_SNAPSHOT && node.snapshot->record.held) {
		memcpy(names + len, HOLD, sizeof(HOLD));
		len += sizeof(HOLD);
	}
	sf_node_fini(&node);
	reply_value(req, names, len, size);
}

/* --- changing --- */

/* A setxattr or removexattr. */
struct edit {
	struct sf_task task; /* first */
	fuse_req_t req;
	struct sf_node node;
	bool of_hold;
	bool held;
	char *text; /* the new description; allocated */
};

/* *ret_there: whether the snapshot has the xattr now. -EPERM for a node or name without xattrs. */
static int find_xattr(struct edit *edit, const char *name, bool *ret_there, struct sf_err *err)
{
	const struct sf_node *node = &edit->node;

	if (node->kind != SF_NODE_SNAPSHOT)
		return sf_fail(err, -EPERM, "only a snapshot's directory has xattrs");
	edit->of_hold = strcmp(name, HOLD) == 0;
	if (!edit->of_hold && strcmp(name, DESCRIPTION) != 0)
		return sf_fail(err, -EPERM, "the only xattrs are " DESCRIPTION " and " HOLD);
	*ret_there = edit->of_hold ? node->snapshot->record.held : node->snapshot->record.description != NULL;
	return 0;
}

static int plan_set(struct edit *edit, const char *name, const char *value, size_t size, int flags,
		    struct sf_err *err)
{
	bool there;
	int rc = find_xattr(edit, name, &there, err);

	if (rc < 0)
		return rc;
	if (there && (flags & XATTR_CREATE))
		return sf_fail(err, -EEXIST, "%s is already set", name);
	if (!there && (flags & XATTR_REPLACE))
		return sf_fail(err, -ENODATA, "%s is not set", name);
	if (edit->of_hold)
		return sf_control_parse_hold(value, size, &edit->held, err);
	if (size > 0 && memchr(value, '\0', size))
		return sf_fail(err, -EINVAL, "the description contains a NUL byte");
	edit->text = strndup(size > 0 ? value : "", size);
	return edit->text ? sf_description_check(edit->text, err) : sf_fail(err, -ENOMEM, "out of memory");
}

static int plan_remove(struct edit *edit, const char *name, struct sf_err *err)
{
	bool there;
	int rc = find_xattr(edit, name, &there, err);

	if (rc < 0)
		return rc;
	if (!there)
		return sf_fail(err, -ENODATA, "%s is not set", name);
	edit->text = edit->of_hold ? NULL : strdup("");
	return edit->of_hold || edit->text ? 0 : sf_fail(err, -ENOMEM, "out of memory");
}

/* All but the edit itself, which the caller or its task frees. */
static void fini(struct edit *edit)
{
	free(edit->text);
	sf_node_fini(&edit->node);
}

/* The engine records its own failures for last-error. */
static void run_edit(struct sf_task *task)
{
	struct edit *edit = (struct edit *)task;
	struct sf_fs *fs = sf_fs_of(edit->req);
	uint64_t id = edit->node.snapshot->id;
	int rc = edit->of_hold ? sf_engine_hold(fs->engine, id, edit->held, NULL)
			       : sf_engine_describe(fs->engine, id, edit->text, NULL);

	sf_reply_changed(fs, sf_tree_meta_ino(&edit->node));
	sf_reply_changed(fs, edit->node.vm.id);
	sf_reply_changed(fs, FUSE_ROOT_ID);
	fuse_reply_err(edit->req, -rc);
	fini(edit);
}

/* NULL when the request has been answered. */
static struct edit *new_edit(fuse_req_t req, fuse_ino_t ino)
{
	struct edit *edit = calloc(1, sizeof(*edit));
	int rc = edit ? sf_tree_node(&sf_fs_of(req)->tree, ino, &edit->node) : -ENOMEM;

	if (rc < 0) {
		free(edit);
		fuse_reply_err(req, -rc);
		return NULL;
	}
	edit->task.run = run_edit;
	edit->req = req;
	return edit;
}

/* planned: the result of the checks, with err. Takes over edit. */
static void start(struct edit *edit, const char *verb, int planned, const struct sf_err *err)
{
	fuse_req_t req = edit->req;
	int rc;

	if (planned < 0) {
		sf_reply_refuse_node(req, sf_fs_of(req), verb, &edit->node, NULL, planned, err->text);
	} else {
		rc = sf_tasks_start(&sf_fs_of(req)->tasks, &edit->task);
		if (rc == 0)
			return; /* the thread owns it, and may have freed it by now */
		sf_later_refuse(req, verb, &edit->node, NULL, rc);
	}
	fini(edit);
	free(edit);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
			int flags)
{
	struct edit *edit = new_edit(req, ino);
	struct sf_err err = {0};

	if (edit)
		start(edit, "setxattr", plan_set(edit, name, value, size, flags, &err), &err);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct edit *edit = new_edit(req, ino);
	struct sf_err err = {0};

	if (edit)
		start(edit, "removexattr", plan_remove(edit, name, &err), &err);
}

void sf_ops_xattr_fill(struct fuse_lowlevel_ops *ops)
{
	ops->getxattr = op_getxattr;
	ops->listxattr = op_listxattr;
	ops->setxattr = op_setxattr;
	ops->removexattr = op_removexattr;
}

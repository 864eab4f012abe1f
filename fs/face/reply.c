/* SPDX-License-Identifier: GPL-2.0-or-later */
#define FUSE_USE_VERSION 312

#include "reply.h"

#include "core/engine/engine.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include <fuse_lowlevel.h>

/*
 * How long the kernel may cache an answer: a day for what cannot change, a second for names that rarely
 * change. Answers for control files are not cached.
 */
#define FOREVER_S 86400.0
#define NAME_S    1.0

struct sf_fs *sf_fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/*
 * The kernel asks for the attributes of every directory on the path to a file. It is notified of changes
 * (sf_reply_changed), but sees VMs come and go only after NAME_S.
 */
static double attr_timeout(const struct sf_node *node)
{
	if (node->kind == SF_NODE_IMAGE || node->kind == SF_NODE_SNAPSHOT)
		return FOREVER_S;
	return sf_node_is_dir(node) || node->kind == SF_NODE_META || node->kind == SF_NODE_MANIFEST ? NAME_S
												    : 0;
}

/* Looking up a control file each time also resets its size to 0, for O_APPEND. */
static double entry_timeout(const struct sf_node *node)
{
	if (sf_node_is_control(node))
		return 0;
	return sf_node_is_dir(node) ? NAME_S : FOREVER_S;
}

void sf_reply_fill_entry(const struct sf_fs *fs, const struct sf_node *node, struct fuse_entry_param *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->ino = node->ino;
	entry->attr_timeout = attr_timeout(node);
	entry->entry_timeout = entry_timeout(node);
	sf_tree_stat(&fs->tree, node, &entry->attr);
}

void sf_reply_node(fuse_req_t req, const struct sf_fs *fs, const struct sf_node *node)
{
	struct fuse_entry_param entry;

	sf_reply_fill_entry(fs, node, &entry);
	fuse_reply_entry(req, &entry);
}

void sf_reply_attr(fuse_req_t req, const struct sf_node *node)
{
	struct stat st;

	sf_tree_stat(&sf_fs_of(req)->tree, node, &st);
	fuse_reply_attr(req, &st, attr_timeout(node));
}

void sf_reply_changed(const struct sf_fs *fs, uint64_t ino)
{
	/* Fails when the kernel does not know the inode, which is fine. */
	(void)fuse_lowlevel_notify_inval_inode(fs->se, ino, -1, 0);
}

void sf_reply_listing_changed(const struct sf_fs *fs, uint64_t ino)
{
	(void)fuse_lowlevel_notify_inval_inode(fs->se, ino, 0, 0); /* as above */
}

void sf_reply_refuse(fuse_req_t req, const struct sf_fs *fs, const char *what, struct sf_err *err)
{
	sf_engine_note_failure(fs->engine, what, err);
	fuse_reply_err(req, -err->code);
}

void sf_reply_refuse_node(fuse_req_t req, const struct sf_fs *fs, const char *verb,
			  const struct sf_node *node, const char *name, int rc, const char *why)
{
	char path[SF_NODE_PATH], what[SF_ERR_TEXT];
	struct sf_err err = {0};

	sf_node_path(node, path);
	(void)snprintf(what, sizeof(what), "%s %s%s%s", verb, path,
		       name && *path && path[strlen(path) - 1] != '/' ? "/" : "", name ? name : "");
	sf_fail(&err, rc, "%s", why);
	sf_reply_refuse(req, fs, what, &err);
}

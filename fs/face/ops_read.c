/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE operations that read: look-ups, attributes, open files, listings. */
#define FUSE_USE_VERSION 312

#include "data.h"
#include "later.h"
#include "ops.h"
#include "reply.h"

#include "core/engine/engine.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

/* --- start of the session --- */

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct sf_fs *fs = userdata;

	conn->max_read = fs->max_read;
	conn->max_readahead = SF_FS_READAHEAD;
	conn->max_background = SF_FS_MAX_BACKGROUND;
#ifdef FUSE_CAP_EXPORT_SUPPORT
	conn->want |= conn->capable & FUSE_CAP_EXPORT_SUPPORT;
#endif
	sf_passthrough_want(&fs->passthrough, conn);
#ifdef FUSE_CAP_READDIRPLUS
	conn->want |= conn->capable & FUSE_CAP_READDIRPLUS;
#endif
#ifdef FUSE_CAP_SPLICE_READ
	conn->want &= ~(unsigned)FUSE_CAP_SPLICE_READ; /* requests are small: no gain */
#endif
}

/* --- names and attributes --- */

/* The list of VMs is asked of the hypervisor, for which the threads that receive requests must not wait. */
static bool must_wait(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID && sf_engine_is_stale(sf_fs_of(req)->engine);
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name, struct fuse_file_info *fi)
{
	const struct sf_fs *fs = sf_fs_of(req);
	struct sf_node dir = {0}, node = {0};
	int rc = sf_tree_node(&fs->tree, parent, &dir);

	(void)fi;
	if (rc == 0)
		rc = sf_tree_lookup(&fs->tree, &dir, name, &node);
	if (rc < 0)
		fuse_reply_err(req, -rc);
	else
		sf_reply_node(req, fs, &node);
	sf_node_fini(&node);
	sf_node_fini(&dir);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (must_wait(req, parent))
		sf_later(req, "look up", parent, name, NULL, lookup);
	else
		lookup(req, parent, name, NULL);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct sf_node node;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);

	(void)fi;
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	sf_reply_attr(req, &node);
	sf_node_fini(&node);
}

/*
 * `mkdir -m` and `install -d` then set the mode and owner of the new snapshot. A change is accepted if it
 * changes nothing once the mount's umask is applied; a narrower mode is refused.
 */
static bool is_what_it_has(const struct sf_tree *tree, const struct sf_node *node, const struct stat *attr,
			   int to_set)
{
	const int harmless = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
	struct stat st;

	if (node->kind != SF_NODE_SNAPSHOT || (to_set & ~harmless))
		return false;
	sf_tree_stat(tree, node, &st);
	return (!(to_set & FUSE_SET_ATTR_MODE) ||
		(attr->st_mode & 07777 & ~tree->umask) == (st.st_mode & 07777)) &&
	       (!(to_set & FUSE_SET_ATTR_UID) || attr->st_uid == st.st_uid) &&
	       (!(to_set & FUSE_SET_ATTR_GID) || attr->st_gid == st.st_gid);
}

/*
 * `echo word > revert` truncates first, and an editor or dd may truncate to some length: both are no-ops.
 */
static void set_attr(fuse_req_t req, const struct sf_node *node, const struct stat *attr, int to_set)
{
	const struct sf_fs *fs = sf_fs_of(req);

	if ((sf_node_is_writable(node) && (to_set & FUSE_SET_ATTR_SIZE)) ||
	    is_what_it_has(&fs->tree, node, attr, to_set))
		sf_reply_attr(req, node);
	else if (to_set & FUSE_SET_ATTR_SIZE)
		sf_reply_refuse_node(req, fs, "truncate", node, NULL, -EROFS, "snapshots are read-only");
	else
		sf_reply_refuse_node(req, fs, "setattr", node, NULL, -EPERM,
				     "owner, mode and times cannot be changed");
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	struct sf_node node;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);

	(void)fi;
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	set_attr(req, &node, attr, to_set);
	sf_node_fini(&node);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct sf_node node;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	sf_spaces_reply(req, node.vm.id);
	sf_node_fini(&node);
}

/* --- files --- */

static int check_access(const struct sf_node *node, int flags)
{
	if (sf_node_is_dir(node))
		return -EISDIR;
	return !sf_node_is_writable(node) && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)) ? -EROFS
												    : 0;
}

/* err has no text if the quota refused, which it has logged, or if the directory is gone. */
static void refuse_open(fuse_req_t req, const struct sf_node *node, int rc, const struct sf_err *err)
{
	if (*err->text)
		sf_reply_refuse_node(req, sf_fs_of(req), "open", node, NULL, rc, err->text);
	else
		fuse_reply_err(req, -rc);
}

static void open_node(fuse_req_t req, fuse_ino_t ino, const struct sf_node *node, struct fuse_file_info *fi)
{
	struct sf_fs *fs = sf_fs_of(req);
	struct sf_handle *handle;
	struct sf_err err = {0};
	int rc = sf_data_open(fs, node, fuse_req_ctx(req)->uid, &handle, &err);

	if (rc < 0) {
		refuse_open(req, node, rc, &err);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)handle;
	fi->keep_cache = node->kind == SF_NODE_IMAGE;
	fi->direct_io = !fi->keep_cache;
	if (fi->keep_cache &&
	    sf_passthrough_open(&fs->passthrough, req, ino, sf_data_image(handle), fi) < 0) {
		sf_data_close(fs, handle);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (fuse_reply_open(req, fi) < 0) { /* the opener is gone: there will be no release */
		sf_passthrough_close(&fs->passthrough, NULL, ino);
		sf_data_close(fs, handle);
	}
}

static void open_later(fuse_req_t req, fuse_ino_t ino, const char *name, struct fuse_file_info *fi)
{
	struct sf_node node;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &node);

	(void)name;
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	open_node(req, ino, &node, fi);
	sf_node_fini(&node);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct sf_fs *fs = sf_fs_of(req);
	struct sf_node node;
	int rc = sf_tree_node(&fs->tree, ino, &node);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	rc = check_access(&node, fi->flags);
	if (rc == -EROFS)
		sf_reply_refuse_node(req, fs, "open for writing", &node, NULL, rc, "snapshots are read-only");
	else if (rc < 0)
		fuse_reply_err(req, -rc);
	else if (sf_data_may_wait(&node))
		sf_later(req, "open", ino, NULL, fi, open_later);
	else
		open_node(req, ino, &node, fi);
	sf_node_fini(&node);
}

static struct sf_handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct sf_handle *)(uintptr_t)fi->fh;
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	sf_data_read(req, sf_fs_of(req), handle_of(fi), size, off);
}

static void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	(void)ino;
	sf_data_lseek(req, handle_of(fi), off, whence);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct sf_fs *fs = sf_fs_of(req);

	sf_passthrough_close(&fs->passthrough, req, ino);
	sf_data_close(fs, handle_of(fi));
	fuse_reply_err(req, 0);
}

/* --- directories --- */

/* A snapshot's list of files rarely changes, so the kernel caches it and is notified of changes. */
static void open_dir(fuse_req_t req, const struct sf_node *dir, struct fuse_file_info *fi)
{
	struct sf_fs *fs = sf_fs_of(req);
	struct sf_handle *handle;
	struct sf_err err = {0};
	int rc = sf_data_open_dir(fs, dir, fuse_req_ctx(req)->uid, &handle, &err);

	if (rc < 0) {
		refuse_open(req, dir, rc, &err);
		return;
	}
	fi->cache_readdir = fi->keep_cache = dir->kind == SF_NODE_SNAPSHOT;
	fi->fh = (uint64_t)(uintptr_t)handle;
	if (fuse_reply_open(req, fi) < 0)
		sf_data_close(fs, handle);
}

static void reply_dir(fuse_req_t req, fuse_ino_t ino, const char *name, struct fuse_file_info *fi)
{
	struct sf_node dir;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, ino, &dir);

	(void)name;
	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	open_dir(req, &dir, fi);
	sf_node_fini(&dir);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (must_wait(req, ino))
		sf_later(req, "open", ino, NULL, fi, reply_dir);
	else
		reply_dir(req, ino, NULL, fi);
}

/* Whether the listing predates the manifest: its reader may have put it into the kernel's cache since. */
static bool lacks_manifest(const struct sf_fs *fs, fuse_ino_t ino, const struct sf_handle *handle)
{
	size_t n, i = 0;
	const struct sf_entry *entries = sf_data_entries(handle, &n);
	struct sf_node dir;
	bool lacks;

	if (sf_tree_node(&fs->tree, ino, &dir) < 0)
		return false;
	lacks = dir.kind == SF_NODE_SNAPSHOT && dir.snapshot->manifest_bytes;
	while (lacks && i < n)
		lacks = entries[i++].ino != sf_tree_manifest_ino(&dir);
	sf_node_fini(&dir);
	return lacks;
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct sf_fs *fs = sf_fs_of(req);
	bool stale = lacks_manifest(fs, ino, handle_of(fi));

	sf_data_close(fs, handle_of(fi));
	fuse_reply_err(req, 0);
	if (stale)
		sf_reply_listing_changed(fs, ino);
}

/*
 * Adds attributes for entries that still exist. For others, and for dots, inode 0 means no attributes.
 */
static size_t add_plus(fuse_req_t req, char *buf, size_t size, const struct sf_entry *entry, off_t next)
{
	struct fuse_entry_param param = {
		.attr = {.st_ino = entry->ino, .st_mode = entry->is_dir ? S_IFDIR : S_IFREG}};
	bool dots = strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0;
	const struct sf_fs *fs = sf_fs_of(req);
	struct sf_node node;

	if (!dots && sf_tree_node(&fs->tree, entry->ino, &node) == 0) {
		sf_reply_fill_entry(fs, &node, &param);
		sf_node_fini(&node);
	}
	return fuse_add_direntry_plus(req, buf, size, entry->name, &param, next);
}

static size_t add_plain(fuse_req_t req, char *buf, size_t size, const struct sf_entry *entry, off_t next)
{
	struct stat st = {.st_ino = entry->ino, .st_mode = entry->is_dir ? S_IFDIR : S_IFREG};

	return fuse_add_direntry(req, buf, size, entry->name, &st, next);
}

typedef size_t add_fn(fuse_req_t req, char *buf, size_t size, const struct sf_entry *entry, off_t next);

static void reply_entries(fuse_req_t req, size_t size, off_t off, const struct fuse_file_info *fi,
			  add_fn *add)
{
	size_t n, used = 0;
	const struct sf_entry *entries = sf_data_entries(handle_of(fi), &n);
	auto_free char *buf = malloc(size);

	if (!buf || off < 0) {
		fuse_reply_err(req, buf ? EINVAL : ENOMEM);
		return;
	}
	for (size_t i = (size_t)off; i < n; i++) {
		size_t len = add(req, buf + used, size - used, &entries[i], (off_t)i + 1);

		if (len > size - used)
			break;
		used += len;
	}
	fuse_reply_buf(req, buf, used);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	reply_entries(req, size, off, fi, add_plain);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino;
	reply_entries(req, size, off, fi, add_plus);
}

void sf_ops_fill(struct fuse_lowlevel_ops *ops)
{
	ops->init = op_init;
	ops->lookup = op_lookup;
	ops->getattr = op_getattr;
	ops->setattr = op_setattr;
	ops->statfs = op_statfs;
	ops->open = op_open;
	ops->read = op_read;
	ops->lseek = op_lseek;
	ops->release = op_release;
	ops->opendir = op_opendir;
	ops->readdir = op_readdir;
	ops->readdirplus = op_readdirplus;
	ops->releasedir = op_releasedir;
}

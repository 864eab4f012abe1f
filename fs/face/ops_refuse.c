/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE operations that are always refused, each with a text that says what to do instead. */
#define FUSE_USE_VERSION 312

#include "ops.h"
#include "reply.h"

#include <errno.h>

#include <fuse_lowlevel.h>

static void refuse_name(fuse_req_t req, fuse_ino_t parent, const char *verb, const char *name,
			const char *why)
{
	struct sf_node dir;
	int rc = sf_tree_node(&sf_fs_of(req)->tree, parent, &dir);

	if (rc < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	sf_reply_refuse_node(req, sf_fs_of(req), verb, &dir, name, -EPERM, why);
	sf_node_fini(&dir);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	refuse_name(req, parent, "unlink", name, "use rmdir to delete a snapshot");
}

#define ONLY_MKDIR "files cannot be created here; mkdir in a VM's directory takes a snapshot"

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	(void)mode;
	(void)fi;
	refuse_name(req, parent, "create", name, ONLY_MKDIR);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)mode;
	(void)rdev;
	refuse_name(req, parent, "mknod", name, ONLY_MKDIR);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link;
	refuse_name(req, parent, "symlink", name, ONLY_MKDIR);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
{
	(void)ino;
	refuse_name(req, newparent, "link", newname, ONLY_MKDIR);
}

void sf_ops_refuse_fill(struct fuse_lowlevel_ops *ops)
{
	ops->unlink = op_unlink;
	ops->create = op_create;
	ops->mknod = op_mknod;
	ops->symlink = op_symlink;
	ops->link = op_link;
}

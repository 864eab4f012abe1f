/* SPDX-License-Identifier: GPL-2.0-or-later */
#define FUSE_USE_VERSION 312

#include "later.h"

#include "reply.h"

#include "core/engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fuse_lowlevel.h>

struct later {
	struct sf_task task; /* first */
	fuse_req_t req;
	struct sf_fs *fs;
	uid_t uid;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	sf_later_fn *serve;
	char name[];
};

static void run(struct sf_task *task)
{
	struct later *later = (struct later *)task;

	if (later->ino == FUSE_ROOT_ID)
		sf_engine_refresh(later->fs->engine);
	later->serve(later->req, later->ino, later->name, &later->fi);
	sf_quota_give(&later->fs->quota, later->uid, SF_QUOTA_WAITING, 1);
}

void sf_later_refuse(fuse_req_t req, const char *verb, const struct sf_node *node, const char *name, int rc)
{
	sf_reply_refuse_node(req, sf_fs_of(req), verb, node, name, rc,
			     rc == -ESHUTDOWN ? "snapfs is stopping" : strerror(-rc));
}

static void refuse(fuse_req_t req, const char *verb, fuse_ino_t ino, const char *name, int rc)
{
	struct sf_node node;

	if (sf_tree_node(&sf_fs_of(req)->tree, ino, &node) < 0) {
		fuse_reply_err(req, -rc);
		return;
	}
	sf_later_refuse(req, verb, &node, name, rc);
	sf_node_fini(&node);
}

static struct later *new_later(fuse_req_t req, fuse_ino_t ino, const char *name,
			       const struct fuse_file_info *fi, sf_later_fn *serve)
{
	size_t len = name ? strlen(name) : 0;
	struct later *later = calloc(1, sizeof(*later) + len + 1);

	if (!later)
		return NULL;
	later->task.run = run;
	later->req = req;
	later->fs = sf_fs_of(req);
	later->uid = fuse_req_ctx(req)->uid;
	later->ino = ino;
	later->serve = serve;
	if (fi)
		later->fi = *fi;
	if (name)
		memcpy(later->name, name, len);
	return later;
}

void sf_later(fuse_req_t req, const char *verb, fuse_ino_t ino, const char *name,
	      const struct fuse_file_info *fi, sf_later_fn *serve)
{
	struct sf_fs *fs = sf_fs_of(req);
	uid_t uid = fuse_req_ctx(req)->uid;
	struct later *later;
	int rc = sf_quota_take(&fs->quota, uid, SF_QUOTA_WAITING, 1);

	if (rc < 0) { /* logged */
		fuse_reply_err(req, -rc);
		return;
	}
	later = new_later(req, ino, name, fi, serve);
	rc = later ? sf_tasks_start(&fs->reads, &later->task) : -ENOMEM;
	if (rc == 0)
		return; /* the thread owns it, and may have freed it by now */
	free(later);
	sf_quota_give(&fs->quota, uid, SF_QUOTA_WAITING, 1);
	refuse(req, verb, ino, name, rc);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The FUSE operations, in one source file per group. */
#ifndef SF_FACE_OPS_H
#define SF_FACE_OPS_H

#include <stddef.h>
#include <sys/types.h>

struct fuse_file_info;
struct fuse_lowlevel_ops;
struct fuse_req;
struct sf_node;

/* Fill in the operations of ops_read.c, ops_write.c, ops_refuse.c and ops_xattr.c. */
void sf_ops_fill(struct fuse_lowlevel_ops *ops);
void sf_ops_write_fill(struct fuse_lowlevel_ops *ops);
void sf_ops_refuse_fill(struct fuse_lowlevel_ops *ops);
void sf_ops_xattr_fill(struct fuse_lowlevel_ops *ops);

/* Handles a write into .snapfs/run (ops_run.c). */
void sf_ops_write_run(struct fuse_req *req, const struct sf_node *node, const char *buf, size_t size,
		      off_t off, const struct fuse_file_info *fi);

#endif

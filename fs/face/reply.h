/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies shared by several operations, and notifications to the kernel. */
#ifndef SF_FACE_REPLY_H
#define SF_FACE_REPLY_H

#include "fs.h"

/* The user data of the request's session. */
struct sf_fs *sf_fs_of(struct fuse_req *req);

void sf_reply_fill_entry(const struct sf_fs *fs, const struct sf_node *node, struct fuse_entry_param *entry);
/* Reply with the entry, or with the attributes, of a node. */
void sf_reply_node(struct fuse_req *req, const struct sf_fs *fs, const struct sf_node *node);
void sf_reply_attr(struct fuse_req *req, const struct sf_node *node);

/* Makes the kernel forget the attributes of this file or directory. */
void sf_reply_changed(const struct sf_fs *fs, uint64_t ino);
/*
 * Makes the kernel forget the listing of this directory, too. Never call it from a thread that owes a reply
 * to a request on the directory: the kernel may hold the directory's lock.
 */
void sf_reply_listing_changed(const struct sf_fs *fs, uint64_t ino);

/* Records err for .snapfs/last-error, then replies err->code. what: such as "unlink web/clean/disk.img". */
void sf_reply_refuse(struct fuse_req *req, const struct sf_fs *fs, const char *what, struct sf_err *err);
/* The same with "VERB PATH" as what: the path of node or, unless name is NULL, of name in node. */
void sf_reply_refuse_node(struct fuse_req *req, const struct sf_fs *fs, const char *verb,
			  const struct sf_node *node, const char *name, int rc, const char *why);

#endif

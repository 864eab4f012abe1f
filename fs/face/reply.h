/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies that several operations give, and what the kernel is told unasked. */
#ifndef SF_FACE_REPLY_H
#define SF_FACE_REPLY_H

#include "fs.h"

/* The user data of the request's session. */
struct sf_fs *sf_fs_of(struct fuse_req *req);

void sf_reply_fill_entry(const struct sf_fs *fs, const struct sf_node *node, struct fuse_entry_param *entry);
/* Replies with the entry, or the attributes, of a node. */
void sf_reply_node(struct fuse_req *req, const struct sf_fs *fs, const struct sf_node *node);
void sf_reply_attr(struct fuse_req *req, const struct sf_node *node);

/* Makes the kernel forget the attributes of this file or directory. */
void sf_reply_changed(const struct sf_fs *fs, uint64_t ino);
/*
 * Makes the kernel forget the listing of this directory, too. Never call it on a thread that a request waits
 * for: the kernel may hold a lock on the directory.
 */
void sf_reply_listing_changed(const struct sf_fs *fs, uint64_t ino);

/* Records the reason for .snapfs/last-error, then replies err->code. what: "unlink web/clean/disk.img". */
void sf_reply_refuse(struct fuse_req *req, const struct sf_fs *fs, const char *what, struct sf_err *err);
/* The same for "VERB PATH" of a node, or of name in it. name may be NULL. */
void sf_reply_refuse_node(struct fuse_req *req, const struct sf_fs *fs, const char *verb,
			  const struct sf_node *node, const char *name, int rc, const char *why);

#endif

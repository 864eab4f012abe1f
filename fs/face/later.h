/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves requests that may have to wait for a backend, each on a thread of its own. The threads that receive
 * the requests must not wait for one: there are few of them, and they also serve look-ups.
 */
#ifndef SF_FACE_LATER_H
#define SF_FACE_LATER_H

#include "fs.h"

/* Serves the request and replies to it. name is "", and fi zeroed, if the request has none. */
typedef void sf_later_fn(struct fuse_req *req, uint64_t ino, const char *name, struct fuse_file_info *fi);

/*
 * Calls serve on another thread, with copies of name and fi, either of which may be NULL. For a request on
 * the root, that thread first updates the list of VMs. verb, such as "open", is for messages.
 */
void sf_later(struct fuse_req *req, const char *verb, uint64_t ino, const char *name,
	      const struct fuse_file_info *fi, sf_later_fn *serve);

/*
 * Replies to a request whose task could not be started: rc is the result of sf_tasks_start(). verb, node and
 * name as for sf_reply_refuse_node().
 */
void sf_later_refuse(struct fuse_req *req, const char *verb, const struct sf_node *node, const char *name,
		     int rc);

#endif

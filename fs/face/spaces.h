/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers statfs(2). A thread measures the space behind a VM, one at a time for each VM, and answers all
 * requests that arrived meanwhile. If it takes long, later requests get the figures of the last one.
 */
#ifndef SF_FACE_SPACES_H
#define SF_FACE_SPACES_H

#include <pthread.h>
#include <stdint.h>

struct fuse_req;
struct sf_vm_space;

struct sf_spaces {
	pthread_mutex_t lock; /* guards the list and what is in it; a leaf */
	struct sf_vm_space *list;
};

void sf_spaces_init(struct sf_spaces *spaces);
/* No measurement may be running. */
void sf_spaces_fini(struct sf_spaces *spaces);

/* Replies, now or later. vm_id as for sf_engine_space(). */
void sf_spaces_reply(struct fuse_req *req, uint64_t vm_id);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mounted file system: the data that all requests share. Headers in this directory name libfuse's types
 * by their struct tags, so that only .c files include the library's header.
 */
#ifndef SF_FACE_FS_H
#define SF_FACE_FS_H

#include "buffers.h"
#include "passthrough.h"
#include "quota.h"
#include "spaces.h"
#include "tasks.h"
#include "tree.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fuse_entry_param;
struct fuse_file_info;
struct fuse_lowlevel_ops;
struct fuse_req;
struct fuse_session;
struct sf_engine;
struct sf_err;
struct sf_handle;

/* Bytes of the largest request that the kernel sends: fs.fuse.max_pages_limit (256) pages. */
#define SF_FS_MAX_READ (1024U * 1024U)
/* The kernel queues I/O to a full thin pool for a minute; this many threads can block there. */
#define SF_FS_MAX_THREADS 64U
/* Readahead requests in flight: half of the threads, so that readahead alone never delays an ls. */
#define SF_FS_MAX_BACKGROUND (SF_FS_MAX_THREADS / 2)
/* Four requests in flight for one sequential reader. */
#define SF_FS_READAHEAD (4 * SF_FS_MAX_READ)

/* The user data of every request. From tasks on, the members change while serving. */
struct sf_fs {
	struct fuse_session *se;
	struct sf_engine *engine;
	struct sf_tree tree;
	struct sf_tasks tasks; /* operations */
	struct sf_tasks reads; /* other requests that may wait for a backend; served while operations end */
	struct sf_spaces spaces;
	struct sf_quota quota;
	struct sf_buffers buffers; /* of max_read bytes, for reads of images */
	struct sf_passthrough passthrough;
	pthread_mutex_t lock;    /* guards open and document_bytes */
	struct sf_handle *open;  /* list of all open files and directories */
	uint64_t document_bytes; /* total size of the open documents */
	unsigned max_read;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the libfuse rooms (ops, data, session) share. Headers name libfuse's types by their struct tags only,
 * so that the library's own header is included in .c files alone.
 */
#ifndef SF_FACE_FS_H
#define SF_FACE_FS_H

#include "buffers.h"
#include "passthrough.h"
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

/* The largest request that the kernel sends: fs.fuse.max_pages_limit (256) pages. */
#define SF_FS_MAX_READ (1024U * 1024U)
/*
 * Threads that may be stuck in a full pool's I/O, which the kernel queues for a minute, before others notice.
 */
#define SF_FS_MAX_THREADS 64U
/* Readahead requests at once: half of the threads, so that it alone never keeps an ls waiting. */
#define SF_FS_MAX_BACKGROUND (SF_FS_MAX_THREADS / 2)
/* Four requests in flight for one sequential reader. */
#define SF_FS_READAHEAD (4 * SF_FS_MAX_READ)

/*
 * The user data of every request. But for tasks and the list of open files nothing changes while requests are
 * served.
 */
struct sf_fs {
	struct fuse_session *se;
	struct sf_engine *engine;
	struct sf_tree tree;
	struct sf_tasks tasks;
	struct sf_buffers buffers; /* of max_read bytes, for reads of images */
	struct sf_passthrough passthrough;
	pthread_mutex_t lock;    /* guards what follows, up to max_read */
	struct sf_handle *open;  /* all open files and directories: a list */
	uint64_t document_bytes; /* of the documents that they keep */
	unsigned max_read;
};

/* Each fills in the operations of its file. */
void sf_ops_fill(struct fuse_lowlevel_ops *ops);
void sf_ops_write_fill(struct fuse_lowlevel_ops *ops);
void sf_ops_xattr_fill(struct fuse_lowlevel_ops *ops);

/* --- helpers of ops.c for the other two --- */

void sf_ops_reply_node(struct fuse_req *req, const struct sf_fs *fs, const struct sf_node *node);
/* The kernel asks for the attributes of this file or directory again. */
void sf_ops_changed(const struct sf_fs *fs, uint64_t ino);
/* And for what this directory holds. Only from where no request waits. */
void sf_ops_listing_changed(const struct sf_fs *fs, uint64_t ino);
/* Keeps the reason for .snapfs/last-error, then replies -rc. what: "unlink web/clean/disk.img". */
void sf_ops_refuse(struct fuse_req *req, const struct sf_fs *fs, const char *what, struct sf_err *err);
/* The same for "VERB PATH" of a node, or of name in it. name may be NULL. */
void sf_ops_refuse_node(struct fuse_req *req, const struct sf_fs *fs, const char *verb,
			const struct sf_node *node, const char *name, int rc, const char *why);

/* --- ops_run.c: a write into .snapfs/run --- */

void sf_ops_write_run(struct fuse_req *req, const struct sf_node *node, const char *buf, size_t size,
		      off_t off, const struct fuse_file_info *fi);

/* --- open files: data.c --- */

void sf_data_init(struct sf_fs *fs);
/* Closes what is still open: an unmount sends no releases. No request may be running. */
void sf_data_fini(struct sf_fs *fs);

/* Opens what node stands for; documents are made now. Not a directory. */
int sf_data_open(struct sf_fs *fs, const struct sf_node *node, struct sf_handle **ret, struct sf_err *err);
/* A directory's listing as it is now, so that it stays whole while snapshots come and go. */
int sf_data_open_dir(struct sf_fs *fs, const struct sf_node *dir, struct sf_handle **ret);
const struct sf_entry *sf_data_entries(const struct sf_handle *handle, size_t *ret_n);
void sf_data_close(struct sf_fs *fs, struct sf_handle *handle);
/* NULL for what is text. */
const struct sf_image *sf_data_image(const struct sf_handle *handle);

void sf_data_read(struct fuse_req *req, struct sf_fs *fs, struct sf_handle *handle, size_t size, off_t off);
void sf_data_lseek(struct fuse_req *req, struct sf_handle *handle, off_t off, int whence);
/* A run of a schedule has begun through this open file: its close ends the run. */
void sf_data_runs(struct sf_handle *handle);
/*
 * What the handle reads from now on, taken over (NULL: nothing). position: the writer's after the write that
 * it answers, which is where a read without a seek goes on.
 */
void sf_data_answer(struct sf_handle *handle, char *text, uint64_t position);

#endif

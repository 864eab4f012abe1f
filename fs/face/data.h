/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files and directories, and what is read from them. A read of an image goes straight from its handle to
 * the backend: it looks nothing up and takes no lock but that of the shared buffers.
 */
#ifndef SF_FACE_DATA_H
#define SF_FACE_DATA_H

#include "fs.h"

void sf_data_init(struct sf_fs *fs);
/* Closes all open files, because an unmount sends no releases. No request may be in flight. */
void sf_data_fini(struct sf_fs *fs);

/* Whether opening this file may wait for a backend. */
bool sf_data_may_wait(const struct sf_node *node);
/*
 * Opens a file, not a directory, for user uid. A document is generated now and stays the same while it is
 * open. If the quota refuses, err has no text: the quota logs refusals itself.
 */
int sf_data_open(struct sf_fs *fs, const struct sf_node *node, uid_t uid, struct sf_handle **ret,
		 struct sf_err *err);
/*
 * Opens a directory. Its listing is taken now, so it stays consistent while snapshots come and go. Failures
 * as above.
 */
int sf_data_open_dir(struct sf_fs *fs, const struct sf_node *dir, uid_t uid, struct sf_handle **ret,
		     struct sf_err *err);
const struct sf_entry *sf_data_entries(const struct sf_handle *handle, size_t *ret_n);
void sf_data_close(struct sf_fs *fs, struct sf_handle *handle);
/* NULL for a document or a directory. */
const struct sf_image *sf_data_image(const struct sf_handle *handle);

/* Each replies to the request. */
void sf_data_read(struct fuse_req *req, struct sf_fs *fs, struct sf_handle *handle, size_t size, off_t off);
void sf_data_lseek(struct fuse_req *req, struct sf_handle *handle, off_t off, int whence);
/* Notes that a schedule's run was begun through this open file; closing the file ends the run. */
void sf_data_runs(struct sf_handle *handle);
/*
 * Sets what the handle reads from now on. Takes over text, which is on the heap; NULL: nothing. position: the
 * writer's file position after the write that text answers, so that a read without a seek starts at text's
 * beginning.
 */
void sf_data_answer(struct sf_handle *handle, char *text, uint64_t position);

#endif

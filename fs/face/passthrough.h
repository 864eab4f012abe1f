/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FUSE passthrough (Linux 6.9, libfuse 3.17): the kernel reads images that are regular files by itself,
 * without asking the daemon. All openers of one image must read it the same way, so the first one decides,
 * and the others share its backing id. If libfuse lacks passthrough, these functions are no-ops and the
 * daemon serves every read.
 */
#ifndef SF_FACE_PASSTHROUGH_H
#define SF_FACE_PASSTHROUGH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fuse_conn_info;
struct fuse_file_info;
struct fuse_req;
struct sf_image;
struct sf_open_image;

struct sf_passthrough {
	pthread_mutex_t lock; /* guards the rest */
	bool wanted;          /* use it for images that are not open yet */
	struct sf_open_image *open;
};

#ifdef SF_HAVE_PASSTHROUGH

void sf_passthrough_init(struct sf_passthrough *passthrough);
void sf_passthrough_fini(struct sf_passthrough *passthrough);
/* Requests passthrough from the kernel if it is capable of it. */
void sf_passthrough_want(struct sf_passthrough *passthrough, struct fuse_conn_info *conn);

/* Call before the reply to an open of ino, whose content is image: sets in fi how to read it. -ENOMEM. */
int sf_passthrough_open(struct sf_passthrough *passthrough, struct fuse_req *req, uint64_t ino,
			const struct sf_image *image, struct fuse_file_info *fi);
/*
 * Call once for each open; a no-op for inodes that are not images. req may be NULL after a failed reply: the
 * connection is then gone, and the backing id with it.
 */
void sf_passthrough_close(struct sf_passthrough *passthrough, struct fuse_req *req, uint64_t ino);

#else

static inline void sf_passthrough_init(struct sf_passthrough *passthrough)
{
	(void)passthrough;
}

static inline void sf_passthrough_fini(struct sf_passthrough *passthrough)
{
	(void)passthrough;
}

static inline void sf_passthrough_want(struct sf_passthrough *passthrough, struct fuse_conn_info *conn)
{
	(void)passthrough;
	(void)conn;
}

static inline int sf_passthrough_open(struct sf_passthrough *passthrough, struct fuse_req *req, uint64_t ino,
				      const struct sf_image *image, struct fuse_file_info *fi)
{
	(void)passthrough;
	(void)req;
	(void)ino;
	(void)image;
	(void)fi;
	return 0;
}

static inline void sf_passthrough_close(struct sf_passthrough *passthrough, struct fuse_req *req,
					uint64_t ino)
{
	(void)passthrough;
	(void)req;
	(void)ino;
}

#endif

#endif

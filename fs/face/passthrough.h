/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images that are regular files can be read by the kernel itself, without asking us: FUSE passthrough
 * (Linux 6.9, libfuse 3.17). All who have one image open must read it in the same way, so the first decides,
 * and the rest share what the kernel knows the file by. Without it in libfuse this is nothing, and everybody
 * reads through us.
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
	bool wanted;          /* of images that nobody has open yet */
	struct sf_open_image *open;
};

#ifdef SF_HAVE_PASSTHROUGH

void sf_passthrough_init(struct sf_passthrough *passthrough);
void sf_passthrough_fini(struct sf_passthrough *passthrough);
/* Asks the kernel for it. */
void sf_passthrough_want(struct sf_passthrough *passthrough, struct fuse_conn_info *conn);

/* Before the reply to an open of ino, whose content image is: says in fi how the kernel reads it. -ENOMEM. */
int sf_passthrough_open(struct sf_passthrough *passthrough, struct fuse_req *req, uint64_t ino,
			const struct sf_image *image, struct fuse_file_info *fi);
/*
 * Once for each open; nothing happens for what is not an image. req: NULL when there is none any more, as
 * after a reply that failed: the connection is gone then, and what the kernel knew with it.
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#define FUSE_USE_VERSION 312

#include "passthrough.h"

#include "core/contract/image.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>

#include <fuse_lowlevel.h>

/* An image that is open at least once. */
struct sf_open_image {
	struct sf_open_image *next;
	uint64_t ino;
	unsigned nopen;
	int backing_id; /* 0: the daemon reads it */
};

void sf_passthrough_init(struct sf_passthrough *passthrough)
{
	pthread_mutex_init(&passthrough->lock, NULL);
}

/* The kernel drops the backing ids when the connection ends. */
void sf_passthrough_fini(struct sf_passthrough *passthrough)
{
	while (passthrough->open) {
		struct sf_open_image *next = passthrough->open->next;

		free(passthrough->open);
		passthrough->open = next;
	}
	pthread_mutex_destroy(&passthrough->lock);
}

void sf_passthrough_want(struct sf_passthrough *passthrough, struct fuse_conn_info *conn)
{
	passthrough->wanted = (conn->capable & FUSE_CAP_PASSTHROUGH) != 0;
	if (passthrough->wanted)
		conn->want |= FUSE_CAP_PASSTHROUGH;
}

/* The link that points to the entry for ino, or the list's last link. */
static struct sf_open_image **find(struct sf_passthrough *passthrough, uint64_t ino)
{
	struct sf_open_image **at = &passthrough->open;

	while (*at && (*at)->ino != ino)
		at = &(*at)->next;
	return at;
}

/* If the kernel refuses once, as it does for a stacked file system, never ask again. */
static struct sf_open_image *add(struct sf_passthrough *passthrough, struct sf_open_image **at,
				 struct fuse_req *req, uint64_t ino, int fd)
{
	struct sf_open_image *open = calloc(1, sizeof(*open));

	if (!open)
		return NULL;
	open->ino = ino;
	open->backing_id = fuse_passthrough_open(req, fd);
	passthrough->wanted = open->backing_id > 0;
	*at = open;
	return open;
}

/* All who have the image open read it as the first opener does, with or without passthrough. */
int sf_passthrough_open(struct sf_passthrough *passthrough, struct fuse_req *req, uint64_t ino,
			const struct sf_image *image, struct fuse_file_info *fi)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&passthrough->lock);
	struct sf_open_image **at = find(passthrough, ino), *open = *at;
	int fd = sf_image_file(image);

	if (fd < 0 || (!open && !passthrough->wanted))
		return 0;
	if (!open)
		open = add(passthrough, at, req, ino, fd);
	if (!open)
		return -ENOMEM;
	open->nopen++;
	fi->backing_id = open->backing_id;
	if (open->backing_id > 0)
		fi->keep_cache = 0; /* the page cache is that of the backing file */
	return 0;
}

void sf_passthrough_close(struct sf_passthrough *passthrough, struct fuse_req *req, uint64_t ino)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&passthrough->lock);
	struct sf_open_image **at = find(passthrough, ino), *open = *at;

	if (!open || --open->nopen > 0)
		return;
	if (open->backing_id > 0 && req)
		(void)fuse_passthrough_close(req, open->backing_id); /* at worst it stays until the unmount */
	*at = open->next;
	free(open);
}

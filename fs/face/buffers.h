/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small pool of read buffers, all of one size and aligned for O_DIRECT, shared by all threads. It hands out
 * the buffer returned last: that one is still in the CPU's caches, which one buffer per thread would not be.
 */
#ifndef SF_FACE_BUFFERS_H
#define SF_FACE_BUFFERS_H

#include <pthread.h>
#include <stddef.h>

/* Twice the requests that one sequential reader has in flight. */
#define SF_BUFFERS_KEPT 8

struct sf_buffers {
	size_t size;
	pthread_mutex_t lock; /* guards the rest */
	void *kept[SF_BUFFERS_KEPT];
	size_t nkept;
};

/* size: of each buffer, in bytes. */
void sf_buffers_init(struct sf_buffers *buffers, size_t size);
/* All buffers must have been given back. */
void sf_buffers_fini(struct sf_buffers *buffers);

/* NULL when out of memory. */
void *sf_buffers_take(struct sf_buffers *buffers);
/* Accepts NULL. */
void sf_buffers_give(struct sf_buffers *buffers, void *buffer);

#endif

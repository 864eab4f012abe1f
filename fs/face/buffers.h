/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buffers that reads go through, of one size, aligned for O_DIRECT. The one that was given back last is taken
 * first: it is still in the CPU's caches, which a buffer for each of many threads would not be. Only a few
 * are kept; threads share them.
 */
#ifndef SF_FACE_BUFFERS_H
#define SF_FACE_BUFFERS_H

#include <pthread.h>
#include <stddef.h>

/* As many as one sequential reader has requests in flight, twice. */
#define SF_BUFFERS_KEPT 8

struct sf_buffers {
	size_t size;
	pthread_mutex_t lock; /* guards the rest */
	void *kept[SF_BUFFERS_KEPT];
	size_t nkept;
};

/* size in bytes: of each. */
void sf_buffers_init(struct sf_buffers *buffers, size_t size);
/* All must have been given back. */
void sf_buffers_fini(struct sf_buffers *buffers);

/* NULL when out of memory. */
void *sf_buffers_take(struct sf_buffers *buffers);
/* Accepts NULL. */
void sf_buffers_give(struct sf_buffers *buffers, void *buffer);

#endif

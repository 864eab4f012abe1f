/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "buffers.h"

#include "core/contract/image.h"

#include "base/cleanup.h"

#include <stdlib.h>

void sf_buffers_init(struct sf_buffers *buffers, size_t size)
{
	pthread_mutex_init(&buffers->lock, NULL);
	buffers->size = size;
	buffers->nkept = 0;
}

void sf_buffers_fini(struct sf_buffers *buffers)
{
	while (buffers->nkept > 0)
		free(buffers->kept[--buffers->nkept]);
	pthread_mutex_destroy(&buffers->lock);
}

static void *take_kept(struct sf_buffers *buffers)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&buffers->lock);

	return buffers->nkept > 0 ? buffers->kept[--buffers->nkept] : NULL;
}

void *sf_buffers_take(struct sf_buffers *buffers)
{
	void *buffer = take_kept(buffers);

	if (!buffer && posix_memalign(&buffer, SF_IMAGE_ALIGN, buffers->size) != 0)
		return NULL;
	return buffer;
}

static bool keep(struct sf_buffers *buffers, void *buffer)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&buffers->lock);

	if (buffers->nkept == SF_BUFFERS_KEPT)
		return false;
	buffers->kept[buffers->nkept++] = buffer;
	return true;
}

void sf_buffers_give(struct sf_buffers *buffers, void *buffer)
{
	if (buffer && !keep(buffers, buffer))
		free(buffer);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "storage.h"

#include "base/err.h"
#include "device.h"
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

int sf_lvm_storage_new(struct sf_lvm *lvm, const struct sf_storage_ops *ops, bool thin,
		       struct sf_storage **ret, struct sf_err *err)
{
	struct sf_lvm_storage *storage = calloc(1, sizeof(*storage));

	if (!storage)
		return sf_fail(err, -ENOMEM, "open storage %s: out of memory", ops->name);
	storage->base.ops = ops;
	storage->lvm = sf_lvm_ref(lvm);
	storage->thin = thin;
	pthread_mutex_init(&storage->exchange, NULL);
	pthread_mutex_init(&storage->lock, NULL);
	pthread_cond_init(&storage->settled, NULL);
	pthread_mutex_init(&storage->claiming, NULL);
	*ret = &storage->base;
	return 0;
}

void sf_lvm_storage_close(struct sf_storage *base)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(base);

	sf_lvm_close_devices(storage);
	if (storage->events_open)
		sf_dm_events_close(&storage->events);
	pthread_mutex_destroy(&storage->exchange);
	pthread_cond_destroy(&storage->settled);
	pthread_mutex_destroy(&storage->lock);
	pthread_mutex_destroy(&storage->claiming);
	sf_lvm_unref(storage->lvm);
	free(storage);
}

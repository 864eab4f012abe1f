/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that watch storages for space running out. */
#ifndef SF_CORE_ENGINE_WATCHERS_H
#define SF_CORE_ENGINE_WATCHERS_H

#include "internal.h"

/* Starts watching the storages that need it. Sets engine->watchers; leaves it NULL if none does. */
int sf_watchers_new(struct sf_engine *engine, struct sf_err *err);
/* Stops and waits for the threads. Accepts NULL. */
void sf_watchers_free(struct sf_watchers *watchers);
/*
 * Calls fn, under the watchers' lock, for everything that can run full, as of the latest round. Accepts NULL.
 */
void sf_watchers_each(struct sf_watchers *watchers, sf_usage_fn *fn, void *arg);

#endif

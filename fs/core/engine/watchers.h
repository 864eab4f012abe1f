/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that watch the storages that can run full. */
#ifndef SF_CORE_ENGINE_WATCHERS_H
#define SF_CORE_ENGINE_WATCHERS_H

#include "internal.h"

/* Begins to watch the storages that want it, in engine->watchers. */
int sf_watchers_new(struct sf_engine *engine, struct sf_err *err);
/* Waits for the threads. Accepts NULL. */
void sf_watchers_free(struct sf_watchers *watchers);
/* Everything that can run full, as the last rounds saw it; fn is called under their lock. Accepts NULL. */
void sf_watchers_each(struct sf_watchers *watchers, sf_usage_fn *fn, void *arg);

#endif

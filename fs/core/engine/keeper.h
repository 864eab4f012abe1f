/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keeper: a background thread for work that no user waits for. */
#ifndef SF_CORE_ENGINE_KEEPER_H
#define SF_CORE_ENGINE_KEEPER_H

#include "internal.h"

/* Queues a hidden snapshot for removal of its storage. */
void sf_keeper_push(struct sf_engine *engine, uint64_t snapshot_id);
int sf_keeper_new(struct sf_engine *engine, struct sf_err *err);
/* Waits for the thread. Accepts NULL. */
void sf_keeper_free(struct sf_keeper *keeper);

#endif

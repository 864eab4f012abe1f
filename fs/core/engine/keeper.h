/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread for the work that no user waits for. */
#ifndef SF_CORE_ENGINE_KEEPER_H
#define SF_CORE_ENGINE_KEEPER_H

#include "internal.h"

/* Has the storage of a hidden snapshot removed. */
void sf_keeper_push(struct sf_engine *engine, uint64_t snapshot_id);
/* --- keeper.c: a thread for what no user waits for --- */
int sf_keeper_new(struct sf_engine *engine, struct sf_err *err);
/* --- delete.c --- */
void sf_keeper_free(struct sf_keeper *keeper);

#endif

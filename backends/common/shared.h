/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that outlives the process which changes it, as disks and guests do: mapped before fork(), used by
 * the children, guarded by a mutex whose owner may be killed while holding it.
 */
#ifndef SF_BACKENDS_COMMON_SHARED_H
#define SF_BACKENDS_COMMON_SHARED_H

#include <pthread.h>
#include <stddef.h>

struct sf_err;

/* Zeroed, shared with later children, backed by memory only where it is written. NULL with -ENOMEM in err. */
void *sf_shared_new(size_t bytes, const char *what, struct sf_err *err);
/* Accepts NULL. */
void sf_shared_free(void *memory, size_t bytes);

/* -ENOMEM, -EAGAIN as pthread_mutex_init(3). */
int sf_shared_mutex_init(pthread_mutex_t *mutex, struct sf_err *err);

/*
 * Locks; when the last owner died inside, calls repair(arg) first. Returns mutex, for auto_unlock
 * pthread_mutex_t *held = sf_shared_lock(…).
 */
pthread_mutex_t *sf_shared_lock(pthread_mutex_t *mutex, void (*repair)(void *arg), void *arg);

#endif

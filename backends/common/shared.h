/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared memory that outlives the process that changes it, as disks and guests do. It is mapped before fork()
 * and used by the children. Its mutex is robust: its owner may be killed while holding it.
 */
#ifndef SF_BACKENDS_COMMON_SHARED_H
#define SF_BACKENDS_COMMON_SHARED_H

#include <pthread.h>
#include <stddef.h>

struct sf_err;

/*
 * Maps zeroed memory that later children share; pages are allocated when they are written. what names it in
 * errors. NULL with -ENOMEM in err.
 */
void *sf_shared_new(size_t bytes, const char *what, struct sf_err *err);
/* NULL is a no-op. */
void sf_shared_free(void *memory, size_t bytes);

/* Errors as pthread_mutex_init(3): -ENOMEM, -EAGAIN. */
int sf_shared_mutex_init(pthread_mutex_t *mutex, struct sf_err *err);

/*
 * Locks the mutex; calls repair(arg) first when its last owner died holding it. Returns mutex, for
 * auto_unlock pthread_mutex_t *held = sf_shared_lock(…).
 */
pthread_mutex_t *sf_shared_lock(pthread_mutex_t *mutex, void (*repair)(void *arg), void *arg);

#endif

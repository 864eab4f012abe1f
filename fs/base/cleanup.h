/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scope attributes that release a resource when its variable goes out of scope. A function that passes the
 * resource on calls sf_take_fd() or sf_take_ptr() as its last step; the variable then owns nothing.
 */
#ifndef SF_BASE_CLEANUP_H
#define SF_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define auto_fd     __attribute__((cleanup(sf_cleanup_fd)))
#define auto_free   __attribute__((cleanup(sf_cleanup_free)))
#define auto_dir    __attribute__((cleanup(sf_cleanup_dir)))
#define auto_unlock __attribute__((cleanup(sf_cleanup_unlock), unused))

/* Closes *fd if it is open. Preserves errno, so an error path can still report it. */
static inline void sf_cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* writers fsync, so close has no error left to report */
	errno = saved;
}

static inline void sf_cleanup_free(void *pp)
{
	free(*(void **)pp);
}

static inline void sf_cleanup_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir); /* read-only use: nothing to lose */
}

static inline void sf_cleanup_unlock(pthread_mutex_t **mutex)
{
	if (*mutex)
		pthread_mutex_unlock(*mutex);
}

/* Locks until the end of the scope: auto_unlock pthread_mutex_t *held = sf_lock(&thing->lock); */
static inline pthread_mutex_t *sf_lock(pthread_mutex_t *mutex)
{
	pthread_mutex_lock(mutex);
	return mutex;
}

static inline int sf_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *sf_take_ptr(void *pp)
{
	void *taken = *(void **)pp;

	*(void **)pp = NULL;
	return taken;
}

#endif

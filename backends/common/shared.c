/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shared.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

void *sf_shared_new(size_t bytes, const char *what, struct sf_err *err)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory != MAP_FAILED)
		return memory;
	(void)sf_fail(err, -ENOMEM, "map %zu bytes for %s: %s", bytes, what, strerror(errno));
	return NULL;
}

void sf_shared_free(void *memory, size_t bytes)
{
	if (memory)
		(void)munmap(memory, bytes); /* cannot fail for our own mapping */
}

int sf_shared_mutex_init(pthread_mutex_t *mutex, struct sf_err *err)
{
	pthread_mutexattr_t attr;
	int rc = pthread_mutexattr_init(&attr);

	if (rc == 0) {
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
		rc = pthread_mutex_init(mutex, &attr);
		pthread_mutexattr_destroy(&attr);
	}
	return rc == 0 ? 0 : sf_fail(err, -rc, "make a shared lock: %s", strerror(rc));
}

pthread_mutex_t *sf_shared_lock(pthread_mutex_t *mutex, void (*repair)(void *arg), void *arg)
{
	if (pthread_mutex_lock(mutex) == EOWNERDEAD) {
		repair(arg);
		pthread_mutex_consistent(mutex);
	}
	return mutex;
}

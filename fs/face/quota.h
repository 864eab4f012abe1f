/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds what users other than root make the daemon hold, each of them and all of them together. The rest of
 * its file descriptors, memory and threads is left for root and for operations. Knows nothing of FUSE.
 */
#ifndef SF_FACE_QUOTA_H
#define SF_FACE_QUOTA_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sf_quota_kind {
	SF_QUOTA_OPEN,    /* open files and directories */
	SF_QUOTA_BYTES,   /* of memory, for open documents and listings */
	SF_QUOTA_WAITING, /* requests on threads of their own, see later.h */
};
#define SF_QUOTA_KINDS 3

struct sf_quota_user;

struct sf_quota {
	pthread_mutex_t lock;                               /* guards the rest; a leaf */
	uint64_t each[SF_QUOTA_KINDS], all[SF_QUOTA_KINDS]; /* limits of a user, and of all users */
	uint64_t used[SF_QUOTA_KINDS];
	struct sf_quota_user *users; /* those that use something */
	uint64_t told_ms;            /* when a refusal was logged last; 0: never */
};

/* nfiles: how many files the process may have open (RLIMIT_NOFILE). */
void sf_quota_init(struct sf_quota *quota, uint64_t nfiles);
void sf_quota_fini(struct sf_quota *quota);

/*
 * Lets the user have that much more. Root always may. What would be the only one may exceed a limit.
 *   -EMFILE  the user would exceed the limit of one user
 *   -ENFILE  all users would exceed theirs
 *   -ENOMEM
 * A refusal is logged, but only once a minute.
 */
int sf_quota_take(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, uint64_t amount);
/* Gives back what was taken. */
void sf_quota_give(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, uint64_t amount);

#endif

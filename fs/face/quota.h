/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits what users other than root can make the daemon hold: each user, and all of them together. This
 * leaves file descriptors, memory and threads for root and for operations. Knows nothing of FUSE.
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
 * Charges the user for amount more units. Root has no limits. A request that exceeds a limit is granted if
 * nothing else is charged against that limit.
 *   -EMFILE  the user would exceed the limit of one user
 *   -ENFILE  all users would exceed theirs
 *   -ENOMEM
 * A refusal is logged, but only once a minute.
 */
int sf_quota_take(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, uint64_t amount);
/* Gives back what was taken. */
void sf_quota_give(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, uint64_t amount);

#endif

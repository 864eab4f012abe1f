/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "quota.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* More files than this help no reader, but each handle takes memory. */
#define NFILES_MAX 65536
/* An open image takes two files, so half of all files are left when all users have reached their limit. */
#define FILES_PER_ALL 4
#define BYTES_EACH    (64ULL << 20)
#define BYTES_ALL     (128ULL << 20)
#define WAITING_EACH  128
#define WAITING_ALL   512
/* One user may have this fraction of the files of all users. */
#define EACH_PER_ALL 2
#define TELL_MS      60000

struct sf_quota_user {
	struct sf_quota_user *next;
	uid_t uid;
	uint64_t used[SF_QUOTA_KINDS];
};

void sf_quota_init(struct sf_quota *quota, uint64_t nfiles)
{
	uint64_t files = (nfiles < NFILES_MAX ? nfiles : NFILES_MAX) / FILES_PER_ALL;

	*quota = (struct sf_quota){
		.each = {files / EACH_PER_ALL, BYTES_EACH, WAITING_EACH},
		.all = {files, BYTES_ALL, WAITING_ALL},
	};
	pthread_mutex_init(&quota->lock, NULL);
}

void sf_quota_fini(struct sf_quota *quota)
{
	struct sf_quota_user *user, *next;

	for (user = quota->users; user; user = next) {
		next = user->next;
		free(user);
	}
	pthread_mutex_destroy(&quota->lock);
}

static struct sf_quota_user **place_of(struct sf_quota *quota, uid_t uid)
{
	struct sf_quota_user **at = &quota->users;

	while (*at && (*at)->uid != uid)
		at = &(*at)->next;
	return at;
}

static struct sf_quota_user *user_of(struct sf_quota *quota, uid_t uid)
{
	struct sf_quota_user **at = place_of(quota, uid);

	if (!*at && (*at = calloc(1, sizeof(**at))))
		(*at)->uid = uid;
	return *at;
}

static void drop_if_unused(struct sf_quota *quota, uid_t uid)
{
	struct sf_quota_user **at = place_of(quota, uid), *user = *at;

	for (int i = 0; i < SF_QUOTA_KINDS; i++)
		if (user->used[i] > 0)
			return;
	*at = user->next;
	free(user);
}

static bool exceeds(uint64_t used, uint64_t amount, uint64_t limit)
{
	return used > 0 && (used >= limit || amount > limit - used);
}

static void tell(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, bool all)
{
	static const char *const what[] = {"open files and directories",
					   "bytes of open documents and directories", "waiting requests"};
	uint64_t now = sf_clock_mono_ms();

	if (quota->told_ms && now - quota->told_ms < TELL_MS)
		return;
	quota->told_ms = now;
	sf_log(SF_LOG_WARNING, "requests of user %u are refused: the limit of %s is %" PRIu64 " %s", uid,
	       all ? "all users together, other than root," : "one user",
	       all ? quota->all[kind] : quota->each[kind], what[kind]);
}

int sf_quota_take(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, uint64_t amount)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&quota->lock);
	struct sf_quota_user *user;
	bool each, all;

	if (uid == 0 || amount == 0)
		return 0;
	user = user_of(quota, uid);
	if (!user)
		return -ENOMEM;
	each = exceeds(user->used[kind], amount, quota->each[kind]);
	all = exceeds(quota->used[kind], amount, quota->all[kind]);
	if (!each && !all) {
		user->used[kind] += amount;
		quota->used[kind] += amount;
		return 0;
	}
	tell(quota, uid, kind, !each);
	drop_if_unused(quota, uid);
	return each ? -EMFILE : -ENFILE;
}

void sf_quota_give(struct sf_quota *quota, uid_t uid, enum sf_quota_kind kind, uint64_t amount)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&quota->lock);

	if (uid == 0 || amount == 0)
		return;
	(*place_of(quota, uid))->used[kind] -= amount;
	quota->used[kind] -= amount;
	drop_if_unused(quota, uid);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#define FUSE_USE_VERSION 312

#include "spaces.h"

#include "fs.h"
#include "later.h"
#include "reply.h"

#include "core/engine/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <fuse_lowlevel.h>

#define STATFS_BLOCK 4096
/*
 * Requests that arrive later than this during a measurement get the last figures. Earlier ones wait for it.
 */
#define SLOW_MS 1000

struct waiter {
	struct waiter *next;
	fuse_req_t req;
};

struct sf_vm_space {
	struct sf_vm_space *next;
	uint64_t vm_id;
	bool known; /* last is valid */
	struct sf_space last;
	bool measuring;
	uint64_t begun_ms;
	struct waiter *waiting; /* while measuring */
};

struct measurement {
	struct sf_task task; /* first */
	struct sf_fs *fs;
	struct sf_vm_space *space;
};

static void reply_space(fuse_req_t req, const struct sf_space *space)
{
	struct statvfs st = {.f_bsize = STATFS_BLOCK, .f_frsize = STATFS_BLOCK, .f_namemax = SF_NAME_MAX};

	st.f_blocks = space->total_bytes / STATFS_BLOCK;
	st.f_bfree = space->free_bytes / STATFS_BLOCK;
	st.f_bavail = st.f_bfree;
	fuse_reply_statfs(req, &st);
}

/* Ends a measurement: answers the requests that wait for it. rc: its result. found: its figures. */
static void end(struct sf_fs *fs, struct sf_vm_space *space, int rc, const struct sf_space *found)
{
	struct waiter *waiter, *next;

	{
		auto_unlock pthread_mutex_t *held = sf_lock(&fs->spaces.lock);

		if (rc == 0) {
			space->last = *found;
			space->known = true;
		}
		waiter = sf_take_ptr(&space->waiting);
		space->measuring = false;
	}
	for (; waiter; waiter = next) {
		next = waiter->next;
		if (rc == 0)
			reply_space(waiter->req, found);
		else
			fuse_reply_err(waiter->req, -rc);
		free(waiter);
	}
}

static void measure(struct sf_task *task)
{
	const struct measurement *measurement = (struct measurement *)task;
	struct sf_space found = {0};
	int rc = sf_engine_space(measurement->fs->engine, measurement->space->vm_id, &found, NULL);

	end(measurement->fs, measurement->space, rc, &found);
}

static void begin(struct sf_fs *fs, struct sf_vm_space *space)
{
	struct measurement *measurement = calloc(1, sizeof(*measurement));
	int rc = -ENOMEM;

	if (measurement) {
		*measurement = (struct measurement){.task = {.run = measure}, .fs = fs, .space = space};
		rc = sf_tasks_start(&fs->reads, &measurement->task);
	}
	if (rc == 0)
		return; /* the thread owns it */
	free(measurement);
	end(fs, space, rc, NULL);
}

/* Call with the lock held. NULL when out of memory. */
static struct sf_vm_space *space_of(struct sf_spaces *spaces, uint64_t vm_id)
{
	struct sf_vm_space *space = spaces->list;

	while (space && space->vm_id != vm_id)
		space = space->next;
	if (space)
		return space;
	space = calloc(1, sizeof(*space));
	if (!space)
		return NULL;
	space->vm_id = vm_id;
	space->next = spaces->list;
	spaces->list = space;
	return space;
}

/*
 * Lets the request wait for a measurement; *ret_begin is the space to measure if the caller must begin one.
 * Returns 1 if the last figures, *ret_last, are the answer instead. -ENOMEM.
 */
static int join(struct sf_spaces *spaces, fuse_req_t req, uint64_t vm_id, struct sf_vm_space **ret_begin,
		struct sf_space *ret_last)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&spaces->lock);
	struct sf_vm_space *space = space_of(spaces, vm_id);
	struct waiter *waiter;

	if (space && space->measuring && space->known && sf_clock_mono_ms() - space->begun_ms >= SLOW_MS) {
		*ret_last = space->last;
		return 1;
	}
	waiter = space ? malloc(sizeof(*waiter)) : NULL;
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){.next = space->waiting, .req = req};
	space->waiting = waiter;
	*ret_begin = space->measuring ? NULL : space;
	if (*ret_begin) {
		space->measuring = true;
		space->begun_ms = sf_clock_mono_ms();
	}
	return 0;
}

void sf_spaces_reply(fuse_req_t req, uint64_t vm_id)
{
	struct sf_fs *fs = sf_fs_of(req);
	struct sf_vm_space *space = NULL;
	struct sf_space last;
	int rc = join(&fs->spaces, req, vm_id, &space, &last);

	if (rc > 0)
		reply_space(req, &last);
	else if (rc < 0)
		fuse_reply_err(req, -rc);
	else if (space)
		begin(fs, space);
}

void sf_spaces_init(struct sf_spaces *spaces)
{
	pthread_mutex_init(&spaces->lock, NULL);
	spaces->list = NULL;
}

void sf_spaces_fini(struct sf_spaces *spaces)
{
	struct sf_vm_space *space, *next;

	for (space = spaces->list; space; space = next) {
		next = space->next;
		free(space);
	}
	pthread_mutex_destroy(&spaces->lock);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a save through the Xen backend, in a second thread if need be, into a pipe that fini() drains. */
#ifndef TESTS_UNIT_XEN_SAVING_H
#define TESTS_UNIT_XEN_SAVING_H

#include "xen_fixture.h"

#include "core/contract/job.h"

struct saving {
	struct fixture *f;
	int ends[2]; /* the pipe for the saved RAM: read end, write end */
	int paused_rc, at_rest_rc;
	const char *words;
	unsigned npaused, nat_rest;
	void (*while_paused)(struct saving *saving);
	void (*while_at_rest)(struct saving *saving);
	struct sf_job job;
	struct call other;
	atomic_bool done;
	pthread_t thread;
	int rc;
	struct sf_err err;
};

static inline int on_paused(void *arg, struct sf_err *err)
{
	struct saving *saving = arg;

	assert_int_equal(saving->npaused++, saving->nat_rest);
	if (saving->while_paused)
		saving->while_paused(saving);
	return saving->paused_rc < 0 ? sf_fail(err, saving->paused_rc, "%s", saving->words) : 0;
}

static inline int on_at_rest(void *arg, struct sf_err *err)
{
	struct saving *saving = arg;

	saving->nat_rest++;
	if (saving->while_at_rest)
		saving->while_at_rest(saving);
	return saving->at_rest_rc < 0 ? sf_fail(err, saving->at_rest_rc, "%s", saving->words) : 0;
}

static inline void init(struct saving *saving, struct fixture *f)
{
	*saving = (struct saving){.f = f, .words = "the disks are full"};
	assert_int_equal(pipe2(saving->ends, O_CLOEXEC), 0);
	assert_true(fcntl(saving->ends[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
}

static inline int save(struct saving *saving)
{
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, saving};

	return sf_hypervisor_save(saving->f->hv, &web, saving->ends[1], true, &hooks, &saving->job,
				  &saving->err);
}

static inline void *save_in_thread(void *arg)
{
	struct saving *saving = arg;

	saving->rc = save(saving);
	atomic_store(&saving->done, true);
	return NULL;
}

static inline void begin(struct saving *saving)
{
	assert_int_equal(pthread_create(&saving->thread, NULL, save_in_thread, saving), 0);
}

static inline int end(struct saving *saving)
{
	pthread_join(saving->thread, NULL);
	return saving->rc;
}

/*
 * Reads the pipe to its end and returns how many bytes came. Fails if another process still has the write
 * end.
 */
static inline size_t fini(struct saving *saving)
{
	struct pollfd readable = {.fd = saving->ends[0], .events = POLLIN};
	char data[65536];
	size_t total = 0;
	ssize_t n;

	close(saving->ends[1]); /* fails when the backend has done so: two less are counted in the end */
	for (;;) {
		if (poll(&readable, 1, LONG_MS) == 0)
			fail_msg("a helper still has the descriptor");
		n = read(saving->ends[0], data, sizeof(data));
		assert_true(n >= 0);
		if (n == 0)
			break;
		total += (size_t)n;
	}
	close(saving->ends[0]);
	return total;
}

static inline void resumes(struct fixture *f)
{
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	check_power(f, "running");
}

static inline void not_saved(struct saving *saving, int rc, const char *why)
{
	failed(save(saving), rc, &saving->err, why);
	assert_int_equal(saving->nat_rest, 0);
}

#endif

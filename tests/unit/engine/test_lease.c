/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pause watchdog, with a hypervisor that counts resumes and fails as many of them as the test sets. */
#include "core/engine/lease.h"

#include "base/err.h"
#include "core/state/health.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct counting {
	struct sf_hypervisor base;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned nresumes;
	unsigned failures_left;
	const char *hangs; /* while set, the first resume of this VM does not return */
	unsigned nhanging;
};

static int resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	struct counting *c = (struct counting *)hv;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (c->hangs && strcmp(c->hangs, vm->name) == 0 && c->nhanging == 0) {
		c->nhanging++;
		pthread_cond_broadcast(&c->changed);
		while (c->hangs)
			pthread_cond_wait(&c->changed, &c->lock);
		c->nhanging--;
	}
	c->nresumes++;
	if (c->failures_left > 0) {
		c->failures_left--;
		rc = sf_fail(err, -EIO, "resume failed by order");
	}
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

static const struct sf_hypervisor_ops counting_ops = {
	.name = "counting", .caps = SF_HYPERVISOR_PAUSE, .resume = resume};

struct fixture {
	struct counting hv;
	struct sf_health *health;
	struct sf_leases *leases;
	struct sf_vm_desc vm;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->hv.base.ops = &counting_ops;
	pthread_mutex_init(&f->hv.lock, NULL);
	pthread_cond_init(&f->hv.changed, NULL);
	(void)snprintf(f->vm.name, sizeof(f->vm.name), "web");
	assert_int_equal(sf_health_new(&f->health), 0);
	assert_int_equal(sf_leases_new(&f->hv.base, f->health, &f->leases, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sf_leases_free(f->leases);
	sf_health_free(f->health);
	pthread_cond_destroy(&f->hv.changed);
	pthread_mutex_destroy(&f->hv.lock);
	free(f);
	return 0;
}

/* Waits for the n-th resume; fails the test after 20 s. */
static void await_resumes(struct fixture *f, unsigned n)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	pthread_mutex_lock(&f->hv.lock);
	while (f->hv.nresumes < n)
		assert_int_equal(pthread_cond_timedwait(&f->hv.changed, &f->hv.lock, &until), 0);
	pthread_mutex_unlock(&f->hv.lock);
}

static void an_owner_in_time_resumes_once(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct sf_lease *lease;

	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	sf_lease_arm(lease);
	assert_int_equal(sf_lease_check(lease, NULL), 0);
	assert_int_equal(sf_lease_end(lease, &resumed, NULL, NULL), 0);
	assert_int_equal(f->hv.nresumes, 1);
	assert_int_equal(sf_leases_stats(f->leases).npauses, 1);
	assert_int_equal(sf_leases_stats(f->leases).nexpired, 0);
}

static void the_watchdog_resumes_at_the_deadline(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct sf_lease *lease;
	struct sf_err err = {0};

	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 20, &lease, NULL), 0);
	sf_lease_arm(lease);
	await_resumes(f, 1);
	assert_int_equal(sf_lease_check(lease, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "more than 20 ms"));
	assert_int_equal(sf_lease_end(lease, &resumed, NULL, &err), -ETIMEDOUT);
	assert_int_equal(sf_leases_stats(f->leases).nexpired, 1);
}

static void a_lease_that_is_not_armed_does_not_run_out(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct sf_lease *early, *late;

	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 1, &early, NULL), 0);
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 20, &late, NULL), 0);
	sf_lease_arm(late);
	await_resumes(f, 1); /* by `late`: 20 times the deadline of `early` has passed */
	assert_int_equal(sf_lease_check(early, NULL), 0);
	assert_int_equal(sf_lease_end(early, &resumed, NULL, NULL), 0);
	assert_int_equal(sf_lease_end(late, &resumed, NULL, NULL), -ETIMEDOUT);
}

static void a_failing_resume_is_tried_until_it_works(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct sf_lease *lease;
	struct sf_err err = {0};

	f->hv.failures_left = 2;
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	sf_lease_arm(lease);
	assert_int_equal(sf_lease_end(lease, &resumed, NULL, &err), -EIO);
	assert_non_null(strstr(err.text, "by order"));
	await_resumes(f, 2); /* the owner's resume, then the watchdog's first, which fails too */
	await_resumes(f, 3);
}

static void a_guest_not_resumed_yet_is_not_paused_again(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct sf_lease *lease;
	struct sf_err err = {0};

	f->hv.failures_left = 1000;
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	assert_int_equal(sf_lease_end(lease, &resumed, NULL, NULL), -EIO);
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, &err), -EBUSY);
	assert_non_null(strstr(err.text, "has not been resumed"));
	sf_leases_settle(f->leases, &f->vm); /* somebody else resumed it */
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	assert_int_equal(sf_lease_drop(lease, NULL), 0);
}

static void a_stopped_guest_is_not_resumed(void **state)
{
	struct fixture *f = *state;
	struct sf_lease *lease;

	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	sf_lease_arm(lease);
	assert_int_equal(sf_lease_drop(lease, NULL), 0);
	assert_int_equal(f->hv.nresumes, 0);
}

static void leases_left_over_at_the_end_are_resumed(void **state)
{
	struct fixture *f = *state;
	struct sf_lease *lease;

	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	sf_lease_arm(lease);
	sf_leases_free(f->leases);
	f->leases = NULL;
	assert_int_equal(f->hv.nresumes, 1);
}

static void *let_go(void *arg)
{
	struct counting *c = arg;

	pthread_mutex_lock(&c->lock);
	c->hangs = NULL;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Runs after a caller that does not wait would have returned. */
static void *let_go_later(void *arg)
{
	const struct timespec nap = {.tv_nsec = 50 * 1000000};

	nanosleep(&nap, NULL);
	return let_go(arg);
}

static void a_guest_whose_resume_hangs_keeps_no_other_at_rest(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct sf_vm_desc db = {.name = "db"};
	struct sf_lease *stuck, *other;

	f->hv.hangs = "web";
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 1, &stuck, NULL), 0);
	assert_int_equal(sf_lease_begin(f->leases, &db, 50, &other, NULL), 0);
	sf_lease_arm(stuck);
	sf_lease_arm(other);
	await_resumes(f, 1);
	assert_int_equal(sf_lease_end(other, &resumed, NULL, NULL), -ETIMEDOUT);
	(void)let_go(&f->hv);
	assert_int_equal(sf_lease_end(stuck, &resumed, NULL, NULL), -ETIMEDOUT);
}

static void the_end_waits_for_a_resume_that_is_under_way(void **state)
{
	struct fixture *f = *state;
	struct sf_lease *lease;
	pthread_t thread;

	f->hv.hangs = "web";
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 1, &lease, NULL), 0);
	sf_lease_arm(lease);
	pthread_mutex_lock(&f->hv.lock);
	while (f->hv.nhanging == 0)
		pthread_cond_wait(&f->hv.changed, &f->hv.lock);
	pthread_mutex_unlock(&f->hv.lock);
	assert_int_equal(pthread_create(&thread, NULL, let_go_later, &f->hv), 0);
	sf_leases_free(f->leases);
	f->leases = NULL;
	assert_int_equal(f->hv.nhanging, 0);
	pthread_join(thread, NULL);
}

static void the_end_says_how_long_the_guest_was_at_rest(void **state)
{
	struct fixture *f = *state;
	bool resumed;
	struct timespec nap = {.tv_nsec = 30 * 1000000};
	struct sf_lease *lease;
	uint64_t ms = 12345;

	f->hv.failures_left = 1;
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	assert_int_equal(sf_lease_end(lease, &resumed, &ms, NULL), -EIO);
	assert_int_equal(ms, 12345);
	await_resumes(f, 2);
	sf_leases_settle(f->leases, &f->vm);
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	assert_int_equal(sf_lease_end(lease, &resumed, &ms, NULL), 0);
	assert_int_equal(ms, 0); /* never armed */
	assert_int_equal(sf_lease_begin(f->leases, &f->vm, 60000, &lease, NULL), 0);
	sf_lease_arm(lease);
	nanosleep(&nap, NULL);
	assert_int_equal(sf_lease_end(lease, &resumed, &ms, NULL), 0);
	assert_in_range(ms, 30, 20000);
	assert_in_range(sf_leases_stats(f->leases).longest_ms, ms, ms);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_owner_in_time_resumes_once),
		CASE(the_watchdog_resumes_at_the_deadline),
		CASE(a_lease_that_is_not_armed_does_not_run_out),
		CASE(a_failing_resume_is_tried_until_it_works),
		CASE(a_guest_not_resumed_yet_is_not_paused_again),
		CASE(a_stopped_guest_is_not_resumed),
		CASE(a_guest_whose_resume_hangs_keeps_no_other_at_rest),
		CASE(the_end_waits_for_a_resume_that_is_under_way),
		CASE(the_end_says_how_long_the_guest_was_at_rest),
		CASE(leases_left_over_at_the_end_are_resumed),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases of the hypervisor suite: saving and restoring RAM. */
#include "core/contract/job.h"
#include "vm_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct saving {
	struct vm_bench *bench;
	unsigned npaused;
	unsigned nat_rest;
	off_t paused_bytes; /* length of the stream when paused() was called */
	off_t stream_bytes; /* length of the stream when at_rest() was called */
	int rc;             /* what at_rest() returns */
};

static int on_paused(void *arg, struct sf_err *err)
{
	struct saving *saving = arg;

	(void)err;
	saving->npaused++;
	saving->paused_bytes = lseek(fileno(saving->bench->ram), 0, SEEK_CUR);
	return 0;
}

static int on_at_rest(void *arg, struct sf_err *err)
{
	struct saving *saving = arg;
	struct vm_bench *bench = saving->bench;

	saving->nat_rest++;
	saving->stream_bytes = lseek(fileno(bench->ram), 0, SEEK_CUR);
	bench->driver->keep_disks(bench->ground);
	return saving->rc < 0 ? sf_fail(err, saving->rc, "no room for the disks") : 0;
}

static int save(struct saving *saving, struct sf_job *job)
{
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, saving};
	struct vm_bench *bench = saving->bench;

	return sf_hypervisor_save(bench->hv, bench->vm, fileno(bench->ram), true, &hooks, job, &bench->err);
}

static off_t ram_bytes(const struct vm_bench *bench)
{
	return lseek(fileno(bench->ram), 0, SEEK_END);
}

static void restore(struct vm_bench *bench)
{
	assert_int_equal(lseek(fileno(bench->ram), 0, SEEK_SET), 0);
	contract_ok(sf_hypervisor_restore(bench->hv, bench->vm, fileno(bench->ram), &bench->err),
		    &bench->err);
}

static void a_saved_guest_goes_on_where_it_was(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};
	struct sf_job job = {0};
	uint64_t instant;

	vm_check_runs(bench);
	contract_ok(save(&saving, &job), &bench->err);
	instant = bench->driver->progress(bench->ground);
	assert_true(saving.npaused <= 1);
	assert_int_equal(saving.nat_rest, 1);
	assert_true(saving.stream_bytes > 0);
	assert_int_equal(saving.stream_bytes, ram_bytes(bench));
	vm_check_rests(bench);
	vm_resume(bench);
	vm_check_runs(bench);
	vm_stop(bench);
	bench->driver->return_disks(bench->ground);
	restore(bench);
	vm_check_power(bench, SF_POWER_PAUSED);
	vm_check_rests(bench);
	assert_int_equal(bench->driver->progress(bench->ground), instant);
	vm_resume(bench);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
}

static void a_failing_hook_fails_the_save(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench, .rc = -ENOSPC};

	contract_failed(save(&saving, NULL), &bench->err, -ENOSPC, "no room for the disks");
	assert_int_equal(saving.nat_rest, 1);
	vm_resume(bench);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
}

static void a_cancelled_save_ends_and_the_guest_goes_on(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};
	struct sf_job job = {0};

	sf_job_cancel(&job);
	contract_failed(save(&saving, &job), &bench->err, -EINTR, "cancelled");
	assert_int_equal(saving.nat_rest, 0);
	vm_resume(bench);
	vm_check_runs(bench);
}

static void a_full_stream_fails_the_save(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, &saving};
	int full;

	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	contract_failed(sf_hypervisor_save(bench->hv, bench->vm, full, true, &hooks, NULL, &bench->err),
			&bench->err, -ENOSPC, "No space left");
	assert_int_equal(saving.nat_rest, 0);
	close(full);
	vm_resume(bench);
	vm_check_runs(bench);
}

/* The stream may begin with headers of up to this length before any RAM. */
#define NO_RAM_YET 65536

static void a_guest_saved_at_rest_is_paused_first(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, &saving};

	contract_ok(sf_hypervisor_save(bench->hv, bench->vm, fileno(bench->ram), false, &hooks, NULL,
				       &bench->err),
		    &bench->err);
	assert_int_equal(saving.npaused, 1);
	assert_true(saving.paused_bytes < saving.stream_bytes);
	assert_int_equal(saving.nat_rest, 1);
	assert_true(saving.stream_bytes > NO_RAM_YET);
	vm_check_rests(bench);
	vm_resume(bench);
	vm_check_runs(bench);
}

static void a_host_meets_its_own_needs_and_no_foreign_ones(void **state)
{
	struct vm_bench *bench = *state;
	char host[SF_HOST_MAX];

	contract_ok(sf_hypervisor_host(bench->hv, host, &bench->err), &bench->err);
	contract_ok(sf_hypervisor_check_host(bench->hv, host, &bench->err), &bench->err);
	if (*host)
		contract_failed(sf_hypervisor_check_host(bench->hv, "nobody's 0", &bench->err), &bench->err,
				-EOPNOTSUPP, "");
}

static void a_paused_guest_can_be_saved(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};

	vm_pause(bench);
	contract_ok(save(&saving, NULL), &bench->err);
	assert_int_equal(saving.nat_rest, 1);
	vm_check_power(bench, SF_POWER_PAUSED);
}

static void a_vm_that_is_off_has_no_ram(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};

	vm_stop(bench);
	contract_failed(save(&saving, NULL), &bench->err, -EINVAL, "off");
	assert_int_equal(saving.nat_rest, 0);
	vm_check_power(bench, SF_POWER_OFF);
}

static void a_guest_is_not_restored_over_another(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};
	uint64_t now;

	contract_ok(save(&saving, NULL), &bench->err);
	vm_resume(bench);
	vm_check_runs(bench);
	now = bench->driver->progress(bench->ground);
	assert_int_equal(lseek(fileno(bench->ram), 0, SEEK_SET), 0);
	contract_failed(sf_hypervisor_restore(bench->hv, bench->vm, fileno(bench->ram), &bench->err),
			&bench->err, -EINVAL, "not off");
	vm_check_power(bench, SF_POWER_RUNNING);
	assert_true(bench->driver->progress(bench->ground) >= now);
	vm_check_runs(bench);
}

static void what_is_no_ram_is_not_restored(void **state)
{
	struct vm_bench *bench = *state;
	struct saving saving = {.bench = bench};

	contract_ok(save(&saving, NULL), &bench->err);
	vm_stop(bench);
	assert_int_equal(ftruncate(fileno(bench->ram), saving.stream_bytes / 2), 0);
	assert_int_equal(lseek(fileno(bench->ram), 0, SEEK_SET), 0);
	contract_failed(sf_hypervisor_restore(bench->hv, bench->vm, fileno(bench->ram), &bench->err),
			&bench->err, -EIO, "RAM");
	vm_check_power(bench, SF_POWER_OFF);
	vm_start(bench, false);
	vm_check_runs(bench);
}

struct watchdog {
	struct vm_bench *bench;
	atomic_bool stop;
	unsigned nlooks;
	unsigned nfailed; /* cmocka's assertions work in the main thread only */
};

static void *watch(void *arg)
{
	struct watchdog *watchdog = arg;
	struct vm_bench *bench = watchdog->bench;

	while (!atomic_load(&watchdog->stop) || watchdog->nlooks == 0) {
		enum sf_power power;

		watchdog->nfailed += sf_hypervisor_power(bench->hv, bench->vm, &power, NULL) < 0;
		watchdog->nlooks++;
	}
	watchdog->nfailed += sf_hypervisor_resume(bench->hv, bench->vm, NULL) < 0;
	return NULL;
}

static int let_resume(void *arg, struct sf_err *err)
{
	struct watchdog *watchdog = arg;

	(void)err;
	atomic_store(&watchdog->stop, true);
	return 0;
}

static int leave_at_rest(void *arg, struct sf_err *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static void a_watchdog_may_look_and_resume_during_a_save(void **state)
{
	struct vm_bench *bench = *state;
	struct watchdog watchdog = {.bench = bench};
	const struct sf_save_hooks hooks = {let_resume, leave_at_rest, &watchdog};
	pthread_t thread;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, watch, &watchdog), 0);
	rc = sf_hypervisor_save(bench->hv, bench->vm, fileno(bench->ram), true, &hooks, NULL, &bench->err);
	let_resume(&watchdog, NULL); /* a backend need not have called paused() */
	pthread_join(thread, NULL);
	if (rc < 0)
		contract_failed(rc, &bench->err, -EAGAIN, "resumed");
	assert_int_equal(watchdog.nfailed, 0);
	vm_resume(bench);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
}

size_t vm_ram_cases(const struct contract_case **ret)
{
	static const struct contract_case cases[] = {
		CONTRACT_CASE(a_saved_guest_goes_on_where_it_was,
			      SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE | SF_HYPERVISOR_CONTROL),
		CONTRACT_CASE(a_failing_hook_fails_the_save, SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_cancelled_save_ends_and_the_guest_goes_on,
			      SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_full_stream_fails_the_save, SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_guest_saved_at_rest_is_paused_first,
			      SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_host_meets_its_own_needs_and_no_foreign_ones, 0),
		CONTRACT_CASE(a_paused_guest_can_be_saved,
			      SF_HYPERVISOR_MEMORY_PAUSED | SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_watchdog_may_look_and_resume_during_a_save,
			      SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_vm_that_is_off_has_no_ram, SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL),
		CONTRACT_CASE(a_guest_is_not_restored_over_another,
			      SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(what_is_no_ram_is_not_restored, SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL),
	};

	*ret = cases;
	return sizeof(cases) / sizeof(cases[0]);
}

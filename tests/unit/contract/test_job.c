/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/contract/job.h"

#include "unit/base/stopped_fixture.h"

static void a_signal_that_comes_after_the_interrupt_cancels(void **state)
{
	struct sf_job job = {.cancelled = false};
	pid_t caller = stopped_child();

	(void)state;
	sf_job_interrupt(&job, caller);
	assert_int_equal(kill(caller, SIGCHLD), 0);
	assert_false(sf_job_cancelled(&job));
	assert_int_equal(kill(caller, SIGTERM), 0);
	assert_true(sf_job_cancelled(&job));
	end_child(caller);
	assert_true(sf_job_cancelled(&job));
}

static void a_committed_job_cannot_be_cancelled(void **state)
{
	struct sf_job job = {.cancelled = false}, interrupted = {.cancelled = false};
	pid_t caller = stopped_child();

	(void)state;
	sf_job_cancel(&job);
	sf_job_commit(&job);
	assert_false(sf_job_cancelled(&job));
	assert_int_equal(kill(caller, SIGTERM), 0);
	sf_job_commit(&interrupted);
	sf_job_interrupt(&interrupted, caller);
	assert_false(sf_job_cancelled(&interrupted));
	end_child(caller);
}

static void no_job_is_never_cancelled(void **state)
{
	(void)state;
	sf_job_commit(NULL);
	assert_false(sf_job_cancelled(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_that_comes_after_the_interrupt_cancels),
		cmocka_unit_test(a_committed_job_cannot_be_cancelled),
		cmocka_unit_test(no_job_is_never_cancelled),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}

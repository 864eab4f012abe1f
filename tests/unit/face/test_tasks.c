/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "face/tasks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sched.h>

#include <cmocka.h>

struct counted {
	struct sf_task task;
	atomic_uint *ended;
	bool until_cancelled;
};

static void run(struct sf_task *task)
{
	struct counted *counted = (struct counted *)task;

	while (counted->until_cancelled && !sf_job_cancelled(&task->job))
		sched_yield();
	atomic_fetch_add(counted->ended, 1);
}

static struct counted *new_task(atomic_uint *ended, bool until_cancelled)
{
	struct counted *counted = calloc(1, sizeof(*counted));

	assert_non_null(counted);
	counted->task.run = run;
	counted->ended = ended;
	counted->until_cancelled = until_cancelled;
	return counted;
}

static void stop_cancels_and_awaits_all(void **state)
{
	struct sf_tasks set;
	atomic_uint ended = 0;

	(void)state;
	sf_tasks_init(&set);
	for (int i = 0; i < 8; i++)
		assert_int_equal(sf_tasks_start(&set, &new_task(&ended, i % 2)->task), 0);
	sf_tasks_stop(&set);
	assert_int_equal(atomic_load(&ended), 8);
	sf_tasks_fini(&set);
}

static void nothing_starts_after_stop(void **state)
{
	struct sf_tasks set;
	atomic_uint ended = 0;
	struct counted *late = new_task(&ended, false);

	(void)state;
	sf_tasks_init(&set);
	sf_tasks_stop(&set);
	assert_int_equal(sf_tasks_start(&set, &late->task), -ESHUTDOWN);
	assert_int_equal(atomic_load(&ended), 0);
	free(late);
	sf_tasks_fini(&set);
}

static void a_job_may_be_cancelled_before_it_starts(void **state)
{
	struct sf_tasks set;
	atomic_uint ended = 0;
	struct counted *early = new_task(&ended, true);

	(void)state;
	sf_tasks_init(&set);
	sf_job_cancel(&early->task.job);
	assert_int_equal(sf_tasks_start(&set, &early->task), 0);
	sf_tasks_stop(&set);
	assert_int_equal(atomic_load(&ended), 1);
	sf_tasks_fini(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_cancels_and_awaits_all),
		cmocka_unit_test(nothing_starts_after_stop),
		cmocka_unit_test(a_job_may_be_cancelled_before_it_starts),
	};

	return cmocka_run_group_tests_name("tasks", tests, NULL, NULL);
}

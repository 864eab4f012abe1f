/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the LVM backend runs lvs, and when it uses an earlier report. */
#include "lvm_fixture.h"

#define THREADS 6
#define ROUNDS  20
#define VGS     70 /* more than the cache keeps */

static struct sf_lvm_report *report_of(struct sf_lvm *lvm, const char *vg, uint64_t max_age_ms,
				       bool facts_only)
{
	struct sf_lvm_report *report = NULL;
	struct sf_err err = {0};

	if (sf_lvm_report(lvm, vg, max_age_ms, facts_only, &report, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(report->vg, vg);
	assert_int_equal(report->n, 11);
	return report;
}

/* Requests a report. Returns how often lvs has run so far. */
static unsigned asked(const struct fixture *f, uint64_t max_age_ms, bool facts_only)
{
	sf_lvm_report_unref(report_of(f->lvm, "vg0", max_age_ms, facts_only));
	return count(f, "begin lvs");
}

static void a_fresh_report_will_do(void **state)
{
	const struct fixture *f = *state;
	auto_report struct sf_lvm_report *first = report_of(f->lvm, "vg0", LONG_MS, false);
	auto_report struct sf_lvm_report *second = report_of(f->lvm, "vg0", LONG_MS, false);

	assert_ptr_equal(first, second);
	assert_int_equal(asked(f, LONG_MS, true), 1);
	assert_int_equal(asked(f, SF_LVM_NOW, false), 2);
	assert_int_equal(asked(f, SF_LVM_NOW, true), 3);
	assert_int_equal(asked(f, LONG_MS, false), 3);
	assert_int_equal(first->n, 11); /* a replaced report stays valid as long as it is referenced */
}

static void a_report_ages(void **state)
{
	const struct fixture *f = *state;
	uint64_t before;

	assert_int_equal(asked(f, LONG_MS, false), 1);
	before = sf_clock_mono_ms();
	while (sf_clock_mono_ms() < before + 50)
		(void)poll(NULL, 0, 1);
	assert_int_equal(asked(f, LONG_MS, false), 1);
	assert_int_equal(asked(f, 50, false), 2);
	assert_int_equal(asked(f, LONG_MS, false), 2);
}

static void only_facts_outlast_a_change_of_ours(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(asked(f, LONG_MS, false), 1);
	ran(f->lvm, "lvcreate");
	assert_int_equal(asked(f, LONG_MS, true), 1);
	assert_int_equal(asked(f, LONG_MS, false), 2);
	assert_int_equal(asked(f, LONG_MS, false), 2);
	put(f, "complaint", "  Logical volume vg0/web in use.\n", 0600);
	assert_int_equal(run(f->lvm, "fail", NULL), -EBUSY); /* it may have changed something */
	drop(f, "complaint");
	assert_int_equal(asked(f, LONG_MS, true), 2);
	assert_int_equal(asked(f, LONG_MS, false), 3);
}

static void a_change_in_another_vg_does_not_count(void **state)
{
	const struct fixture *f = *state;
	const char *const argv[] = {"lvcreate", NULL};

	assert_int_equal(asked(f, LONG_MS, false), 1);
	assert_int_equal(sf_lvm_run(f->lvm, "vg1", argv, NULL, NULL), 0);
	assert_int_equal(asked(f, LONG_MS, false), 1);
}

static void a_command_past_its_deadline_counts_as_a_change(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(asked(f, LONG_MS, false), 1);
	f->config.deadline_ms = SHORT_MS;
	assert_int_equal(run(f->lvm, "wait", NULL), -ETIMEDOUT);
	assert_int_equal(asked(f, LONG_MS, true), 1); /* facts are cached meanwhile */
	assert_int_equal(sf_lvm_report(f->lvm, "vg0", LONG_MS, false, &(struct sf_lvm_report *){NULL}, NULL),
			 -ETIMEDOUT);
	f->config.deadline_ms = LONG_MS;
	await_log(f, "begin wait");
	open_gate(f);
	assert_int_equal(asked(f, LONG_MS, false), 2);
	assert_int_equal(count(f, "end wait\nbegin lvs"), 1);
}

static void *ask(void *arg)
{
	sf_lvm_report_unref(report_of(arg, "vg0", SF_LVM_NOW, false));
	return NULL;
}

/* lvs may have run before the change. */
static void a_report_from_before_a_change_is_not_remembered(void **state)
{
	const struct fixture *f = *state;
	pthread_t thread;

	put(f, "slow", "", 0600);
	assert_int_equal(pthread_create(&thread, NULL, ask, f->lvm), 0);
	await_log(f, "begin lvs");
	sf_lvm_changed(f->lvm, "vg0");
	open_gate(f);
	pthread_join(thread, NULL);
	drop(f, "slow");
	assert_int_equal(asked(f, LONG_MS, false), 2);
	assert_int_equal(asked(f, LONG_MS, false), 2);
}

static void failures_are_told_and_not_remembered(void **state)
{
	const struct fixture *f = *state;
	struct sf_lvm_report *report = NULL;
	struct sf_err err = {0};

	put(f, "complaint", "  Volume group vg0 is exported\n", 0600);
	failed(sf_lvm_report(f->lvm, "vg0", LONG_MS, false, &report, &err), -EPERM, &err,
	       "VG vg0: lvs: Volume group vg0 is exported");
	put(f, "complaint", "  Volume group \"vg0\" not found\n  Cannot process volume group vg0\n", 0600);
	failed(sf_lvm_report(f->lvm, "vg0", LONG_MS, false, &report, &err), -ENODEV, &err, "not found");
	assert_null(report);
	drop(f, "complaint");
	assert_int_equal(asked(f, LONG_MS, false), 3);
	put(f, "complaint", "  Volume group vg0 is exported\n", 0600);
	assert_int_equal(sf_lvm_report(f->lvm, "vg0", SF_LVM_NOW, true, &report, NULL), -EPERM);
	assert_int_equal(asked(f, LONG_MS, false), 4); /* the old report is still cached */
}

static void replace_program(const struct fixture *f, const char *answer)
{
	char script[1024];

	(void)snprintf(script, sizeof(script), "#!/bin/sh\nprintf '%%s' '%s'\n", answer);
	put(f, "lvm", script, 0700);
}

static void nonsense_is_told(void **state)
{
	const struct fixture *f = *state;
	struct sf_lvm_report *report = NULL;
	struct sf_err err = {0};

	replace_program(f, "");
	failed(sf_lvm_report(f->lvm, "vg0", LONG_MS, false, &report, &err), -EPROTO, &err, "not valid JSON");
	assert_null(report);
	replace_program(f, "{\"report\":[{\"lv\":[]}]}"); /* a VG without LVs */
	assert_int_equal(sf_lvm_report(f->lvm, "vg0", LONG_MS, false, &report, &err), 0);
	assert_string_equal(report->vg, "vg0");
	assert_int_equal(report->n, 0);
	sf_lvm_report_unref(report);
}

static void count_vg(void *arg, struct sf_lvm_report *report)
{
	assert_true(strcmp(report->vg, "vg1") == 0 || strcmp(report->vg, "vg2") == 0);
	++*(unsigned *)arg;
}

static void each_vg_that_was_asked_about_is_visited(void **state)
{
	const struct fixture *f = *state;
	unsigned n = 0;

	sf_lvm_each_vg(f->lvm, count_vg, &n);
	assert_int_equal(n, 0);
	sf_lvm_report_unref(report_of(f->lvm, "vg1", LONG_MS, false));
	sf_lvm_report_unref(report_of(f->lvm, "vg2", LONG_MS, false));
	sf_lvm_changed(f->lvm, "vg3"); /* no report of it was requested */
	sf_lvm_each_vg(f->lvm, count_vg, &n);
	assert_int_equal(n, 2);
}

static void *wait_at_gate(void *arg)
{
	return run(arg, "wait", NULL) < 0 ? arg : NULL;
}

static void count_any(void *arg, struct sf_lvm_report *report)
{
	assert_string_equal(report->vg, "vg0");
	++*(unsigned *)arg;
}

/* The watch neither waits for a running command nor delays the next one. */
static void visits_do_not_wait_for_commands(void **state)
{
	const struct fixture *f = *state;
	void *result = NULL;
	pthread_t thread;
	unsigned n = 0;

	assert_int_equal(asked(f, LONG_MS, false), 1);
	assert_int_equal(pthread_create(&thread, NULL, wait_at_gate, f->lvm), 0);
	await_log(f, "begin wait");
	sf_lvm_changed(f->lvm, "vg0");
	f->lvm->known[0].changed_ms -= LONG_MS; /* due for a visit, but for the command */
	sf_lvm_each_vg(f->lvm, count_any, &n);
	assert_int_equal(n, 1);
	assert_int_equal(count(f, "begin lvs"), 1);
	open_gate(f);
	pthread_join(thread, &result);
	assert_null(result);
}

static void more_vgs_than_are_remembered_work(void **state)
{
	const struct fixture *f = *state;
	char vg[16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < VGS; i++) {
			(void)snprintf(vg, sizeof(vg), "vg%d", i);
			sf_lvm_report_unref(report_of(f->lvm, vg, LONG_MS, false));
		}
	}
	assert_in_range(count(f, "begin lvs"), VGS + 1, 2 * VGS - 1); /* most of them ran once */
}

struct asker {
	struct sf_lvm *lvm;
	unsigned number;
};

static void *ask_and_change(void *arg)
{
	const struct asker *asker = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		char vg[16];

		(void)snprintf(vg, sizeof(vg), "vg%u", (asker->number + i) % 2);
		sf_lvm_report_unref(report_of(asker->lvm, vg, i % 5 ? LONG_MS : SF_LVM_NOW, i % 2));
		if (i % 7 == asker->number)
			sf_lvm_changed(asker->lvm, vg);
	}
	return NULL;
}

static void threads_share_reports(void **state)
{
	const struct fixture *f = *state;
	struct asker askers[THREADS];
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){f->lvm, i};
		assert_int_equal(pthread_create(&threads[i], NULL, ask_and_change, &askers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count(f, "overlap"), 0);
	assert_true(count(f, "begin lvs") < THREADS * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_fresh_report_will_do),
		CASE(a_report_ages),
		CASE(only_facts_outlast_a_change_of_ours),
		CASE(a_change_in_another_vg_does_not_count),
		CASE(a_command_past_its_deadline_counts_as_a_change),
		CASE(a_report_from_before_a_change_is_not_remembered),
		CASE(failures_are_told_and_not_remembered),
		CASE(nonsense_is_told),
		CASE(each_vg_that_was_asked_about_is_visited),
		CASE(visits_do_not_wait_for_commands),
		CASE(more_vgs_than_are_remembered_work),
		CASE(threads_share_reports),
	};

	return cmocka_run_group_tests_name("lvm_cache", tests, NULL, NULL);
}

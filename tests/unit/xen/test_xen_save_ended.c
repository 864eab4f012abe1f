/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saves through the Xen backend that are aborted, and concurrent resumes. */
#include "xen_saving.h"

/* --- aborted --- */

#define UNTIL_ABORT "write(RAM[:1000]), paused, until_told('abort'), fail(4, 'given up')"

static void cancel(struct saving *saving)
{
	sf_job_cancel(&saving->job);
}

static void a_cancelled_save_is_aborted(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "on('save', " UNTIL_ABORT ")");
	init(&saving, f);
	begin(&saving);
	await_count(f, "save web", 1);
	sf_job_cancel(&saving.job);
	failed(end(&saving), -EINTR, &saving.err, "cancelled");
	assert_int_equal(saving.nat_rest, 0);
	assert_int_equal(count(f, "abort", NULL), 1);
	assert_int_equal(fini(&saving), 1000);
	resumes(f);
}

static void a_cancelled_save_that_was_just_complete_is_none(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "");
	init(&saving, f);
	saving.while_paused = cancel;
	not_saved(&saving, -EINTR, "cancelled");
	check_power(f, "paused");
	assert_int_equal(fini(&saving), RAM_BYTES);
	resumes(f);
	assert_int_equal(who(f, "resume web"), who(f, "save web"));
}

static void a_save_that_was_cancelled_before_is_none(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "on('save', write(RAM), rest, done)"); /* complete before the daemon reads the answers */
	init(&saving, f);
	cancel(&saving);
	not_saved(&saving, -EINTR, "cancelled");
	(void)fini(&saving);
	resumes(f);
}

static void a_paused_hook_s_failure_is_the_save_s(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "on('save', " UNTIL_ABORT ")");
	init(&saving, f);
	saving.paused_rc = -ENOSPC;
	not_saved(&saving, -ENOSPC, "the disks are full");
	assert_int_equal(count(f, "abort", NULL), 1);
	assert_int_equal(fini(&saving), 1000);
	resumes(f);
}

static void fail_and_cancel(struct saving *saving)
{
	saving->paused_rc = -ENOSPC;
	sf_job_cancel(&saving->job);
}

static void the_first_reason_to_give_up_counts(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "on('save', " UNTIL_ABORT ")");
	init(&saving, f);
	saving.while_paused = fail_and_cancel;
	not_saved(&saving, -ENOSPC, "the disks are full");
	assert_int_equal(count(f, "abort", NULL), 1);
	(void)fini(&saving);
	resumes(f);
}

static void a_save_that_was_just_complete_when_its_hook_failed_is_none(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "on('save', write(RAM), paused, until_words, rest, done)");
	init(&saving, f);
	saving.paused_rc = -ETIMEDOUT;
	not_saved(&saving, -ETIMEDOUT, "the disks are full");
	check_power(f, "paused");
	(void)fini(&saving);
	close_xen(f); /* without a resume, to check that the backend knows that the guest is paused */
	assert_int_equal(count(f, "gave back web", NULL), 1);
	check_power(f, "running");
}

static void an_at_rest_hook_s_failure_is_the_save_s(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "");
	init(&saving, f);
	saving.at_rest_rc = -ESTALE;
	failed(save(&saving), -ESTALE, &saving.err, "the disks are full");
	assert_int_equal(saving.nat_rest, 1);
	(void)fini(&saving);
	resumes(f);
	assert_int_equal(who(f, "resume web"), who(f, "save web"));
}

static void an_abort_that_does_not_end_is_not_waited_for_for_ever(void **state)
{
	static const char *const ways[] = {
		"on('save', write(RAM[:10]), paused, hang)",
		"def trickle(request):\n    while True: say('x')(request); time.sleep(0.01)\n"
		"on('save', write(RAM[:10]), paused, note('hangs'), trickle)",
	};
	struct fixture *f = *state;

	f->limits.abort = 300;
	for (size_t i = 0; i < 2; i++) {
		struct saving saving;

		open_xen(f, ways[i]);
		limits_of(f)->linger = 100;
		init(&saving, f);
		begin(&saving);
		await_count(f, "hangs", 1);
		sf_job_cancel(&saving.job);
		failed(end(&saving), -EINTR, &saving.err, "cancelled");
		limits_of(f)->linger = LONG_MS;
		await_end(who(f, "save web"));
		assert_int_equal(fini(&saving), 10);
		resumes(f);
		close_xen(f);
		take_away(f, "log");
	}
}

/* --- helpers that do not report that the guest is paused --- */

static void a_guest_at_rest_is_noticed_though_its_helper_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	f->limits.look = 10;
	open_xen(f, "on('save', write(RAM), rest, until_told('abort'), fail(4, 'given up'))");
	init(&saving, f);
	saving.paused_rc = -ETIMEDOUT; /* the only sign of it */
	not_saved(&saving, -ETIMEDOUT, "the disks are full");
	assert_int_equal(saving.npaused, 1);
	(void)fini(&saving);
	resumes(f);
}

static void a_guest_at_rest_is_noticed_once(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	f->limits.look = 10;
	open_xen(f, "on('save', write(RAM), note('streams'), wait('go'), rest, wait('on'), paused, done)");
	init(&saving, f);
	begin(&saving);
	await_count(f, "power web", 2);
	assert_false(atomic_load(&saving.done));
	go(f, "go");
	await_count(f, "power web", count(f, "power web", NULL) + 1);
	go(f, "on");
	ok(end(&saving), &saving.err);
	assert_int_equal(saving.npaused, 1);
	(void)fini(&saving);
	resumes(f);
}

static void who_cannot_look_does_not_stop_a_save(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	f->limits.look = 10;
	open_xen(f, "on('power', die(1), first=2)\non('save', write(RAM), wait('go'), paused, rest, done)");
	init(&saving, f);
	begin(&saving);
	await_count(f, "power web", 3);
	go(f, "go");
	ok(end(&saving), &saving.err);
	assert_int_equal(saving.npaused, 1);
	(void)fini(&saving);
	resumes(f);
}

/* --- concurrent resumes --- */

static void resume_meanwhile(struct fixture *f, struct saving *saving, const char *scenario)
{
	open_xen(f, scenario);
	limits_of(f)->linger = 100;
	init(saving, f);
	begin(saving);
	await_count(f, "save web", 1);
	resumes(f);
}

/* Ends the test of a concurrent resume. Returns the result of the save. */
static int end_meanwhile(struct saving *saving)
{
	int rc = end(saving);

	assert_int_equal(saving->nat_rest, rc == 0);
	limits_of(saving->f)->linger = LONG_MS;
	return rc;
}

static void a_resume_aborts_a_save(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	resume_meanwhile(f, &saving,
			 "on('save', paused, rest, until_told('resume'), fail(4, 'given up'), go_on, ok())");
	failed(end_meanwhile(&saving), -EINTR, &saving.err, "given up");
	assert_int_equal(count(f, "resume web", NULL), 1);
	assert_int_equal(who(f, "resume web"), who(f, "save web"));
	(void)fini(&saving);
	resumes(f);
}

static void a_resume_may_come_when_a_save_was_just_complete(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	resume_meanwhile(f, &saving, "on('save', write(RAM), paused, until_words, rest, done)");
	ok(end_meanwhile(&saving), &saving.err);
	assert_int_equal(who(f, "resume web"), who(f, "save web"));
	assert_int_equal(fini(&saving), RAM_BYTES);
	resumes(f);
}

static void a_resume_of_an_aborted_save_may_need_another_helper(void **state)
{
	static const char *const ways[] = {
		"on('save', rest, until_told('resume'), fail(4, 'given up'), fail(5, 'not resumed yet'))",
		"on('save', rest, until_told('resume'), fail(4, 'given up'), die(1))",
		"on('save', rest, until_told('resume'), die(1))",
		"on('save', rest, until_told('resume'), say('what?\\n'), die(1))",
		"on('save', rest, until_told('resume'), fail(4, 'given up'), paused)",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct saving saving;

		set_power(f, "running");
		resume_meanwhile(f, &saving, ways[i]);
		assert_true(end_meanwhile(&saving) < 0);
		assert_int_equal(count(f, "resume web", NULL), 2);
		(void)fini(&saving);
		close_xen(f);
		take_away(f, "log");
	}
}

static void a_resume_does_not_wait_for_ever_for_a_save(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	f->limits.abort = 300;
	resume_meanwhile(f, &saving, "on('save', write(RAM[:10]), paused, rest, hang)");
	failed(end_meanwhile(&saving), -EIO, &saving.err, "has been given up");
	await_end(who(f, "hangs"));
	assert_int_equal(fini(&saving), 10);
	resumes(f);
}

static void resume_in_thread(struct saving *saving)
{
	call(saving->f, &saving->other, sf_hypervisor_resume);
	await_count(saving->f, "resume web", 1);
}

static void the_watchdog_and_the_owner_may_resume_at_once(void **state)
{
	struct fixture *f = *state;
	struct saving saving;
	struct call owner;

	open_xen(f, "on('resume', wait('go'), go_on, ok(), first=1)");
	init(&saving, f);
	saving.while_at_rest = resume_in_thread;
	ok(save(&saving), &saving.err);
	call(f, &owner, sf_hypervisor_resume);
	go(f, "go");
	ok(result(&owner), &owner.err);
	ok(result(&saving.other), &saving.other.err);
	check_power(f, "running");
	assert_int_equal(fini(&saving), RAM_BYTES);
}

static void both_may_resume_during_a_save(void **state)
{
	struct fixture *f = *state;
	struct saving saving;
	struct call watchdog;

	open_xen(f, "on('save', write(RAM), paused, until_words, rest, done)");
	init(&saving, f);
	begin(&saving);
	await_count(f, "save web", 1);
	call(f, &watchdog, sf_hypervisor_resume);
	resumes(f);
	ok(result(&watchdog), &watchdog.err);
	ok(end(&saving), &saving.err);
	assert_int_equal(fini(&saving), RAM_BYTES);
	resumes(f);
}

#define ROUNDS 9

static void saves_and_resumes_may_meet_anywhere(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct saving saving;
		struct call watchdog;

		init(&saving, f);
		begin(&saving);
		if (i % 3 == 1)
			await_count(f, "save web", i + 1);
		else if (i % 3 == 2)
			(void)poll(NULL, 0, 20 + (int)i);
		call(f, &watchdog, sf_hypervisor_resume);
		(void)end(&saving); /* the save may have been aborted */
		resumes(f);
		ok(result(&watchdog), &watchdog.err);
		(void)fini(&saving);
		check_power(f, "running");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_cancelled_save_is_aborted),
		CASE(a_cancelled_save_that_was_just_complete_is_none),
		CASE(a_save_that_was_cancelled_before_is_none),
		CASE(a_paused_hook_s_failure_is_the_save_s),
		CASE(the_first_reason_to_give_up_counts),
		CASE(a_save_that_was_just_complete_when_its_hook_failed_is_none),
		CASE(an_at_rest_hook_s_failure_is_the_save_s),
		CASE(an_abort_that_does_not_end_is_not_waited_for_for_ever),
		CASE(a_guest_at_rest_is_noticed_though_its_helper_says_nothing),
		CASE(a_guest_at_rest_is_noticed_once),
		CASE(who_cannot_look_does_not_stop_a_save),
		CASE(a_resume_aborts_a_save),
		CASE(a_resume_may_come_when_a_save_was_just_complete),
		CASE(a_resume_of_an_aborted_save_may_need_another_helper),
		CASE(a_resume_does_not_wait_for_ever_for_a_save),
		CASE(the_watchdog_and_the_owner_may_resume_at_once),
		CASE(both_may_resume_during_a_save),
		CASE(saves_and_resumes_may_meet_anywhere),
	};

	return cmocka_run_group_tests_name("xen_save_ended", tests, NULL, NULL);
}

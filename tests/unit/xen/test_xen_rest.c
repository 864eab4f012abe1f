/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that the Xen backend pauses are resumed, whatever happens to the helper that paused them. */
#include "xen_fixture.h"

static void pauses(struct fixture *f)
{
	ok(sf_hypervisor_pause(f->hv, &web, &f->err), &f->err);
	check_power(f, "paused");
}

static void resumes(struct fixture *f)
{
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	check_power(f, "running");
}

/* --- pause and resume --- */

static void whoever_brought_it_to_rest_lets_it_go_on(void **state)
{
	struct fixture *f = *state;
	enum sf_power power;
	pid_t pid;

	open_xen(f, "");
	pauses(f);
	ok(sf_hypervisor_power(f->hv, &web, &power, &f->err), &f->err);
	assert_int_equal(power, SF_POWER_PAUSED);
	pid = who(f, "pause web");
	assert_int_equal(kill(pid, 0), 0);
	resumes(f);
	assert_int_equal(who(f, "resume web"), pid);
	await_end(pid); /* or hundreds of VMs would keep hundreds of helpers */
	assert_int_equal(count(f, "began", NULL), 3);
}

static void to_rest_again_is_no_other_rest(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	pauses(f);
	set_power(f, "running"); /* somebody else resumed it */
	pauses(f);
	assert_int_equal(count(f, "pause web", NULL), 2);
	assert_int_equal(count(f, "began", NULL), 3);
	resumes(f);
}

static void a_second_rest_does_not_trust_a_dead_helper(void **state)
{
	struct fixture *f = *state;
	pid_t first;

	open_xen(f, "");
	pauses(f);
	first = who(f, "pause web");
	kill(first, SIGKILL);
	set_power(f, "running");
	pauses(f);
	assert_int_not_equal(who(f, "pause web"), first);
	resumes(f);
}

static void a_vm_that_is_off_has_nobody_to_pause(void **state)
{
	struct fixture *f = *state;

	take_away(f, "power.web");
	open_xen(f, "");
	failed(sf_hypervisor_pause(f->hv, &web, &f->err), -EINVAL, &f->err,
	       "pause: there is no domain 'web'");
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	check_power(f, "off");
}

static void a_guest_that_refuses_says_so(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('pause', fail(11, 'it does not want to'), first=1)");
	failed(sf_hypervisor_pause(f->hv, &web, &f->err), -EAGAIN, &f->err, "it does not want to");
	pauses(f);
	resumes(f);
}

static void a_pause_that_hangs_is_given_up(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('pause', rest, hang)");
	limits_of(f)->act = SHORT_MS;
	failed(sf_hypervisor_pause(f->hv, &web, &f->err), -ETIMEDOUT, &f->err,
	       "has not answered 'pause' for 1000 ms");
	check_power(f, "paused");
	resumes(f);
	await_end(who(f, "hangs"));
}

static void a_pause_that_comes_late_is_taken_back(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('pause', wait('go'), rest, ok())");
	limits_of(f)->act = 100;
	failed(sf_hypervisor_pause(f->hv, &web, &f->err), -ETIMEDOUT, &f->err, "has not answered 'pause'");
	go(f, "go");
	await_count(f, "gave back web", 1); /* although nobody called resume */
	check_power(f, "running");
}

/* --- helpers that do not resume --- */

static void when_the_helper_died_another_resumes(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	open_xen(f, "");
	pauses(f);
	pid = who(f, "pause web");
	kill(pid, SIGKILL);
	resumes(f);
	assert_int_not_equal(who(f, "resume web"), pid);
	resumes(f);
}

static void when_the_helper_hangs_another_resumes(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('resume', hang, first=1)");
	pauses(f);
	limits_of(f)->act = SHORT_MS;
	resumes(f);
	await_end(who(f, "hangs"));
	assert_int_equal(count(f, "resume web", NULL), 2);
}

static void when_the_helper_fails_another_resumes(void **state)
{
	static const char *const ways[] = {
		"on('resume', fail(5, 'xenstore has gone'), first=1)",
		"on('resume', die(1), first=1)",
		"on('resume', say('what?\\n'), first=1)",
		"on('resume', paused, first=1)",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		set_power(f, "running");
		open_xen(f, ways[i]);
		pauses(f);
		resumes(f);
		assert_int_not_equal(who(f, "resume web"), who(f, "pause web"));
		close_xen(f);
		take_away(f, "log");
	}
}

static void when_nobody_can_it_is_tried_again_by_the_next_call(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('resume', fail(5, 'xenstore has gone'), first=2)");
	pauses(f);
	failed(sf_hypervisor_resume(f->hv, &web, &f->err), -EIO, &f->err, "xenstore has gone");
	resumes(f);
	assert_int_equal(count(f, "resume web", NULL), 3);
}

static void a_helper_is_not_given_up_before_there_is_another(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('resume', fail(5, 'busy'))");
	pauses(f);
	take_away(f, "helper");
	failed(sf_hypervisor_resume(f->hv, &web, &f->err), -ENOENT, &f->err, "No such file or directory");
	assert_int_equal(kill(who(f, "pause web"), 0), 0);
	close_xen(f);
	assert_int_equal(count(f, "gave back web", NULL), 1);
	check_power(f, "running");
}

/* --- guests that no helper has paused --- */

static void a_guest_that_somebody_else_paused_is_resumed(void **state)
{
	struct fixture *f = *state;

	set_power(f, "paused");
	open_xen(f, "");
	resumes(f);
	assert_int_equal(kill(who(f, "resume web"), 0), 0); /* stays, because the guest may suspend late */
	pauses(f);
	await_end(who(f, "resume web")); /* ends when the next helper takes over */
	resumes(f);
}

static void a_vm_that_is_off_has_nobody_to_resume(void **state)
{
	struct fixture *f = *state;

	take_away(f, "power.web");
	open_xen(f, "");
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	check_power(f, "off");
}

static void who_looked_after_a_guest_does_not_outlive_the_next_who_does(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	open_xen(f, "on('pause', fail(11, 'no'), first=1)\n"
		    "on('end', hang)\n");
	failed(sf_hypervisor_pause(f->hv, &web, &f->err), -EAGAIN, &f->err, "no");
	pid = who(f, "pause web");
	await_count(f, "hangs", 1);
	pauses(f);
	await_end(pid);
	resumes(f);
}

/* Counts how often second was logged after first. */
static unsigned count_after(const struct fixture *f, const char *first, const char *second)
{
	auto_free char *log = get(f, "log");
	char *rest = log;
	bool found = false;
	unsigned n = 0;

	for (char *line; (line = strsep(&rest, "\n"));) {
		found = found || strstr(line, first);
		n += found && strstr(line, second);
	}
	return n;
}

static void one_helper_is_done_with_a_guest_before_the_next_begins(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('pause', rest, ok(), first=1)\non('pause', fail(5, 'confused'), first=2)\n");
	pauses(f);
	pauses(f); /* the first helper cannot, but gives the guest back */
	assert_int_equal(count(f, "gave back web", NULL), 1);
	assert_int_equal(count_after(f, "gave back web", "pause web"), 1);
	resumes(f);
}

/* --- concurrency --- */

static void a_resume_during_a_pause_comes_behind_it(void **state)
{
	struct fixture *f = *state;
	struct call pausing, resuming;

	open_xen(f, "on('pause', until_words, rest, ok(), first=1)");
	call(f, &pausing, sf_hypervisor_pause);
	await_count(f, "pause web", 1);
	call(f, &resuming, sf_hypervisor_resume);
	ok(result(&pausing), &pausing.err);
	ok(result(&resuming), &resuming.err);
	check_power(f, "running");
	assert_int_equal(who(f, "resume web"), who(f, "pause web"));
	pauses(f);
	resumes(f);
}

static void a_resume_does_not_wait_for_ever_for_a_pause(void **state)
{
	struct fixture *f = *state;
	struct call pausing;

	open_xen(f, "on('pause', rest, hang)");
	limits_of(f)->abort = SHORT_MS;
	call(f, &pausing, sf_hypervisor_pause);
	await_count(f, "hangs", 1);
	resumes(f);
	failed(result(&pausing), -EIO, &pausing.err, "has been given up");
	resumes(f);
	await_end(who(f, "hangs"));
}

static void two_may_resume_at_once(void **state)
{
	struct fixture *f = *state;
	struct call owner, watchdog;

	open_xen(f, "on('resume', wait('go'), go_on, ok(), first=1)");
	pauses(f);
	call(f, &owner, sf_hypervisor_resume);
	await_count(f, "resume web", 1);
	call(f, &watchdog, sf_hypervisor_resume);
	go(f, "go");
	ok(result(&owner), &owner.err);
	ok(result(&watchdog), &watchdog.err);
	check_power(f, "running");
}

static void a_resume_may_come_before_the_pause_has_a_helper(void **state)
{
	struct fixture *f = *state;
	struct call pausing;

	open_xen(f, "on('hello', ok(protocol=2), first=2)\n"
		    "on('hello', wait('go'), ok(protocol=2), first=3)\n");
	call(f, &pausing, sf_hypervisor_pause);
	await_count(f, "hello", 3);
	resumes(f);
	go(f, "go");
	ok(result(&pausing), &pausing.err);
	check_power(f, "paused");
	resumes(f);
	assert_int_equal(who(f, "resume web"), who(f, "pause web"));
}

#define ROUNDS 12

static void pauses_and_resumes_may_meet_anywhere(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	for (int i = 0; i < ROUNDS; i++) {
		struct call pausing, watchdog;

		call(f, &pausing, sf_hypervisor_pause);
		if (i % 3 == 1)
			await_count(f, "began", 3);
		else if (i % 3 == 2)
			(void)poll(NULL, 0, 20 + i);
		call(f, &watchdog, sf_hypervisor_resume);
		ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
		(void)result(&pausing); /* the pause may have failed */
		ok(result(&watchdog), &watchdog.err);
		resumes(f);
	}
}

/* --- stop --- */

static void stops(struct fixture *f)
{
	ok(sf_hypervisor_stop(f->hv, &web, &f->err), &f->err);
	check_power(f, "off");
}

static void whoever_has_it_at_rest_stops_it(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	open_xen(f, "");
	pauses(f);
	pid = who(f, "pause web");
	stops(f);
	assert_int_equal(who(f, "stop web"), pid); /* another one would let it run first */
	await_end(pid);
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	check_power(f, "off");
	assert_int_equal(count(f, "gave back web", NULL), 0);
}

static void a_running_guest_is_stopped_by_a_new_helper(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	stops(f);
	stops(f);
	assert_int_equal(count(f, "stop web", NULL), 2);
}

static void a_guest_whose_helper_died_or_hangs_is_stopped_by_another(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('stop', hang, first=1)");
	pauses(f);
	limits_of(f)->stop = SHORT_MS;
	stops(f);
	await_end(who(f, "hangs"));
	set_power(f, "running");
	pauses(f);
	kill(who(f, "pause web"), SIGKILL);
	stops(f);
}

static void a_guest_that_cannot_be_stopped_stays_at_rest(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('stop', fail(5, 'destroy domain web: ERROR_FAIL'))");
	pauses(f);
	failed(sf_hypervisor_stop(f->hv, &web, &f->err), -EIO, &f->err, "destroy domain web: ERROR_FAIL");
	check_power(f, "paused");
	resumes(f);
	assert_int_equal(who(f, "resume web"), who(f, "pause web"));
	failed(sf_hypervisor_stop(f->hv, &web, &f->err), -EIO, &f->err, "destroy domain web: ERROR_FAIL");
}

/* --- closing --- */

static void a_guest_at_rest_is_given_back_at_the_end(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	pauses(f);
	close_xen(f);
	check_power(f, "running");
	assert_int_equal(count(f, "gave back web", NULL), 1);
	assert_int_equal(who(f, "gave back web"), who(f, "pause web"));
	check_all_ended(f);
}

static void one_that_takes_long_to_give_back_is_not_killed_at_the_end(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	f->limits.give_back = 100;
	open_xen(f, "on('pause', rest, ok(), until_words, wait('go'))");
	pauses(f);
	pid = who(f, "pause web");
	close_xen(f);
	check_power(f, "paused");
	assert_int_equal(kill(pid, 0), 0);
	go(f, "go");
	await_count(f, "gave back web", 1);
	check_power(f, "running");
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* abandoned, but still our child */
}

static void one_that_looks_after_a_guest_is_not_killed_at_the_end(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	f->limits.linger = 100;
	open_xen(f, "on('end', wait('go'))");
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	pid = who(f, "resume web");
	close_xen(f);
	assert_int_equal(kill(pid, 0), 0);
	go(f, "go");
	await_count(f, "ended", 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(whoever_brought_it_to_rest_lets_it_go_on),
		CASE(to_rest_again_is_no_other_rest),
		CASE(a_second_rest_does_not_trust_a_dead_helper),
		CASE(a_vm_that_is_off_has_nobody_to_pause),
		CASE(a_guest_that_refuses_says_so),
		CASE(a_pause_that_hangs_is_given_up),
		CASE(a_pause_that_comes_late_is_taken_back),
		CASE(when_the_helper_died_another_resumes),
		CASE(when_the_helper_hangs_another_resumes),
		CASE(when_the_helper_fails_another_resumes),
		CASE(when_nobody_can_it_is_tried_again_by_the_next_call),
		CASE(a_helper_is_not_given_up_before_there_is_another),
		CASE(a_guest_that_somebody_else_paused_is_resumed),
		CASE(a_vm_that_is_off_has_nobody_to_resume),
		CASE(who_looked_after_a_guest_does_not_outlive_the_next_who_does),
		CASE(one_helper_is_done_with_a_guest_before_the_next_begins),
		CASE(a_resume_during_a_pause_comes_behind_it),
		CASE(a_resume_does_not_wait_for_ever_for_a_pause),
		CASE(two_may_resume_at_once),
		CASE(a_resume_may_come_before_the_pause_has_a_helper),
		CASE(pauses_and_resumes_may_meet_anywhere),
		CASE(whoever_has_it_at_rest_stops_it),
		CASE(a_running_guest_is_stopped_by_a_new_helper),
		CASE(a_guest_whose_helper_died_or_hangs_is_stopped_by_another),
		CASE(a_guest_that_cannot_be_stopped_stays_at_rest),
		CASE(a_guest_at_rest_is_given_back_at_the_end),
		CASE(one_that_takes_long_to_give_back_is_not_killed_at_the_end),
		CASE(one_that_looks_after_a_guest_is_not_killed_at_the_end),
	};

	return cmocka_run_group_tests_name("xen_rest", tests, NULL, NULL);
}

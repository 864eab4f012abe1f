/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saves through the Xen backend: its hooks, what ends them early, and what meets them. */
#include "xen_fixture.h"

#include "core/job.h"

struct saving {
	struct fixture *f;
	int ends[2]; /* of the pipe that RAM is written to */
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

static int on_paused(void *arg, struct sf_err *err)
{
	struct saving *saving = arg;

	assert_int_equal(saving->npaused++, saving->nat_rest);
	if (saving->while_paused)
		saving->while_paused(saving);
	return saving->paused_rc < 0 ? sf_fail(err, saving->paused_rc, "%s", saving->words) : 0;
}

static int on_at_rest(void *arg, struct sf_err *err)
{
	struct saving *saving = arg;

	saving->nat_rest++;
	if (saving->while_at_rest)
		saving->while_at_rest(saving);
	return saving->at_rest_rc < 0 ? sf_fail(err, saving->at_rest_rc, "%s", saving->words) : 0;
}

static void init(struct saving *saving, struct fixture *f)
{
	*saving = (struct saving){.f = f, .words = "the disks are full"};
	assert_int_equal(pipe2(saving->ends, O_CLOEXEC), 0);
	assert_true(fcntl(saving->ends[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
}

static int save(struct saving *saving)
{
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, saving};

	return sf_hypervisor_save(saving->f->hv, &web, saving->ends[1], true, &hooks, &saving->job,
				  &saving->err);
}

static void *save_in_thread(void *arg)
{
	struct saving *saving = arg;

	saving->rc = save(saving);
	atomic_store(&saving->done, true);
	return NULL;
}

static void begin(struct saving *saving)
{
	assert_int_equal(pthread_create(&saving->thread, NULL, save_in_thread, saving), 0);
}

static int end(struct saving *saving)
{
	pthread_join(saving->thread, NULL);
	return saving->rc;
}

/* How many bytes came: until everybody else has closed the pipe, which must be so by now. */
static size_t fini(struct saving *saving)
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

static void resumes(struct fixture *f)
{
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	check_power(f, "running");
}

/* --- as it should be --- */

static void all_is_there_at_rest(struct saving *saving)
{
	enum sf_power power = SF_POWER_UNKNOWN;
	char data[RAM_BYTES + 1];

	assert_int_equal(saving->npaused, 1);
	assert_int_equal(read(saving->ends[0], data, sizeof(data)), RAM_BYTES);
	ok(sf_hypervisor_power(saving->f->hv, &web, &power, &saving->f->err), &saving->f->err);
	assert_int_equal(power, SF_POWER_PAUSED);
}

static void a_save_is_complete_when_the_guest_is_at_rest(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "");
	init(&saving, f);
	saving.while_at_rest = all_is_there_at_rest;
	ok(save(&saving), &saving.err);
	assert_int_equal(saving.nat_rest, 1);
	assert_int_equal(fcntl(saving.ends[1], F_GETFD), FD_CLOEXEC); /* still ours */
	assert_int_equal(fini(&saving), 0);
	check_power(f, "paused");
	resumes(f);
	assert_int_equal(who(f, "resume web"), who(f, "save web"));
	await_end(who(f, "save web"));
}

static void whether_it_is_live_is_passed_on(void **state)
{
	struct fixture *f = *state;
	const struct sf_save_hooks hooks = {NULL, on_at_rest, &(struct saving){0}};
	struct saving saving;

	open_xen(f, "on('save', lambda request: log('live' if request['live'] else 'at rest'), "
		    "*ORDINARY['save'])");
	init(&saving, f);
	ok(sf_hypervisor_save(f->hv, &web, saving.ends[1], true, &hooks, NULL, &f->err), &f->err);
	resumes(f);
	assert_int_equal(count(f, "live", NULL), 1);
	ok(sf_hypervisor_save(f->hv, &web, saving.ends[1], false, &hooks, NULL, &f->err), &f->err);
	resumes(f);
	assert_int_equal(count(f, "at rest", NULL), 1);
	assert_int_equal(fini(&saving), 2 * RAM_BYTES);
}

static void it_may_be_stopped_afterwards(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "");
	init(&saving, f);
	ok(save(&saving), &saving.err);
	ok(sf_hypervisor_stop(f->hv, &web, &f->err), &f->err);
	assert_int_equal(who(f, "stop web"), who(f, "save web"));
	check_power(f, "off");
	assert_int_equal(fini(&saving), RAM_BYTES);
}

static void *save_and_resume(void *arg)
{
	struct saving *saving = arg;
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, saving};
	struct sf_vm_desc vm = {0};

	(void)snprintf(vm.name, sizeof(vm.name), "%s", saving->words);
	for (int i = 0; i < 3 && saving->rc == 0; i++) {
		saving->rc = sf_hypervisor_save(saving->f->hv, &vm, saving->ends[1], true, &hooks, NULL,
						&saving->err);
		if (saving->rc == 0)
			saving->rc = sf_hypervisor_resume(saving->f->hv, &vm, &saving->err);
	}
	return NULL;
}

static void several_vms_are_saved_at_once(void **state)
{
	static const char *const names[] = {"a", "b", "c", "d"};
	struct fixture *f = *state;
	struct saving savings[4];
	char power[32];

	open_xen(f, "");
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(power, sizeof(power), "power.%s", names[i]);
		put(f, power, "running", 0600);
		init(&savings[i], f);
		savings[i].words = names[i];
		assert_int_equal(pthread_create(&savings[i].thread, NULL, save_and_resume, &savings[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		ok(end(&savings[i]), &savings[i].err);
		assert_int_equal(savings[i].nat_rest, 3);
		assert_int_equal(fini(&savings[i]), 3 * RAM_BYTES);
	}
}

/* --- failures --- */

static void not_saved(struct saving *saving, int rc, const char *why)
{
	failed(save(saving), rc, &saving->err, why);
	assert_int_equal(saving->nat_rest, 0);
}

static void failures_are_told_as_they_are(void **state)
{
	static const struct {
		const char *steps, *why;
		int rc;
	} ways[] = {
		{"fail(11, 'the guest does not suspend')", "the guest does not suspend", -EAGAIN},
		{"write(RAM[:100]), fail(28, 'write: No space left')", "write: No space left", -ENOSPC},
		{"paused, fail(110, 'too long')", "too long", -ETIMEDOUT},
		{"fail(22, 'save: there is no domain')", "save: there is no domain", -EINVAL},
		{"fail(32, 'pipe')", "pipe", -EPIPE},
		{"fail(71, 'protocol')", "protocol", -EPROTO},
	};
	struct fixture *f = *state;
	char scenario[256];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct saving saving;

		(void)snprintf(scenario, sizeof(scenario), "on('save', %s)", ways[i].steps);
		open_xen(f, scenario);
		init(&saving, f);
		not_saved(&saving, ways[i].rc, ways[i].why);
		assert_int_equal(kill(who(f, "save web"), 0), 0); /* looks after a guest that suspends late */
		(void)fini(&saving);
		resumes(f);
		close_xen(f);
		take_away(f, "log");
	}
}

/* The conversation is at an end: so must be the helper, or whoever reads the stream waits for ever. */
static void a_helper_that_breaks_off_or_the_rules_is_ended(void **state)
{
	static const struct {
		const char *steps, *why;
		int rc;
	} ways[] = {
		{"die(3)", "ended with status 3", -EIO},
		{"write(RAM[:100]), complain('xc: boom'), killed", "ended with status 137: xc: boom", -EIO},
		{"paused, die(4)", "ended with status 4", -EIO},
		{"paused, rest, die(5)", "ended with status 5", -EIO},
		{"say('what?\\n'), hang", "is not valid JSON", -EPROTO},
		{"tell_once, hang", "told of something else during a save", -EPROTO},
		{"paused, rest, say('{\"ok\":true'), die(6)", "ended with status 6", -EIO},
	};
	struct fixture *f = *state;
	char scenario[256];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct saving saving;
		pid_t pid;

		set_power(f, "running");
		(void)snprintf(scenario, sizeof(scenario), "on('save', %s)", ways[i].steps);
		open_xen(f, scenario);
		limits_of(f)->linger = 100;
		init(&saving, f);
		not_saved(&saving, ways[i].rc, ways[i].why);
		limits_of(f)->linger = LONG_MS;
		pid = who(f, "save web");
		await_end(pid);
		(void)fini(&saving);
		resumes(f);
		assert_int_not_equal(who(f, "resume web"), pid);
		close_xen(f);
		take_away(f, "log");
	}
}

static void one_that_cannot_be_started_says_so(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "");
	take_away(f, "helper");
	init(&saving, f);
	not_saved(&saving, -ENOENT, "No such file or directory");
	assert_int_equal(fini(&saving), 0);
}

static void kill_helper(struct saving *saving)
{
	kill(who(saving->f, "save web"), SIGKILL);
}

static void a_helper_may_die_at_rest(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	open_xen(f, "");
	init(&saving, f);
	saving.while_at_rest = kill_helper;
	ok(save(&saving), &saving.err);
	check_power(f, "paused");
	resumes(f);
	assert_int_not_equal(who(f, "resume web"), who(f, "save web"));
	assert_int_equal(fini(&saving), RAM_BYTES);
}

/* --- given up --- */

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

	open_xen(f, "on('save', write(RAM), rest, done)"); /* complete before anybody looks */
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
	close_xen(f); /* without a resume, to see that it is known to be at rest */
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

/* --- helpers that do not say that the guest rests --- */

static void a_guest_at_rest_is_noticed_though_its_helper_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct saving saving;

	f->limits.look = 10;
	open_xen(f, "on('save', write(RAM), rest, until_told('abort'), fail(4, 'given up'))");
	init(&saving, f);
	saving.paused_rc = -ETIMEDOUT; /* of which there would be no other sign */
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

/* --- resumes that come meanwhile --- */

static void resume_meanwhile(struct fixture *f, struct saving *saving, const char *scenario)
{
	open_xen(f, scenario);
	limits_of(f)->linger = 100;
	init(saving, f);
	begin(saving);
	await_count(f, "save web", 1);
	resumes(f);
}

/* What came of the save. */
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
		(void)end(&saving); /* it may have been given up */
		resumes(f);
		ok(result(&watchdog), &watchdog.err);
		(void)fini(&saving);
		check_power(f, "running");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_save_is_complete_when_the_guest_is_at_rest),
		CASE(whether_it_is_live_is_passed_on),
		CASE(it_may_be_stopped_afterwards),
		CASE(several_vms_are_saved_at_once),
		CASE(failures_are_told_as_they_are),
		CASE(a_helper_that_breaks_off_or_the_rules_is_ended),
		CASE(one_that_cannot_be_started_says_so),
		CASE(a_helper_may_die_at_rest),
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

	return cmocka_run_group_tests_name("xen_save", tests, NULL, NULL);
}

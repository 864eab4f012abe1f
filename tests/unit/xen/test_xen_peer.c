/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's side of one Xen helper: greeting it, sending requests, and ending it. */
#include "xen_fixture.h"

static const struct sf_helper_request power = {.op = SF_HELPER_POWER, .name = "web"};
static const struct sf_helper_request resume = {.op = SF_HELPER_RESUME, .name = "web"};
static const struct sf_helper_request host = {.op = SF_HELPER_HOST};

static int start_program(const char *path, int hello_ms, struct sf_helper_peer **ret, struct sf_err *err)
{
	struct sf_helper_program program = {.name = "Xen"};

	(void)snprintf(program.path, sizeof(program.path), "%s", path);
	return sf_helper_peer_start(&program, hello_ms, ret, err);
}

static struct sf_helper_peer *start(struct fixture *f, const char *scenario)
{
	struct sf_helper_peer *peer = NULL;

	set_scenario(f, scenario);
	ok(start_program(f->helper, LONG_MS, &peer, &f->err), &f->err);
	return peer;
}

static void not_started(struct fixture *f, const char *scenario, int hello_ms, int rc, const char *why)
{
	struct sf_helper_peer *peer = NULL;
	char start[2048];

	(void)snprintf(start, sizeof(start), "Xen helper %s: ", f->helper);
	set_scenario(f, scenario);
	failed(start_program(f->helper, hello_ms, &peer, &f->err), rc, &f->err, why);
	assert_ptr_equal(strstr(f->err.text, start), f->err.text);
	assert_null(peer);
	check_all_ended(f);
}

/* Waits until its process has exited; does not reap it. */
static void await_death(const struct sf_helper_peer *peer)
{
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)peer->proc.pid, &info, WEXITED | WNOWAIT), 0);
}

/* --- greetings --- */

static void a_helper_says_which_xen_it_is(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "");

	assert_string_equal(peer->version, "4.17.5");
	assert_false(peer->broken);
	sf_helper_peer_end(peer, LONG_MS);
	assert_int_equal(count(f, "ended", NULL), 1);
}

static void one_of_another_protocol_is_refused(void **state)
{
	not_started(*state, "on('hello', ok(protocol=3, version='4.99'))", LONG_MS, -EPROTO,
		    "it speaks protocol 3, not 2");
	not_started(*state, "on('hello', ok())", LONG_MS, -EPROTO, "it speaks protocol 0, not 2");
}

static void one_that_says_nothing_is_not_waited_for_for_ever(void **state)
{
	not_started(*state, "on('hello', hang)", 100, -ETIMEDOUT, "has not answered 'hello' for 100 ms");
	not_started(*state, "hang(None)", 100, -ETIMEDOUT, "has not answered 'hello' for 100 ms");
}

static void one_that_never_ends_a_line_is_not_waited_for_for_ever(void **state)
{
	not_started(*state, "while True: say('x')(None); time.sleep(0.01)", 300, -ETIMEDOUT,
		    "has not answered 'hello' for 300 ms");
}

static void nonsense_is_refused(void **state)
{
	not_started(*state, "on('hello', say('hello yourself\\n'))", LONG_MS, -EPROTO, "is not valid JSON");
	not_started(*state, "on('hello', say('{\"ok\":1}\\n'))", LONG_MS, -EPROTO, "\"ok\" is missing");
	not_started(*state, "on('hello', paused)", LONG_MS, -EPROTO,
		    "sent an event instead of the reply to 'hello'");
}

static void the_last_words_of_one_that_dies_are_told(void **state)
{
	struct fixture *f = *state;

	not_started(f, "on('hello', complain('libxl:\\tboom'), complain('and out'), die(3))", LONG_MS, -EIO,
		    "the Xen helper has ended with status 3: libxl: boom; and out");
	not_started(f, "on('hello', killed)", LONG_MS, -EIO, "the Xen helper has ended with status 137");
	not_started(f, "on('hello', say('{\"ok\":tr'), die(0))", LONG_MS, -EIO, "ended with status 0");
}

static void what_is_no_program_is_not_run(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = NULL;

	failed(start_program("/nowhere/snapfs-xen", LONG_MS, &peer, &f->err), -ENOENT, &f->err,
	       "Xen helper /nowhere/snapfs-xen: run /nowhere/snapfs-xen: No such file or directory");
	put(f, "helper", "#!/bin/sh\n", 0600);
	failed(start_program(f->helper, LONG_MS, &peer, &f->err), -EACCES, &f->err, "Permission denied");
	assert_null(peer);
}

static void a_program_without_a_word_is_no_helper(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = NULL;

	failed(start_program("/bin/true", LONG_MS, &peer, &f->err), -EIO, &f->err, "ended with status 0");
	assert_null(peer);
}

/* --- requests --- */

static void a_failure_is_told_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('resume', fail(11, 'the guest is busy'))");
	struct sf_helper_reply reply = {.power = SF_POWER_PAUSED};

	failed(sf_helper_peer_ask(peer, &resume, LONG_MS, &reply, &f->err), -EAGAIN, &f->err,
	       "the guest is busy");
	assert_int_equal(reply.power, SF_POWER_PAUSED);
	assert_false(peer->broken);
	ok(sf_helper_peer_ask(peer, &power, LONG_MS, &reply, &f->err), &f->err);
	assert_int_equal(reply.power, SF_POWER_RUNNING);
	sf_helper_reply_fini(&reply);
	sf_helper_peer_kill(peer);
}

/* A failure that a helper reports is never mistaken for a failure of the connection. */
static void a_failure_to_hear_is_another_thing(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('power', fail(5, 'x'))\non('resume', fail(71, 'y'))\n"
					       "on('host', say('nonsense\\n'))");

	failed(sf_helper_peer_ask(peer, &power, LONG_MS, NULL, &f->err), -EIO, &f->err, "x");
	failed(sf_helper_peer_ask(peer, &resume, LONG_MS, NULL, &f->err), -EPROTO, &f->err, "y");
	assert_false(peer->broken);
	failed(sf_helper_peer_ask(peer, &host, LONG_MS, NULL, &f->err), -EPROTO, &f->err, "not valid JSON");
	assert_true(peer->broken);
	sf_helper_peer_kill(peer);
}

static void silence_breaks_the_conversation(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('power', wait('go'), tell_power)");

	failed(sf_helper_peer_ask(peer, &power, 100, NULL, &f->err), -ETIMEDOUT, &f->err,
	       "has not answered 'power' for 100 ms");
	assert_true(peer->broken);
	go(f, "go");
	sf_helper_peer_kill(peer);
}

static void an_event_is_no_answer(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('power', paused)");

	failed(sf_helper_peer_ask(peer, &power, LONG_MS, NULL, &f->err), -EPROTO, &f->err,
	       "sent an event instead of the reply to 'power'");
	assert_true(peer->broken);
	sf_helper_peer_kill(peer);
}

static void why_one_has_gone_is_heard_though_it_cannot_be_asked(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('host', ok(), fail(19, 'no Xen any more'), die(1))");

	ok(sf_helper_peer_ask(peer, &host, LONG_MS, NULL, &f->err), &f->err);
	await_death(peer);
	failed(sf_helper_peer_ask(peer, &power, LONG_MS, NULL, &f->err), -ENODEV, &f->err, "no Xen any more");
	assert_true(peer->broken);
	sf_helper_peer_kill(peer);
}

static void what_was_said_before_the_question_is_no_answer(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('host', ok(), ok(), die(1))");

	ok(sf_helper_peer_ask(peer, &host, LONG_MS, NULL, &f->err), &f->err);
	await_death(peer);
	failed(sf_helper_peer_ask(peer, &resume, LONG_MS, NULL, &f->err), -EIO, &f->err,
	       "ended with status 1");
	assert_true(peer->broken);
	sf_helper_peer_kill(peer);
}

/* --- ends --- */

static void an_end_is_awaited(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer =
		start(f, "on('end', complain('slowly'), lambda request: time.sleep(0.1))");

	sf_helper_peer_end(peer, LONG_MS);
	assert_int_equal(count(f, "ended", NULL), 1);
}

static void one_that_does_not_end_is_made_to(void **state)
{
	struct fixture *f = *state;

	sf_helper_peer_end(start(f, "on('end', hang)"), 100);
	check_all_ended(f);
	assert_int_equal(count(f, "ended", NULL), 0);
}

static void a_stopped_one_can_still_be_talked_to_in_vain(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "");

	sf_helper_peer_stop(peer, LONG_MS);
	check_all_ended(f);
	failed(sf_helper_peer_ask(peer, &power, LONG_MS, NULL, &f->err), -EIO, &f->err, "has been given up");
	failed(sf_helper_peer_tell(peer, &power, -1, &f->err), -EPIPE, &f->err, "send a line");
	sf_helper_peer_kill(peer);
}

static void one_that_is_left_goes_on(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_peer *peer = start(f, "on('end', note('goes on'), wait('go'))");
	pid_t pid = peer->proc.pid;

	sf_helper_peer_leave(peer, 100);
	await_count(f, "goes on", 1);
	assert_int_equal(kill(pid, 0), 0);
	go(f, "go");
	await_count(f, "ended", 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* abandoned, but still our child */
}

static void nobody_can_be_ended_too(void **state)
{
	(void)state;
	sf_helper_peer_end(NULL, 0);
	sf_helper_peer_kill(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_helper_says_which_xen_it_is),
		CASE(one_of_another_protocol_is_refused),
		CASE(one_that_says_nothing_is_not_waited_for_for_ever),
		CASE(one_that_never_ends_a_line_is_not_waited_for_for_ever),
		CASE(nonsense_is_refused),
		CASE(the_last_words_of_one_that_dies_are_told),
		CASE(what_is_no_program_is_not_run),
		CASE(a_program_without_a_word_is_no_helper),
		CASE(a_failure_is_told_as_it_is),
		CASE(a_failure_to_hear_is_another_thing),
		CASE(silence_breaks_the_conversation),
		CASE(an_event_is_no_answer),
		CASE(why_one_has_gone_is_heard_though_it_cannot_be_asked),
		CASE(what_was_said_before_the_question_is_no_answer),
		CASE(an_end_is_awaited),
		CASE(one_that_does_not_end_is_made_to),
		CASE(a_stopped_one_can_still_be_talked_to_in_vain),
		CASE(one_that_is_left_goes_on),
		CASE(nobody_can_be_ended_too),
	};

	return cmocka_run_group_tests_name("xen_peer", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saves through the Xen backend: successful ones, and helpers that fail. */
#include "xen_saving.h"

/* --- success --- */

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
	assert_int_equal(fcntl(saving.ends[1], F_GETFD), FD_CLOEXEC); /* the backend has not closed it */
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
		assert_int_equal(kill(who(f, "save web"), 0), 0); /* the guest may suspend late */
		(void)fini(&saving);
		resumes(f);
		close_xen(f);
		take_away(f, "log");
	}
}

/* After a broken conversation the helper must be killed, or the reader of the stream would wait forever. */
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
		{"tell_once, hang", "sent an unexpected event during a save", -EPROTO},
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
	};

	return cmocka_run_group_tests_name("xen_save", tests, NULL, NULL);
}

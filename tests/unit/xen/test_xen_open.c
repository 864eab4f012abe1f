/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening the Xen backend, and its list of VMs, with helpers that behave and misbehave. */
#include "xen_fixture.h"

#include <sys/mman.h>

/* --- opening --- */

static void an_ordinary_helper_will_do(void **state)
{
	struct fixture *f = *state;
	char host[SF_HOST_MAX] = "";

	open_xen(f, "");
	assert_string_equal(f->hv->ops->name, "xen");
	ok(sf_hypervisor_host(f->hv, host, &f->err), &f->err);
	assert_non_null(strstr(host, "xen 4.17 cpu 1f8bfbff:"));
	ok(sf_hypervisor_check_host(f->hv, host, &f->err), &f->err);
	failed(sf_hypervisor_check_host(f->hv, "nobody's 0", &f->err), -EOPNOTSUPP, &f->err,
	       "does not describe a Xen host");
	assert_int_equal(count(f, "began", NULL), 2); /* one for questions, one for the list */
}

static void not_open(struct fixture *f, const char *scenario, int rc, const char *why)
{
	failed(try_open(f, scenario), rc, &f->err, why);
	assert_ptr_equal(strstr(f->err.text, "hypervisor xen: "), f->err.text);
	assert_null(f->hv);
	check_all_ended(f);
}

static void the_backend_s_own_limits_are_those_of_the_other_open(void **state)
{
	struct fixture *f = *state;

	set_scenario(f, "");
	ok(sf_xen_open(&f->options, &f->hv, &f->err), &f->err);
	assert_int_equal(limits_of(f)->hello, 15000);
	assert_true(limits_of(f)->give_back > 0);
}

static void a_program_that_is_not_there_says_so(void **state)
{
	struct fixture *f = *state;

	f->options.helper = "/nowhere/snapfs-xen";
	not_open(f, "", -ENOENT, "Xen helper /nowhere/snapfs-xen: run /nowhere/snapfs-xen: No such file");
}

static void a_path_that_is_too_long_says_so(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX + 1];

	memset(path, '/', PATH_MAX);
	path[PATH_MAX] = '\0';
	f->options.configs = path;
	not_open(f, "", -ENAMETOOLONG, "is longer than 4095 bytes");
}

static void a_host_without_xen_says_so(void **state)
{
	not_open(*state, "send(ok=False, errno=19, text='libxenlight finds no Xen here: xc: x'); sys.exit(1)",
		 -ENODEV, "libxenlight finds no Xen here: xc: x");
}

static void a_helper_that_does_not_know_the_host_is_none(void **state)
{
	not_open(*state, "on('host', ok())", -EPROTO,
		 "does not describe this host: '' does not describe a Xen");
	not_open(*state, "on('host', ok(host='kvm'))", -EPROTO, "'kvm' does not describe a Xen host");
	not_open(*state, "on('host', fail(5, 'Xen is confused'))", -EIO, "Xen is confused");
	not_open(*state, "on('host', die(1))", -EIO, "ended with status 1");
}

static void without_a_first_list_it_does_not_open(void **state)
{
	struct fixture *f = *state;

	not_open(f, "on('watch', fail(13, 'open xenstore: Permission denied'))", -EACCES,
		 "open xenstore: Permission denied");
	not_open(f, "on('watch', die(4))", -EIO, "ended with status 4");
	not_open(f, "on('watch', ok(), say('{}\\n'))", -EPROTO, "\"ok\" is missing");
	not_open(f, "on('watch', ok(), paused)", -EPROTO, "sent something else than a list of VMs");
	f->limits.first = 100;
	not_open(f, "on('watch', ok(), hang)", -ETIMEDOUT, "no list of VMs within 100 ms");
	f->limits.accept = 100;
	f->limits.first = LONG_MS;
	not_open(f, "on('watch', hang)", -ETIMEDOUT, "has not answered 'watch' for 100 ms");
}

/* --- the list --- */

/* Writes the names of the VMs, like "web extra", or "E" and the error. */
static void names(struct fixture *f, char *text, size_t size)
{
	struct sf_vm_list list = {0};
	size_t len = 0;

	text[0] = '\0';
	if (sf_hypervisor_list(f->hv, &list, &f->err) < 0) {
		(void)snprintf(text, size, "E %s", f->err.text);
		return;
	}
	for (size_t i = 0; i < list.nvms && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? " " : "", list.vms[i].name);
	sf_vm_list_fini(&list);
}

static bool are(const char *text, const char *want)
{
	return *want == 'E' ? strncmp(text, want, strlen(want)) == 0 : strcmp(text, want) == 0;
}

/* Waits until names() gives this text; for an error, until the text begins with it. */
static void await_names(struct fixture *f, const char *want)
{
	uint64_t until = sf_clock_mono_ms() + LONG_MS;
	char text[TEXT_MAX];

	for (names(f, text, sizeof(text)); !are(text, want); names(f, text, sizeof(text))) {
		if (sf_clock_mono_ms() >= until)
			fail_msg("'%s' instead of '%s'", text, want);
		(void)poll(NULL, 0, 2);
	}
}

static void the_first_list_is_there_at_once(void **state)
{
	struct fixture *f = *state;
	struct sf_vm_list list = {0};

	set_vms(f, WEB "," EXTRA, "");
	open_xen(f, "");
	ok(sf_hypervisor_list(f->hv, &list, &f->err), &f->err);
	assert_int_equal(list.nvms, 2);
	assert_string_equal(list.vms[0].name, "web");
	assert_string_equal(list.vms[0].uuid, "");
	assert_int_equal(list.vms[0].memory_bytes, 128 << 20);
	assert_int_equal(list.vms[0].ndisks, 1);
	assert_string_equal(list.vms[0].disks[0].vdev, "xvda");
	assert_string_equal(list.vms[0].disks[0].spec, "/dev/vg0/web");
	assert_string_equal(list.vms[1].name, "extra");
	sf_vm_list_fini(&list);
}

static void changes_are_seen(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	await_names(f, "web");
	set_vms(f, WEB "," EXTRA, "");
	await_names(f, "web extra");
	set_vms(f, EXTRA, "");
	await_names(f, "extra");
	set_vms(f, "", "");
	await_names(f, "");
	assert_int_equal(count(f, "began", NULL), 2);
}

static void vms_with_odd_names_are_left_out(void **state)
{
	struct fixture *f = *state;

	set_vms(f,
		"{\"name\":\"a\\u0001b\",\"uuid\":\"\",\"memory\":0,\"disks\":[],\"left_out\":[]}," EXTRA
		",{\"name\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"uuid\":\"\",\"memory\":0,\"disks\":[],"
		"\"left_out\":"
		"[]}," WEB,
		"");
	open_xen(f, "");
	await_names(f, "extra web");
}

static void several_hundred_vms_are_no_trouble(void **state)
{
	struct fixture *f = *state;
	const size_t nvms = 700;
	auto_free char *vms = malloc(nvms * 1024), *want = calloc(nvms, 16);
	size_t len = 0, want_len = 0;

	assert_true(vms && want);
	for (size_t i = 0; i < nvms; i++) {
		len += (size_t)snprintf(vms + len, 1024,
					"%s{\"name\":\"vm%zu\",\"uuid\":\"\",\"memory\":0,\"disks\":[",
					i ? "," : "", i);
		for (int disk = 0; disk < 10; disk++)
			len += (size_t)snprintf(vms + len, 128,
						"%s{\"vdev\":\"xvd%c\",\"path\":\"/dev/vg0/vm%zu-%d\"}",
						disk ? "," : "", 'a' + disk, i, disk);
		len += (size_t)snprintf(vms + len, 128, "],\"left_out\":[]}");
		want_len += (size_t)snprintf(want + want_len, 16, "%svm%zu", i ? " " : "", i);
	}
	set_vms(f, vms, "");
	open_xen(f, "");
	await_names(f, want);
}

static void when_the_list_is_lost_it_is_unknown_until_there_is_another(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('watch', ok(), tell_once, "
		    "wait('die'), complain('xenstore has gone'), die(9), first=1)\n"
		    "on('watch', wait('again'), ok(), tell_vms)\n");
	await_names(f, "web");
	go(f, "die");
	await_names(f, "E the Xen helper has ended with status 9: xenstore has gone");
	failed(sf_hypervisor_list(f->hv, &(struct sf_vm_list){0}, &f->err), -EIO, &f->err,
	       "ended with status 9");
	await_count(f, "watch", 2);
	failed(sf_hypervisor_list(f->hv, &(struct sf_vm_list){0}, &f->err), -EIO, &f->err,
	       "ended with status 9");
	set_vms(f, EXTRA, "");
	go(f, "again");
	await_names(f, "extra");
}

static void a_failure_of_the_watch_is_told_and_tried_again(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('watch', ok(), tell_once, "
		    "wait('fail'), fail(12, 'list the domains: out of memory'), wait('end'), first=1)\n"
		    "on('watch', wait('again'), ok(), tell_vms)\n");
	go(f, "fail");
	await_names(f, "E list the domains: out of memory");
	go(f, "again");
	await_names(f, "web");
}

static void a_program_that_has_gone_meanwhile_is_tried_again(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('watch', ok(), tell_once, "
		    "wait('die'), die(9), first=1)\n");
	take_away(f, "helper");
	go(f, "die");
	await_names(f, "E Xen helper ");
	assert_non_null(strstr(f->err.text, "No such file or directory"));
	set_scenario(f, "");
	await_names(f, "web");
}

/* --- logging --- */

/* Captures standard error. */
struct capture {
	int saved, memory;
};

static struct capture capture(void)
{
	struct capture capture = {dup(2), memfd_create("log", MFD_CLOEXEC)};

	assert_true(capture.saved >= 0 && capture.memory >= 0);
	assert_int_equal(dup2(capture.memory, 2), 2);
	return capture;
}

/* Ends the capture. Returns what was written; the caller frees it. */
static char *release(struct capture *capture)
{
	char *text = calloc(1, TEXT_MAX);

	assert_int_equal(dup2(capture->saved, 2), 2);
	assert_non_null(text);
	assert_true(pread(capture->memory, text, TEXT_MAX - 1, 0) >= 0);
	close(capture->saved);
	close(capture->memory);
	return text;
}

static unsigned occurrences(const char *text, const char *words)
{
	unsigned n = 0;

	for (; (text = strstr(text, words)); text++)
		n++;
	return n;
}

static void trouble_is_logged_when_it_changes(void **state)
{
	struct fixture *f = *state;
	struct capture standard_error = capture();
	auto_free char *log = NULL;

	set_vms(f, WEB, "a.cfg: syntax error");
	open_xen(f, "");
	set_vms(f, WEB "," EXTRA, "a.cfg: syntax error");
	await_names(f, "web extra");
	set_vms(f, WEB, "b.cfg: syntax error");
	await_names(f, "web");
	set_vms(f, EXTRA, "");
	await_names(f, "extra");
	set_vms(f, WEB, "a.cfg: syntax error");
	await_names(f, "web");
	log = release(&standard_error);
	assert_int_equal(occurrences(log, "warning: Xen: a.cfg: syntax error\n"), 2);
	assert_int_equal(occurrences(log, "warning: Xen: b.cfg: syntax error\n"), 1);
	assert_int_equal(occurrences(log, "warning: "), 3);
}

static void a_list_that_stays_unknown_is_logged_once(void **state)
{
	struct fixture *f = *state;
	struct capture standard_error;
	auto_free char *log = NULL;

	open_xen(f, "on('watch', ok(), tell_once, "
		    "wait('die'), die(9), first=1)\n"
		    "on('watch', die(8), first=4)\n");
	standard_error = capture();
	go(f, "die");
	await_count(f, "watch", 5);
	await_names(f, "web");
	log = release(&standard_error);
	assert_int_equal(occurrences(log, "the VMs cannot be listed; retrying: "), 1);
	assert_int_equal(occurrences(log, "ended with status 9"), 1);
}

/* --- closing --- */

static void closing_does_not_wait_for_whoever_answers_or_lists(void **state)
{
	struct fixture *f = *state;
	uint64_t began;

	open_xen(f, "on('watch', ok(), tell_once, hang)\n"
		    "on('end', hang)\n");
	began = sf_clock_mono_ms();
	close_xen(f);
	assert_true(sf_clock_mono_ms() - began < 4000); /* less than the time that a helper gets to exit */
	check_all_ended(f);
}

static void closing_comes_between_two_attempts(void **state)
{
	struct fixture *f = *state;

	f->limits.restart = LONG_MS;
	open_xen(f, "on('watch', ok(), tell_once, "
		    "wait('die'), die(9), first=1)\n");
	go(f, "die");
	await_names(f, "E ");
	close_xen(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_ordinary_helper_will_do),
		CASE(the_backend_s_own_limits_are_those_of_the_other_open),
		CASE(a_program_that_is_not_there_says_so),
		CASE(a_path_that_is_too_long_says_so),
		CASE(a_host_without_xen_says_so),
		CASE(a_helper_that_does_not_know_the_host_is_none),
		CASE(without_a_first_list_it_does_not_open),
		CASE(the_first_list_is_there_at_once),
		CASE(changes_are_seen),
		CASE(vms_with_odd_names_are_left_out),
		CASE(several_hundred_vms_are_no_trouble),
		CASE(when_the_list_is_lost_it_is_unknown_until_there_is_another),
		CASE(a_failure_of_the_watch_is_told_and_tried_again),
		CASE(a_program_that_has_gone_meanwhile_is_tried_again),
		CASE(trouble_is_logged_when_it_changes),
		CASE(a_list_that_stays_unknown_is_logged_once),
		CASE(closing_does_not_wait_for_whoever_answers_or_lists),
		CASE(closing_comes_between_two_attempts),
	};

	return cmocka_run_group_tests_name("xen_open", tests, NULL, NULL);
}

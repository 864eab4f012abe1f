/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen backend: power states, and calls of xl. */
#include "xen_fixture.h"

#include "backends/xen/saved_file.h"

/* --- power --- */

static void says(struct fixture *f, enum sf_power want)
{
	enum sf_power power = SF_POWER_UNKNOWN;

	ok(sf_hypervisor_power(f->hv, &web, &power, &f->err), &f->err);
	assert_int_equal(power, want);
}

static void does_not_say(struct fixture *f, int rc, const char *why)
{
	enum sf_power power = SF_POWER_OFF;

	failed(sf_hypervisor_power(f->hv, &web, &power, &f->err), rc, &f->err, why);
	assert_int_equal(power, SF_POWER_OFF);
}

static void power_states_are_asked_for_each_time(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	says(f, SF_POWER_RUNNING);
	set_power(f, "paused");
	says(f, SF_POWER_PAUSED);
	take_away(f, "power.web");
	says(f, SF_POWER_OFF);
	assert_int_equal(count(f, "power web", NULL), 3);
	assert_int_equal(count(f, "began", NULL), 2);
}

static void after_the_helper_s_death_the_next_question_gets_another(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('power', complain('libxl gave up'), die(134), first=1)");
	does_not_say(f, -EIO, "the Xen helper has ended with status 134: libxl gave up");
	says(f, SF_POWER_RUNNING);
	assert_int_equal(count(f, "began", NULL), 3);
	kill(who(f, "power web"), SIGKILL);
	does_not_say(f, -EIO, "ended with status 137");
	says(f, SF_POWER_RUNNING);
}

static void one_that_hangs_is_not_asked_again(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('power', hang, first=1)");
	limits_of(f)->question = 100;
	does_not_say(f, -ETIMEDOUT, "has not answered 'power' for 100 ms");
	await_end(who(f, "hangs"));
	limits_of(f)->question = LONG_MS;
	says(f, SF_POWER_RUNNING);
}

static void one_that_talks_nonsense_is_not_asked_again(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('power', say('what?\\n'), first=1)\non('power', paused, first=2)");
	does_not_say(f, -EPROTO, "is not valid JSON");
	does_not_say(f, -EPROTO, "sent an event instead of the reply to 'power'");
	says(f, SF_POWER_RUNNING);
	assert_int_equal(count(f, "began", NULL), 4);
}

static void a_failure_is_told_by_one_that_stays(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('power', fail(5, 'look at domain 7: ERROR_FAIL'), first=1)");
	does_not_say(f, -EIO, "look at domain 7: ERROR_FAIL");
	says(f, SF_POWER_RUNNING);
	assert_int_equal(count(f, "began", NULL), 2);
}

static void no_power_state_is_an_answer_that_breaks_the_rules(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('power', ok())");
	does_not_say(f, -EPROTO, "gave no power state");
}

static void one_that_cannot_be_started_says_so(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "on('power', die(1), first=1)");
	does_not_say(f, -EIO, "ended with status 1");
	take_away(f, "helper");
	does_not_say(f, -ENOENT, "No such file or directory");
	set_scenario(f, "");
	says(f, SF_POWER_RUNNING);
}

/* --- start --- */

static void open_off(struct fixture *f, const char *scenario)
{
	take_away(f, "power.web");
	open_xen(f, scenario);
}

static void a_vm_that_is_off_is_booted_by_xl(void **state)
{
	struct fixture *f = *state;

	open_off(f, "");
	ok(sf_hypervisor_start(f->hv, &web, false, &f->err), &f->err);
	assert_int_equal(count(f, "xl create /etc/xen/web.cfg", NULL), 1);
	says(f, SF_POWER_RUNNING);
	take_away(f, "power.web");
	ok(sf_hypervisor_start(f->hv, &web, true, &f->err), &f->err);
	assert_int_equal(count(f, "xl create /etc/xen/web.cfg -p", NULL), 1);
	says(f, SF_POWER_PAUSED);
}

static void a_vm_that_is_not_off_is_not_booted(void **state)
{
	struct fixture *f = *state;

	open_xen(f, "");
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -EINVAL, &f->err, "domain 'web' is not off");
	set_power(f, "paused");
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -EINVAL, &f->err, "domain 'web' is not off");
	assert_int_equal(count(f, "xl ended", NULL), 0);
}

static void a_vm_without_a_configuration_cannot_be_booted(void **state)
{
	struct fixture *f = *state;
	const struct sf_vm_desc extra = {.name = "extra"}, nobody = {.name = "nobody"};

	set_vms(f, WEB "," EXTRA, "");
	open_off(f, "");
	failed(sf_hypervisor_start(f->hv, &extra, false, &f->err), -ENOENT, &f->err,
	       "names VM 'extra', so it cannot be booted");
	assert_non_null(strstr(f->err.text, f->configs));
	failed(sf_hypervisor_can_start(f->hv, &extra, &f->err), -ENOENT, &f->err, "names VM 'extra'");
	ok(sf_hypervisor_can_start(f->hv, &web, &f->err), &f->err);
	failed(sf_hypervisor_start(f->hv, &nobody, false, &f->err), -ENOENT, &f->err, "names VM 'nobody'");
}

static void who_cannot_be_asked_is_not_booted(void **state)
{
	struct fixture *f = *state;

	open_off(f, "on('power', die(1), first=1)");
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -EIO, &f->err, "ended with status 1");
	assert_int_equal(count(f, "xl ended", NULL), 0);
}

/* --- xl --- */

static void xl_s_words_are_in_the_error(void **state)
{
	struct fixture *f = *state;

	open_off(f, "");
	put(f, "complaint", "Parsing config from web.cfg\nlibxl: error: no memory\n", 0600);
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -EIO, &f->err,
	       "xl create failed (status 3): Parsing config from web.cfg; libxl: error: no memory");
	take_away(f, "complaint");
	put(f, "complaint", "", 0600);
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -EIO, &f->err,
	       "xl create failed (status 3)");
}

static void xl_that_is_not_there_says_so(void **state)
{
	struct fixture *f = *state;

	f->options.xl = "/nowhere/xl";
	open_off(f, "");
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -ENOENT, &f->err, "run /nowhere/xl");
}

static void open_gate(const struct fixture *f)
{
	char gate[2048];
	int fd;

	(void)snprintf(gate, sizeof(gate), "%s/gate", f->dir);
	fd = open(gate, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
}

static void xl_beyond_its_deadline_goes_on(void **state)
{
	struct fixture *f = *state;
	pid_t pid;

	f->options.deadline_ms = 100;
	open_off(f, "");
	go(f, "wait");
	failed(sf_hypervisor_start(f->hv, &web, false, &f->err), -ETIMEDOUT, &f->err,
	       "xl create is still running: process");
	await_count(f, "xl create /etc/xen/web.cfg", 1);
	pid = who(f, "xl create /etc/xen/web.cfg");
	assert_int_equal(kill(pid, 0), 0);
	says(f, SF_POWER_OFF);
	open_gate(f);
	await_count(f, "xl ended", 1);
	says(f, SF_POWER_RUNNING);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* abandoned, but still our child */
}

/* --- restore --- */

/* A file in xl's format for a domain with this configuration. */
static FILE *saved_ram(const char *config)
{
	struct sf_xl_header header = {.byte_order = SF_XL_BYTE_ORDER,
				      .mandatory = SF_XL_JSON | SF_XL_STREAM_V2,
				      .config_len = (uint32_t)strlen(config) + 1};
	FILE *file = tmpfile();

	assert_non_null(file);
	header.optional_len = header.config_len + (uint32_t)sizeof(header.config_len);
	memcpy(header.magic, SF_XL_MAGIC, sizeof(header.magic));
	assert_int_equal(fwrite(&header, sizeof(header), 1, file), 1);
	assert_int_equal(fwrite(config, header.config_len, 1, file), 1);
	assert_true(fputs("RAM of web", file) >= 0);
	rewind(file);
	return file;
}

#define OF(name) "{\"c_info\":{\"type\":\"pv\",\"name\":\"" name "\"},\"b_info\":{}}"

static void ram_is_restored_by_xl_from_our_descriptor(void **state)
{
	struct fixture *f = *state;
	auto_fd int dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *restored = NULL;
	FILE *ram = saved_ram(OF("web"));
	char words[64];
	size_t len;

	open_off(f, "");
	ok(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), &f->err);
	(void)snprintf(words, sizeof(words), "xl restore -p /proc/%d/fd/%d", (int)getpid(), fileno(ram));
	assert_int_equal(count(f, words, NULL), 1);
	ok(sf_durable_read(dir, "restored", 1 << 20, &restored, &len, &f->err), &f->err);
	assert_int_equal(len, sizeof(struct sf_xl_header) + sizeof(OF("web")) + strlen("RAM of web"));
	assert_string_equal(restored + len - strlen("RAM of web"), "RAM of web");
	says(f, SF_POWER_PAUSED);
	assert_int_equal(lseek(fileno(ram), 0, SEEK_CUR), 0); /* neither closed nor moved */
	(void)fclose(ram);
}

static void a_vm_that_had_another_name_gets_its_own_back(void **state)
{
	struct fixture *f = *state;
	FILE *ram = saved_ram(OF("old"));

	open_off(f, "");
	put(f, "saved-name", "old", 0600);
	ok(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), &f->err);
	assert_int_equal(count(f, "rename old", NULL), 1);
	says(f, SF_POWER_PAUSED);
	(void)fclose(ram);
}

static void a_name_that_cannot_be_given_back_says_so(void **state)
{
	struct fixture *f = *state;
	FILE *ram = saved_ram(OF("old"));

	open_off(f, "on('rename', fail(17, 'there is one of that name'))");
	failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EEXIST, &f->err,
	       "there is one of that name");
	(void)fclose(ram);
}

static void ram_is_not_restored_into_a_vm_that_is_not_off(void **state)
{
	struct fixture *f = *state;
	FILE *ram = saved_ram(OF("web"));

	open_xen(f, "");
	failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EINVAL, &f->err,
	       "domain 'web' is not off");
	assert_int_equal(count(f, "xl ended", NULL), 0);
	(void)fclose(ram);
}

static void ram_that_xl_refuses_says_why(void **state)
{
	struct fixture *f = *state;
	FILE *ram = saved_ram(OF("web"));

	open_off(f, "");
	put(f, "complaint", "libxl: error: wrong stream\n", 0600);
	failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EIO, &f->err,
	       "xl restore failed (status 3): libxl: error: wrong stream");
	(void)fclose(ram);
}

/* Bytes to write into the file at an offset before the restore. */
struct damage {
	off_t at;
	const char *bytes;
	size_t len;
	const char *why;
};

static void what_is_no_saved_ram_is_not_given_to_xl(void **state)
{
	static const struct damage damages[] = {
		{0, "LibxlFmt", 8, "not the RAM of a Xen domain as xl saves it"},
		{28, "x", 1, "not the RAM of a Xen domain"},
		{offsetof(struct sf_xl_header, byte_order), "\1\2\3\4", 4, "not the RAM of a Xen domain"},
		{offsetof(struct sf_xl_header, mandatory), "\7", 1, "saved in an unsupported format"},
		{offsetof(struct sf_xl_header, config_len), "\0\0\0\0", 4, "header is damaged: 0 bytes"},
		{offsetof(struct sf_xl_header, config_len), "\377\377\377\377", 4, "header is damaged"},
		{offsetof(struct sf_xl_header, optional_len), "\1\0\0\0", 4, "header is damaged"},
		{sizeof(struct sf_xl_header), "[", 1, "is not valid JSON"},
	};
	struct fixture *f = *state;

	open_off(f, "");
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		FILE *ram = saved_ram(OF("web"));

		assert_int_equal(pwrite(fileno(ram), damages[i].bytes, damages[i].len, damages[i].at),
				 (ssize_t)damages[i].len);
		failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EIO, &f->err,
		       damages[i].why);
		(void)fclose(ram);
	}
	assert_int_equal(count(f, "xl ended", NULL), 0);
}

static void saved_ram_without_a_name_or_its_end_is_not_given_to_xl(void **state)
{
	static const char *const configs[] = {"{}", "{\"c_info\":7}", "{\"c_info\":{}}",
					      "{\"c_info\":{\"name\":1}}"};
	struct fixture *f = *state;
	FILE *ram;

	open_off(f, "");
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		ram = saved_ram(configs[i]);
		failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EIO, &f->err,
		       "the RAM's configuration: \"name\" is missing");
		(void)fclose(ram);
	}
	ram = saved_ram(OF("web"));
	assert_int_equal(ftruncate(fileno(ram), sizeof(struct sf_xl_header) + 10), 0);
	failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EIO, &f->err,
	       "the RAM's configuration is incomplete");
	assert_int_equal(ftruncate(fileno(ram), 10), 0);
	failed(sf_hypervisor_restore(f->hv, &web, fileno(ram), &f->err), -EIO, &f->err,
	       "the RAM's header is incomplete");
	(void)fclose(ram);
	assert_int_equal(count(f, "xl ended", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(power_states_are_asked_for_each_time),
		CASE(after_the_helper_s_death_the_next_question_gets_another),
		CASE(one_that_hangs_is_not_asked_again),
		CASE(one_that_talks_nonsense_is_not_asked_again),
		CASE(a_failure_is_told_by_one_that_stays),
		CASE(no_power_state_is_an_answer_that_breaks_the_rules),
		CASE(one_that_cannot_be_started_says_so),
		CASE(a_vm_that_is_off_is_booted_by_xl),
		CASE(a_vm_that_is_not_off_is_not_booted),
		CASE(a_vm_without_a_configuration_cannot_be_booted),
		CASE(who_cannot_be_asked_is_not_booted),
		CASE(xl_s_words_are_in_the_error),
		CASE(xl_that_is_not_there_says_so),
		CASE(xl_beyond_its_deadline_goes_on),
		CASE(ram_is_restored_by_xl_from_our_descriptor),
		CASE(a_vm_that_had_another_name_gets_its_own_back),
		CASE(a_name_that_cannot_be_given_back_says_so),
		CASE(ram_is_not_restored_into_a_vm_that_is_not_off),
		CASE(ram_that_xl_refuses_says_why),
		CASE(what_is_no_saved_ram_is_not_given_to_xl),
		CASE(saved_ram_without_a_name_or_its_end_is_not_given_to_xl),
	};

	return cmocka_run_group_tests_name("xen_control", tests, NULL, NULL);
}

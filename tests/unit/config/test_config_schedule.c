/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/config/config.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sf_config parsed(const char *text)
{
	struct sf_config config;
	struct sf_err err = {0};

	sf_config_init(&config);
	if (sf_config_parse(&config, "f", text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void refused_with(const char *text, int rc, const char *why)
{
	struct sf_config config;
	struct sf_err err = {0};

	sf_config_init(&config);
	assert_int_equal(sf_config_parse(&config, "f", text, strlen(text), &err), rc);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	sf_config_fini(&config);
}

static void refused(const char *text, const char *why)
{
	refused_with(text, -EINVAL, why);
}

static void when_is_all_a_schedule_needs(void **state)
{
	struct sf_config config = parsed("[schedule nightly]\nwhen = daily 02:30\n");
	const struct sf_schedule_config *schedule = sf_config_schedule(&config, "nightly");

	(void)state;
	assert_int_equal(config.nschedules, 1);
	assert_ptr_equal(schedule, &config.schedules[0]);
	assert_string_equal(schedule->name, "nightly");
	assert_int_equal(schedule->line, 1);
	assert_string_equal(schedule->when_text, "daily 02:30");
	assert_int_equal(schedule->when.minutes[0], 150);
	assert_int_equal(schedule->nvms, 0);
	assert_int_equal(schedule->memory, SF_CHOICE_POLICY);
	assert_int_equal(schedule->quiesce, SF_CHOICE_POLICY);
	assert_true(sf_keep_rules_empty(&schedule->keep));
	assert_string_equal(schedule->timezone, "");
	assert_null(schedule->pre);
	assert_null(schedule->post);
	assert_int_equal(schedule->hook_deadline_ms, 300 * 1000);
	assert_null(sf_config_schedule(&config, "weekly"));
	sf_config_fini(&config);
	assert_int_equal(config.nschedules, 0);
}

static void every_key_is_read(void **state)
{
	struct sf_config config = parsed("\n[schedule nightly]\nvms = web*, db\nvms = !web-test\n"
					 "when = hourly :15 ; a comment\nmemory = no\nquiesce = yes\n"
					 "timezone = Europe/Berlin\nkeep-last = 1\nkeep-hourly = 2\n"
					 "keep-daily = 3\nkeep-weekly = 4\nkeep-monthly = 5\n"
					 "keep-yearly = unlimited\nkeep-within = 2d12h\n"
					 "pre = /bin/pre one \"two three\"\npost = /bin/post\n"
					 "hook-deadline = 86400\n");
	const struct sf_schedule_config *schedule = sf_config_schedule(&config, "nightly");

	(void)state;
	assert_non_null(schedule);
	assert_int_equal(schedule->line, 2);
	assert_int_equal(schedule->nvms, 3);
	assert_string_equal(schedule->vms[1], "db");
	assert_string_equal(schedule->vms[2], "!web-test");
	assert_string_equal(schedule->when_text, "hourly :15");
	assert_true(schedule->when.by_hour);
	assert_int_equal(schedule->memory, SF_CHOICE_NO);
	assert_int_equal(schedule->quiesce, SF_CHOICE_YES);
	assert_string_equal(schedule->timezone, "Europe/Berlin");
	for (int i = 0; i < SF_KEEP_YEARLY; i++)
		assert_int_equal(schedule->keep.count[i], i + 1);
	assert_int_equal(schedule->keep.count[SF_KEEP_YEARLY], SF_KEEP_ALL);
	assert_int_equal(schedule->keep.within.days, 2);
	assert_int_equal(schedule->keep.within.hours, 12);
	assert_string_equal(schedule->pre[0], "/bin/pre");
	assert_string_equal(schedule->pre[1], "one");
	assert_string_equal(schedule->pre[2], "two three");
	assert_null(schedule->pre[3]);
	assert_string_equal(schedule->post[0], "/bin/post");
	assert_null(schedule->post[1]);
	assert_int_equal(schedule->hook_deadline_ms, 86400ULL * 1000);
	sf_config_fini(&config);
}

static void the_keys_of_each_schedule_are_its_own(void **state)
{
	struct sf_config config = parsed("[schedule a]\nwhen = daily\nkeep-daily = 7\nvms = web\n"
					 "[vm web]\nmemory = no\n"
					 "[schedule b]\nwhen = hourly\nmemory = yes\nkeep-daily = 8\n"
					 "[snapfs]\nmemory = yes\n");

	(void)state;
	assert_int_equal(config.nschedules, 2);
	assert_int_equal(config.schedules[0].keep.count[SF_KEEP_DAILY], 7);
	assert_int_equal(config.schedules[0].memory, SF_CHOICE_POLICY);
	assert_int_equal(config.schedules[1].keep.count[SF_KEEP_DAILY], 8);
	assert_int_equal(config.schedules[1].memory, SF_CHOICE_YES);
	assert_int_equal(config.schedules[1].nvms, 0);
	sf_config_fini(&config);
}

static void names_may_be_quoted(void **state)
{
	struct sf_config config =
		parsed("[schedule \"a b\"]\nwhen = daily\n[ schedule  größe 2 ]\nwhen = daily\n");

	(void)state;
	assert_non_null(sf_config_schedule(&config, "a b"));
	assert_non_null(sf_config_schedule(&config, "größe 2"));
	sf_config_fini(&config);
	refused("[schedule \"a]\nwhen = daily\n", "f:1: not a section: [schedule \"a]");
	refused("[schedule \"]\nwhen = daily\n", "close every \"");
	refused("[schedule \"\"]\nwhen = daily\n", "schedule '': the name is empty");
}

static void names_are_names(void **state)
{
	char text[128] = "[schedule ";

	(void)state;
	refused("[schedule]\nwhen = daily\n", "f:1: unknown section [schedule]");
	refused("[schedule .a]\n", "f:1: schedule '.a': the name starts with '.'");
	refused("[schedule a/b]\n", "f:1: schedule 'a/b'");
	refused("[schedule a]\nwhen = daily\n[schedule \"a\"]\nwhen = daily\n",
		"f:3: section [schedule a] appears twice");
	memset(text + strlen(text), 'n', SF_SCHEDULE_NAME_MAX + 1);
	(void)strcat(text, "]\nwhen = daily\n");
	refused_with(text, -ENAMETOOLONG, "f:1: the name of a schedule is longer than 63 bytes");
}

static void a_schedule_without_when_is_refused(void **state)
{
	(void)state;
	refused("[schedule a]\nwhen = daily\n\n[schedule b]\nmemory = no\n",
		"f:4: schedule 'b': 'when' is missing");
	refused("[schedule a]\nwhen = \n", "f:2: when: '' is neither hourly");
	refused("[schedule a]\nwhen = daily 25:00\n", "f:2: when: '25:00' is not a time of day");
	refused("[schedule a]\nwhen = daily\nwhen = daily\n", "f:3: 'when' appears twice");
}

static void values_are_checked_by_key_and_line(void **state)
{
	static const char *const bad[][2] = {
		{"memory = maybe", "f:3: memory: 'maybe' is neither yes nor no"},
		{"quiesce = on", "f:3: quiesce: 'on' is neither yes nor no"},
		{"timezone = Mars/Base", "f:3: timezone: no time zone 'Mars/Base'"},
		{"timezone = ../localtime", "f:3: timezone: '../localtime' is not the name of a time zone"},
		{"keep-last = 0", "f:3: keep-last: '0' is neither a number from 1 to 100000 nor unlimited"},
		{"keep-yearly = 1y", "f:3: keep-yearly: '1y' is neither"},
		{"keep-within = 2x", "f:3: keep-within: '2x': expected numbers with units"},
		{"keep-within = 2", "f:3: keep-within: '2': expected numbers with units"},
		{"keep-within-daily = 2d", "f:3: unknown key 'keep-within-daily'"},
		{"keep-minutely = 2", "f:3: unknown key 'keep-minutely'"},
		{"max-snapshots = 2", "f:3: unknown key 'max-snapshots'"},
		{"disks = /a.img", "f:3: unknown key 'disks'"},
		{"hook-deadline = 0", "f:3: hook-deadline: '0' is not a number from 1 to 86400"},
		{"hook-deadline = 86401", "f:3: hook-deadline: '86401' is not a number"},
		{"keep-last = 1\nkeep-last = 1", "f:4: 'keep-last' appears twice"},
		{"memory = yes\nquiesce = yes", "f:1: schedule 'a': memory and quiesce cannot both be yes"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[schedule a]\nwhen = daily\n%s\n", bad[i][0]);
		refused(text, bad[i][1]);
	}
}

static void keys_of_schedules_stand_in_schedules_only(void **state)
{
	(void)state;
	refused("[snapfs]\nwhen = daily\n", "f:2: unknown key 'when'");
	refused("[vm web]\nkeep-last = 3\n", "f:2: unknown key 'keep-last'");
}

/* Patterns, a VM, and whether they match it. */
static void patterns_say_which_vms(void **state)
{
	static const struct {
		const char *vms, *vm;
		bool taken;
	} cases[] = {
		{"*", "web", true},
		{"web", "web", true},
		{"web", "web2", false},
		{"web*", "web2", true},
		{"web?", "web", false},
		{"[a-d]b", "db", true},
		{"web,db", "db", true},
		{"web,db", "web", true},
		{"web db", "db", true},
		{"web ,\tdb  mail", "mail", true},
		{"web,db", "mail", false},
		{"!web", "web", false},
		{"!web", "db", true},
		{"!web*, !db", "db", false},
		{"web*, !web-test", "web-test", false},
		{"web*, !web-test", "web-1", true},
		{"!web-test, web*", "web-test", false},
		{"!web-test, web*", "web-1", true},
		{"!web-test, web*", "db", false},
		{"Web", "web", false},
		{"\\*", "*", true},
		{"\\*", "web", false},
		{"\\!web", "!web", true},
		{"web[a\\-c]", "web-", true},
		{"web[a\\-c]", "webb", false},
		{"web[\"^\"a]", "weba", true},
		{"web[\"^\"a]", "webb", false},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sf_config config;

		(void)snprintf(text, sizeof(text), "[schedule a]\nwhen = daily\nvms = %s\n", cases[i].vms);
		config = parsed(text);
		if (sf_schedule_takes(&config.schedules[0], cases[i].vm) != cases[i].taken)
			fail_msg("'%s' and '%s'", cases[i].vms, cases[i].vm);
		sf_config_fini(&config);
	}
}

static void an_item_may_match_no_vm(void **state)
{
	char web[] = "web", db[] = "my db", *vms[] = {web, db}, name[SF_NAME_MAX + 1];

	(void)state;
	assert_false(sf_schedule_item_matches_none("web", vms, 2));
	assert_false(sf_schedule_item_matches_none("w*", vms, 2));
	assert_false(sf_schedule_item_matches_none("my?db", vms, 2));
	assert_false(sf_schedule_item_matches_none("!web", vms, 2));
	assert_true(sf_schedule_item_matches_none("webb", vms, 2));
	assert_true(sf_schedule_item_matches_none("x*", vms, 2));
	assert_true(sf_schedule_item_matches_none("!x", vms, 2));
	assert_true(sf_schedule_item_matches_none("web", vms, 0));
	assert_true(sf_schedule_item_is_name("webb", name));
	assert_false(sf_schedule_item_is_name("my?db", name));
	assert_false(sf_schedule_item_is_name("w*", name));
	assert_false(sf_schedule_item_is_name("[ab]", name));
	assert_false(sf_schedule_item_is_name("!web", name));
	assert_true(sf_schedule_item_is_name("web\\[1\\]\\-\\!", name));
	assert_string_equal(name, "web[1]-!");
	assert_false(sf_schedule_item_is_name("web\\[1\\]*", name));
}

static void a_schedule_without_patterns_takes_all(void **state)
{
	struct sf_config config = parsed("[schedule a]\nwhen = daily\n");

	(void)state;
	assert_true(sf_schedule_takes(&config.schedules[0], "web"));
	sf_config_fini(&config);
}

static void empty_patterns_are_refused(void **state)
{
	static const char *const bad[] = {"", ",", "web,", "web,,db", "!", "web, ! db"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[schedule a]\nwhen = daily\nvms = %s\n", bad[i]);
		refused(text, "f:3: vms: an empty pattern in the list of VMs");
	}
}

/* A value of `pre`, and the expected words joined by |. */
static void commands_are_split_into_words(void **state)
{
	static const char *const commands[][2] = {
		{"/bin/x", "/bin/x|"},
		{"/bin/x a\t b  c", "/bin/x|a|b|c|"},
		{"/bin/x \"a b\" c", "/bin/x|a b|c|"},
		{"/bin/x \"\" c", "/bin/x||c|"},
		{"/bin/x a\" \"b", "/bin/x|a b|"},
		{"/bin/x \"a\"\"b\"", "/bin/x|ab|"},
		{"/bin/x a\\ b", "/bin/x|a b|"},
		{"/bin/x \\\"a\\\\", "/bin/x|\"a\\|"},
		{"/bin/x \"a\\\"b\\\\c\"", "/bin/x|a\"b\\c|"},
		{"/bin/x it\\'s \"it's\"", "/bin/x|it's|it's|"},
		{"\"/opt/a b/x\" c", "/opt/a b/x|c|"},
		{"/bin/x $HOME && rm > `y` * ~", "/bin/x|$HOME|&&|rm|>|`y`|*|~|"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct sf_config config;
		char words[256] = "";

		(void)snprintf(text, sizeof(text), "[schedule a]\nwhen = daily\npre = %s\n", commands[i][0]);
		config = parsed(text);
		for (char **word = config.schedules[0].pre; *word; word++)
			(void)strcat(strcat(words, *word), "|");
		assert_string_equal(words, commands[i][1]);
		sf_config_fini(&config);
	}
}

static void bad_commands_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{"", "pre: '' is not an absolute path"},
		{"x", "pre: 'x' is not an absolute path"},
		{"bin/x /y", "pre: 'bin/x' is not an absolute path"},
		{"\"\" /bin/x", "pre: '' is not an absolute path"},
		{"/bin/x \"a", "pre: unclosed \""},
		{"/bin/x a\\", "pre: a backslash at the end"},
		{"/bin/x \"a\\", "pre: a backslash at the end"},
		{"/bin/x 'a b'", "pre: a ' has no meaning here: use \" or \\'"},
		{"/bin/x it's", "pre: a ' has no meaning here"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[schedule a]\nwhen = daily\npre = %s\n", bad[i][0]);
		refused(text, bad[i][1]);
	}
}

static void words_of_a_command_have_an_end(void **state)
{
	char text[256] = "[schedule a]\nwhen = daily\npost = /";
	struct sf_config config;

	(void)state;
	for (int i = 1; i < SF_HOOK_WORDS_MAX; i++)
		(void)strcat(text, " x");
	config = parsed(text);
	assert_string_equal(config.schedules[0].post[SF_HOOK_WORDS_MAX - 1], "x");
	assert_null(config.schedules[0].post[SF_HOOK_WORDS_MAX]);
	sf_config_fini(&config);
	(void)strcat(text, " x");
	refused_with(text, -E2BIG, "f:3: post: more than 64 words");
}

static void lists_have_an_end(void **state)
{
	size_t size = 64 * 1024;
	char *text = calloc(1, size);

	(void)state;
	assert_non_null(text);
	for (int i = 0; i <= SF_CONFIG_SCHEDULES_MAX; i++)
		(void)snprintf(text + strlen(text), size - strlen(text), "[schedule %d]\nwhen = daily\n", i);
	refused_with(text, -E2BIG, "f:513: more than 256 schedules");
	(void)snprintf(text, size, "[schedule a]\nwhen = daily\n");
	for (int i = 0; i <= SF_SCHEDULE_VMS_MAX; i++)
		(void)snprintf(text + strlen(text), size - strlen(text), "vms = %d\n", i);
	refused_with(text, -E2BIG, "f:259: vms: more than 256 patterns");
	free(text);
}

static void the_nearest_time_zone_counts(void **state)
{
	struct sf_config config =
		parsed("[vm early]\n[snapfs]\ntimezone = Asia/Kolkata\n[vm web]\ntimezone = UTC\n"
		       "[schedule a]\nwhen = daily\ntimezone = Europe/Berlin\n"
		       "[schedule b]\nwhen = daily\n");
	const struct sf_schedule_config *a = &config.schedules[0], *b = &config.schedules[1];

	(void)state;
	assert_string_equal(sf_config_timezone(&config, a, "web"), "Europe/Berlin");
	assert_string_equal(sf_config_timezone(&config, a, NULL), "Europe/Berlin");
	assert_string_equal(sf_config_timezone(&config, b, "web"), "UTC");
	assert_string_equal(sf_config_timezone(&config, b, "db"), "Asia/Kolkata");
	assert_string_equal(sf_config_timezone(&config, b, NULL), "Asia/Kolkata");
	assert_string_equal(sf_config_timezone(&config, NULL, "web"), "UTC");
	assert_string_equal(sf_config_timezone(&config, NULL, NULL), "Asia/Kolkata");
	assert_null(sf_config_timezone(&config, b, "early")); /* a default applies to what follows it */
	sf_config_fini(&config);
	config = parsed("[schedule b]\nwhen = daily\n");
	assert_null(sf_config_timezone(&config, &config.schedules[0], "web"));
	sf_config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_is_all_a_schedule_needs),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(the_keys_of_each_schedule_are_its_own),
		cmocka_unit_test(names_may_be_quoted),
		cmocka_unit_test(names_are_names),
		cmocka_unit_test(a_schedule_without_when_is_refused),
		cmocka_unit_test(values_are_checked_by_key_and_line),
		cmocka_unit_test(keys_of_schedules_stand_in_schedules_only),
		cmocka_unit_test(patterns_say_which_vms),
		cmocka_unit_test(an_item_may_match_no_vm),
		cmocka_unit_test(a_schedule_without_patterns_takes_all),
		cmocka_unit_test(empty_patterns_are_refused),
		cmocka_unit_test(commands_are_split_into_words),
		cmocka_unit_test(bad_commands_are_refused),
		cmocka_unit_test(words_of_a_command_have_an_end),
		cmocka_unit_test(lists_have_an_end),
		cmocka_unit_test(the_nearest_time_zone_counts),
	};

	return cmocka_run_group_tests_name("config_schedule", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar that all values share: quotes, escapes, comments, lists and durations. */
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
		fail_msg("%s: %s", text, err.text);
	return config;
}

static void refused(const char *text, const char *why)
{
	struct sf_config config;
	struct sf_err err = {0};

	sf_config_init(&config);
	assert_int_equal(sf_config_parse(&config, "f", text, strlen(text), &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("%s: '%s' does not say '%s'", text, err.text, why);
	sf_config_fini(&config);
}

static void names_of_all_sections_may_be_quoted(void **state)
{
	struct sf_config config =
		parsed("[vm \"my vm\"]\n[vm  plain one ]\n[vm \"a] # b\"] # c\n[vm \\#\\ x]\n"
		       "[schedule \"my schedule\"]\nwhen = daily\n");

	(void)state;
	assert_int_equal(config.nvms, 4);
	assert_string_equal(config.vms[0].name, "my vm");
	assert_string_equal(config.vms[1].name, "plain one");
	assert_string_equal(config.vms[2].name, "a] # b");
	assert_string_equal(config.vms[3].name, "# x");
	assert_string_equal(config.schedules[0].name, "my schedule");
	sf_config_fini(&config);
	refused("[vm \"a]\n", "f:1: not a section: [vm \"a] (close every \"");
	refused("[vm a #2]\n",
		"f:1: not a section: [vm a (close every \", and quote names that contain #, ; or ])");
	refused("[vm bob's]\n", "f:1: [vm bob's]: a ' has no meaning here: use \" or \\'");
	refused("[vm a]\n[vm \"a\"]\n", "f:2: section [vm a] appears twice");
}

/* A line of [vm a], and its disks joined by |. */
static void disks_are_a_list(void **state)
{
	static const char *const lines[][2] = {
		{"disks = /a.img # boot", "/a.img|"},
		{"disks = /a.img ; boot", "/a.img|"},
		{"disks = /a.img\t#boot, /b.img", "/a.img|"},
		{"disks = /a#1.img, /b;2.img", "/a#1.img|/b;2.img|"},
		{"disks = \"/a #1.img\" , /b.img # \"two\"", "/a #1.img|/b.img|"},
		{"disks = /a\\ \\#1.img", "/a #1.img|"},
		{"disks = \"/a, b.img\",/c.img", "/a, b.img|/c.img|"},
		{"disks = /a\\, b.img", "/a, b.img|"},
		{"disks = /two words.img , mem:1M", "/two words.img|mem:1M|"},
		{"disks = /\"quoted part\".img", "/quoted part.img|"},
		{"disks = \"/\\\"a\\\\.img \"", "/\"a\\.img |"},
		{"disks: /a=b:c.img", "/a=b:c.img|"},
		{"disks = \"/it's.img\", /it\\'s.iso", "/it's.img|/it's.iso|"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char text[256], disks[256] = "";
		struct sf_config config;

		(void)snprintf(text, sizeof(text), "[vm a]\n%s\n", lines[i][0]);
		config = parsed(text);
		for (size_t j = 0; j < config.vms[0].ndisks; j++)
			(void)strcat(strcat(disks, config.vms[0].disks[j].spec), "|");
		assert_string_equal(disks, lines[i][1]);
		sf_config_fini(&config);
	}
}

static void what_the_grammar_does_not_know_is_refused_with_advice(void **state)
{
	(void)state;
	refused("[vm a]\ndisks = \"/a.img\n", "f:2: disks: unclosed \"");
	refused("[vm a]\ndisks = /dev/disk/by-label/a\\x20b\n",
		"f:2: disks: a backslash before 'x' has no meaning: write \\\\ for a backslash");
	refused("[vm a]\ndisks = \"/a\\x20b\"\n", "f:2: disks: a backslash before 'x'");
	refused("[vm a]\ndisks = /a.img\\\n", "f:2: disks: a backslash at the end");
	refused("[vm a]\ndisks = '/a.img'\n", "f:2: disks: a ' has no meaning here: use \" or \\'");
	refused("[vm a]\ndisks = \"\"\n", "f:2: disks: an empty disk");
	refused("[snapfs]\nstate = '/var'\n", "f:2: state: a ' has no meaning here");
	refused("[snapfs]\nstate # = /var\n", "f:2: neither a [section] nor KEY = VALUE");
}

static void scalars_have_quotes_and_comments_too(void **state)
{
	struct sf_config config = parsed("[snapfs]\nstate = \"/srv/my # state\" # here\nmemory = \"no\"\t#\n"
					 "hypervisor = none # for now\n[xen]\nconfigs = /srv/xen, too\n"
					 "[schedule a]\nwhen = \"daily 02:30\" # at night\n"
					 "vms = web # db\npre = /bin/x \"a ; b\" c#d # e\n");
	const struct sf_schedule_config *schedule = &config.schedules[0];

	(void)state;
	assert_string_equal(config.state_dir, "/srv/my # state");
	assert_false(config.policy.memory);
	assert_string_equal(config.hypervisor, "none");
	assert_string_equal(config.xen.configs, "/srv/xen, too");
	assert_string_equal(schedule->when_text, "daily 02:30");
	assert_int_equal(schedule->nvms, 1);
	assert_string_equal(schedule->pre[1], "a ; b");
	assert_string_equal(schedule->pre[2], "c#d");
	assert_null(schedule->pre[3]);
	sf_config_fini(&config);
}

/* What is protected in a pattern stands for itself. */
static void quoted_patterns_are_literal(void **state)
{
	static const struct {
		const char *vms, *vm;
		bool taken;
	} cases[] = {
		{"\"my vm\"", "my vm", true},   {"\"my vm\"", "my", false},
		{"my\\ vm, db", "my vm", true}, {"\"web*\"", "web*", true},
		{"\"web*\"", "web1", false},    {"\"my vm\"*", "my vm 2", true},
		{"!\"my vm\"", "my vm", false}, {"!\"my vm\"", "db", true},
		{"\"!web\"", "!web", true},     {"\"a,b\"", "a,b", true},
		{"\"größe?\"", "größe?", true}, {"\"größe?\"", "größe1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sf_config config;
		char text[256];

		(void)snprintf(text, sizeof(text), "[schedule a]\nwhen = daily\nvms = %s\n", cases[i].vms);
		config = parsed(text);
		if (sf_schedule_takes(&config.schedules[0], cases[i].vm) != cases[i].taken)
			fail_msg("'%s' and '%s'", cases[i].vms, cases[i].vm);
		sf_config_fini(&config);
	}
}

static void durations_are_the_same_everywhere(void **state)
{
	struct sf_config config =
		parsed("[snapfs]\npause-deadline = 1min30s\n[lvm]\ndeadline = 1h\nidle = 0s\n"
		       "[xen]\ndeadline = 1d\n[schedule a]\nwhen = every 30min\n"
		       "keep-within = 1y6mo2w3d12h30min\nhook-deadline = 90\n");
	const struct sf_schedule_config *schedule = &config.schedules[0];

	(void)state;
	assert_int_equal(config.policy.pause_deadline_ms, 90 * 1000);
	assert_int_equal(config.lvm.deadline_ms, 3600 * 1000);
	assert_int_equal(config.lvm.idle_ms, 0);
	assert_int_equal(config.xen.deadline_ms, 86400 * 1000);
	assert_int_equal(schedule->keep.within.months, 6);
	assert_int_equal(schedule->keep.within.minutes, 30);
	assert_int_equal(schedule->hook_deadline_ms, 90 * 1000);
	sf_config_fini(&config);
	refused("[snapfs]\npause-deadline = 5m\n", "pause-deadline: '5m': 5m: m could be minutes or months");
	refused("[snapfs]\npause-deadline = 2h\n", "'2h' is not a time from 1 to 3600 seconds");
	refused("[lvm]\ndeadline = 0s\n", "'0s' is not a time from 1 to 3600 seconds");
	refused("[schedule a]\nwhen = daily\nkeep-within = 0d\n", "keep-within: '0d': zero keeps nothing");
	refused("[xen]\ndeadline = 1mo\n", "'1mo' is not a time from 1 to 86400 seconds");
	refused("[schedule a]\nwhen = every 30m\n", "m could be minutes or months: write every 30min");
	refused("[schedule a]\nkeep-within = 5m\n", "m could be minutes or months: write 5min or 5mo");
}

static void the_command_line_has_the_same_lists(void **state)
{
	struct sf_config config = parsed("");
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(sf_config_add_vm(&config, "my vm=\"/a, b.img\",/c\\,d.img , /e #f.img", NULL), 0);
	assert_string_equal(config.vms[0].name, "my vm");
	assert_int_equal(config.vms[0].ndisks, 3);
	assert_string_equal(config.vms[0].disks[0].spec, "/a, b.img");
	assert_string_equal(config.vms[0].disks[1].spec, "/c,d.img");
	assert_string_equal(config.vms[0].disks[2].spec, "/e #f.img"); /* comments are for files */
	assert_int_equal(sf_config_add_vm(&config, "b=\"/a", &err), -EINVAL);
	assert_string_equal(err.text, "VM 'b': unclosed \"");
	sf_config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_all_sections_may_be_quoted),
		cmocka_unit_test(disks_are_a_list),
		cmocka_unit_test(what_the_grammar_does_not_know_is_refused_with_advice),
		cmocka_unit_test(scalars_have_quotes_and_comments_too),
		cmocka_unit_test(quoted_patterns_are_literal),
		cmocka_unit_test(durations_are_the_same_everywhere),
		cmocka_unit_test(the_command_line_has_the_same_lists),
	};

	return cmocka_run_group_tests_name("config_grammar", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "face/control.h"

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

static void says(const struct sf_err *err, const char *why)
{
	if (!strstr(err->text, why))
		fail_msg("'%s' does not say '%s'", err->text, why);
}

/* --- revert --- */

static struct sf_revert_request reverted(const char *text)
{
	struct sf_revert_request request;
	bool given = false;

	assert_int_equal(sf_control_parse_revert(text, strlen(text), &request, &given, NULL), 0);
	assert_true(given);
	return request;
}

static void revert_refused(const char *text, size_t len, const char *why)
{
	struct sf_revert_request request = {.discard = true};
	struct sf_err err = {0};
	bool given = true;

	assert_int_equal(sf_control_parse_revert(text, len, &request, &given, &err), -EINVAL);
	says(&err, why);
	assert_true(request.discard && given);
}

static void each_word_means_its_power_state(void **state)
{
	(void)state;
	assert_false(reverted("yes\n").power_given);
	assert_true(reverted("paused").power_given);
	assert_int_equal(reverted("paused").power, SF_POWER_PAUSED);
	assert_int_equal(reverted(" running \n").power, SF_POWER_RUNNING);
	assert_int_equal(reverted("\toff").power, SF_POWER_OFF);
	assert_false(reverted("off").discard);
}

static void discard_is_the_second_word(void **state)
{
	(void)state;
	assert_true(reverted("yes discard\n").discard);
	assert_true(reverted("off \t discard ").discard);
	revert_refused("discard", 7, "'discard' is not one of yes, paused, running, off");
	revert_refused("yes discard now", 15, "'discard now' is not discard");
	revert_refused("yes please", 10, "'please' is not discard");
}

static void nothing_but_blanks_does_nothing(void **state)
{
	static const char *const texts[] = {"", "\n", " \t\r\n\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sf_revert_request request;
		bool given = true;

		assert_int_equal(sf_control_parse_revert(texts[i], strlen(texts[i]), &request, &given, NULL),
				 0);
		assert_false(given);
	}
}

static void other_words_are_refused(void **state)
{
	(void)state;
	revert_refused("no", 2, "'no' is not one of");
	revert_refused("YES", 3, "'YES' is not one of");
	revert_refused("unknown", 7, "'unknown' is not one of");
	revert_refused("yes\nyes", 7, "'yes?yes' is not one of");
	revert_refused("yes\0", 4, "NUL byte");
}

static void junk_is_quoted_harmlessly_and_cut(void **state)
{
	struct sf_revert_request request;
	struct sf_err err = {0};
	char junk[100];
	bool given;

	(void)state;
	memset(junk, '\x1b', sizeof(junk));
	assert_int_equal(sf_control_parse_revert(junk, sizeof(junk), &request, &given, &err), -EINVAL);
	assert_null(strchr(err.text, '\x1b'));
	says(&err, "????...'");
	assert_true(strlen(err.text) < 100);
}

static void more_than_64_kib_is_refused(void **state)
{
	char *text = malloc(SF_CONTROL_BYTES_MAX + 1);
	struct sf_control_create create;
	bool given = true;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', SF_CONTROL_BYTES_MAX + 1);
	revert_refused(text, SF_CONTROL_BYTES_MAX + 1, "the command is longer than 65536 bytes");
	assert_int_equal(sf_control_parse_create(text, SF_CONTROL_BYTES_MAX, &create, &given, NULL), 0);
	assert_false(given);
	free(text);
}

/* --- .create --- */

static void create_refused(const char *text, int rc, const char *why)
{
	struct sf_control_create create;
	struct sf_err err = {0};
	bool given;

	assert_int_equal(sf_control_parse_create(text, strlen(text), &create, &given, &err), rc);
	says(&err, why);
}

static void every_key_is_taken(void **state)
{
	static const char text[] = "{\"name\": \"größe 1\", \"memory\": true, \"quiesce\": false,"
				   " \"disks\": [\"vda\", \"vdc\"], \"description\": \"two\\nlines\"}\n";
	struct sf_control_create create;
	bool given = false;

	(void)state;
	assert_int_equal(sf_control_parse_create(text, strlen(text), &create, &given, NULL), 0);
	assert_true(given);
	assert_string_equal(create.request.name, "größe 1");
	assert_int_equal(create.request.memory, SF_YES);
	assert_int_equal(create.request.quiesce, SF_NO);
	assert_int_equal(create.request.ndisks, 2);
	assert_string_equal(create.request.disks[1], "vdc");
	assert_string_equal(create.request.description, "two\nlines");
}

static void an_empty_object_leaves_all_to_policy(void **state)
{
	struct sf_control_create create;
	bool given = false;

	(void)state;
	assert_int_equal(sf_control_parse_create("{}", 2, &create, &given, NULL), 0);
	assert_true(given);
	assert_string_equal(create.request.name, "");
	assert_int_equal(create.request.memory, SF_POLICY);
	assert_int_equal(create.request.quiesce, SF_POLICY);
	assert_null(create.request.disks);
	assert_null(create.request.description);
}

static void wrong_keys_and_types_are_refused_by_name(void **state)
{
	(void)state;
	create_refused("{\"nam\": \"x\"}", -EINVAL, "'nam' is not one of name, memory, disks");
	create_refused("{\"\\u001b[2J\": 1}", -EINVAL, "'?[2J' is not one of");
	create_refused("{\"name\": 7}", -EINVAL, "\"name\" is not a string");
	create_refused("{\"name\": null}", -EINVAL, "\"name\" is not a string");
	create_refused("{\"memory\": \"yes\"}", -EINVAL, "\"memory\"");
	create_refused("{\"memory\": null}", -EINVAL, "\"memory\"");
	create_refused("{\"quiesce\": 1}", -EINVAL, "\"quiesce\"");
	create_refused("{\"description\": []}", -EINVAL, "\"description\"");
	create_refused("{\"disks\": \"vda\"}", -EINVAL, "\"disks\" is not a list");
	create_refused("{\"disks\": []}", -EINVAL, "\"disks\" is not a list of 1 to 64");
	create_refused("{\"disks\": [1]}", -EINVAL, "an item of \"disks\" is not the name of a disk");
	create_refused("{\"disks\": [\"../x\"]}", -EINVAL, "an item of \"disks\" is not the name of a disk");
	create_refused("{\"disks\": [\"vda\", \"vda\"]}", -EINVAL, "\"disks\" names 'vda' twice");
}

static void what_is_not_one_object_is_refused(void **state)
{
	(void)state;
	create_refused("junk", -EINVAL, "not valid JSON");
	create_refused("[]", -EINVAL, "not a JSON object");
	create_refused("{}{}", -EINVAL, "not valid JSON");
	create_refused("{\"memory\": true, \"memory\": false}", -EINVAL, "duplicate");
	create_refused("{\"name\": \"a\\u0000b\"}", -EINVAL, "not valid JSON");
	create_refused("{\"name\": \"\xff\"}", -EINVAL, "not valid JSON");
}

static void names_follow_the_rules(void **state)
{
	char text[200] = "{\"name\": \"";

	(void)state;
	create_refused("{\"name\": \"\"}", -EINVAL, "\"name\": the name is empty");
	create_refused("{\"name\": \"a/b\"}", -EINVAL, "\"name\": the name contains '/'");
	create_refused("{\"name\": \"..\"}", -EINVAL, "\"name\": the name starts with '.'");
	memset(text + strlen(text), 'n', 128);
	(void)strcat(text, "\"}");
	create_refused(text, -ENAMETOOLONG, "\"name\": the name is longer than 127 bytes");
}

static void a_long_description_is_refused(void **state)
{
	char text[SF_DESCRIPTION_MAX + 100] = "{\"description\": \"";

	(void)state;
	memset(text + strlen(text), 'd', SF_DESCRIPTION_MAX + 1);
	(void)strcat(text, "\"}");
	create_refused(text, -EINVAL, "\"description\" is longer than 4000 bytes");
}

/* --- .manifest --- */

static void a_manifest_may_have_blanks_around_it(void **state)
{
	static const char text[] = " {\"schema\": 1, \"files\": [{\"name\": \"disk.img\", \"size_bytes\": 7,"
				   " \"xxh3_128\": \"000102030405060708090a0b0c0d0e0f\"}]}\n\n";
	struct sf_manifest manifest;
	bool given = false;

	(void)state;
	assert_int_equal(sf_control_parse_manifest(text, strlen(text), &manifest, &given, NULL), 0);
	assert_true(given);
	assert_int_equal(manifest.n, 1);
	assert_int_equal(sf_control_parse_manifest("\n", 1, &manifest, &given, NULL), 0);
	assert_false(given);
}

static void other_writes_are_no_manifest(void **state)
{
	struct sf_manifest manifest;
	struct sf_err err = {0};
	bool given = false;

	(void)state;
	assert_int_equal(sf_control_parse_manifest("yes", 3, &manifest, &given, &err), -EINVAL);
	says(&err, "the manifest is not valid JSON");
	assert_int_equal(sf_control_parse_manifest("{}\0", 3, &manifest, &given, &err), -EINVAL);
	says(&err, "NUL byte");
	assert_false(given);
}

/* --- .snapfs/run --- */

static struct sf_control_run commanded(const char *text)
{
	struct sf_control_run run;
	struct sf_err err = {0};
	bool given = false;

	if (sf_control_parse_run(text, strlen(text), &run, &given, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_true(given);
	return run;
}

static void run_refused(const char *text, int rc, const char *why)
{
	struct sf_control_run run;
	struct sf_err err = {0};
	bool given = false;

	assert_int_equal(sf_control_parse_run(text, strlen(text), &run, &given, &err), rc);
	says(&err, why);
	assert_false(given);
}

static void a_run_is_begun_ended_and_forgotten(void **state)
{
	struct sf_control_run run = commanded(" {\"schedule\": \"größe 1\"}\n");

	(void)state;
	assert_int_equal(run.command, SF_RUN_BEGIN);
	assert_string_equal(run.request.schedule, "größe 1");
	assert_int_equal(run.request.due_ns, 0);
	run = commanded("{\"due\": 1700000000, \"schedule\": \"n\"}");
	assert_true(run.request.due_ns == 1700000000ULL * 1000000000);
	run = commanded("{\"result\": \"partly\", \"text\": \"web: full\", \"created\": 1, \"deleted\": 2, "
			"\"failed\": 3}");
	assert_int_equal(run.command, SF_RUN_END);
	assert_int_equal(run.result.state, SF_RUN_PARTLY);
	assert_string_equal(run.result.text, "web: full");
	assert_int_equal(run.result.created, 1);
	assert_int_equal(run.result.deleted, 2);
	assert_int_equal(run.result.failed, 3);
	assert_int_equal(commanded("{\"result\": \"ok\"}").result.state, SF_RUN_OK);
	assert_int_equal(commanded("{\"result\": \"failed\"}").result.state, SF_RUN_FAILED);
	run = commanded("{\"forget\": \"n\"}");
	assert_int_equal(run.command, SF_RUN_FORGET);
	assert_string_equal(run.request.schedule, "n");
}

static void blanks_are_no_run(void **state)
{
	struct sf_control_run run;
	bool given = true;

	(void)state;
	assert_int_equal(sf_control_parse_run(" \n", 2, &run, &given, NULL), 0);
	assert_false(given);
}

static void runs_are_refused_by_key(void **state)
{
	(void)state;
	run_refused("{}", -EINVAL, "one of \"schedule\", \"result\", \"forget\" is required");
	run_refused("[]", -EINVAL, ".snapfs/run is not a JSON object");
	run_refused("{\"schedule\": \"n\"", -EINVAL, ".snapfs/run is not valid JSON");
	run_refused("{\"schedule\": \"n\"} x", -EINVAL, ".snapfs/run is not valid JSON");
	run_refused("{\"schedule\": 7}", -EINVAL, "\"schedule\" is not a string");
	run_refused("{\"schedule\": \"\"}", -EINVAL, "\"schedule\": the name is empty");
	run_refused("{\"schedule\": \"../x\"}", -EINVAL, "\"schedule\": the name starts with '.'");
	run_refused("{\"schedule\": \"n\", \"dew\": 1}", -EINVAL, "'dew' is not one of schedule, due");
	run_refused("{\"schedule\": \"n\", \"result\": \"ok\"}", -EINVAL, "'result' is not one of");
	run_refused("{\"schedule\": \"n\", \"due\": \"now\"}", -EINVAL, "\"due\"");
	run_refused("{\"schedule\": \"n\", \"due\": 1.5}", -EINVAL, "\"due\"");
	run_refused("{\"schedule\": \"n\", \"due\": 0}", -EINVAL, "\"due\" is not a time");
	run_refused("{\"schedule\": \"n\", \"due\": 13569465600}", -EINVAL, "before the year 2400");
	assert_true(commanded("{\"schedule\": \"n\", \"due\": 13569465599}").request.due_ns > 0);
	run_refused("{\"result\": \"running\"}", -EINVAL, "\"result\" is not one of ok, partly, failed");
	run_refused("{\"result\": 1}", -EINVAL, "\"result\" is not one of");
	run_refused("{\"result\": \"ok\", \"text\": 7}", -EINVAL, "\"text\": it is not a string");
	run_refused("{\"result\": \"ok\", \"text\": \"a\\nb\"}", -EINVAL,
		    "\"text\": the text is not one line");
	run_refused("{\"result\": \"ok\", \"created\": -1}", -EINVAL, "\"created\"");
	run_refused("{\"result\": \"ok\", \"deleted\": \"1\"}", -EINVAL, "\"deleted\"");
	run_refused("{\"result\": \"ok\", \"failed\": null}", -EINVAL, "\"failed\"");
	run_refused("{\"result\": \"ok\", \"why\": 1}", -EINVAL, "'why' is not one of result, text,");
	run_refused("{\"forget\": \"n\", \"due\": 1}", -EINVAL,
		    "'due' is not forget, which takes no other keys");
	run_refused("{\"forget\": []}", -EINVAL, "\"forget\" is not a string");
}

static void a_long_text_is_refused(void **state)
{
	char text[SF_RUN_TEXT_MAX + 100] = "{\"result\": \"ok\", \"text\": \"";

	(void)state;
	memset(text + strlen(text), 't', SF_RUN_TEXT_MAX + 1);
	(void)strcat(text, "\"}");
	run_refused(text, -E2BIG, "\"text\": the text is longer than 1000 bytes");
}

/* --- hold --- */

static void hold_takes_yes_and_no(void **state)
{
	bool held = false;

	(void)state;
	assert_int_equal(sf_control_parse_hold("", 0, &held, NULL), 0);
	assert_true(held);
	assert_int_equal(sf_control_parse_hold("0", 1, &held, NULL), 0);
	assert_false(held);
	assert_int_equal(sf_control_parse_hold("yes", 3, &held, NULL), 0);
	assert_true(held);
	assert_int_equal(sf_control_parse_hold("no", 2, &held, NULL), 0);
	assert_false(held);
	assert_int_equal(sf_control_parse_hold("1", 1, &held, NULL), 0);
	assert_true(held);
}

static void hold_refuses_the_rest(void **state)
{
	static const char *const values[] = {"maybe", "yes\n", "11", "y"};
	struct sf_err err = {0};
	char junk[500];
	bool held = true;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		assert_int_equal(sf_control_parse_hold(values[i], strlen(values[i]), &held, &err), -EINVAL);
		says(&err, "is not one of 1, yes, 0, no");
	}
	assert_int_equal(sf_control_parse_hold("yes\0", 4, &held, &err), -EINVAL);
	memset(junk, 'x', sizeof(junk));
	assert_int_equal(sf_control_parse_hold(junk, sizeof(junk), &held, &err), -EINVAL);
	says(&err, "xx...'");
	assert_true(held);
}

/* --- outcomes --- */

static void an_outcome_is_one_line_of_json(void **state)
{
	struct sf_err err = {.code = -ENOSPC, .text = "pool \"p\" is full\n\xff"};
	char *good = sf_control_outcome("web", "größe", "", 0, NULL);
	char *bad = sf_control_outcome("web", "", "not of interest now", -ENOSPC, &err);
	char *done = sf_control_run_outcome(0, NULL), *undone = sf_control_run_outcome(-ENOSPC, &err);
	char *noted = sf_control_outcome("web", "a", "half a store\xc3", 0, NULL);

	(void)state;
	assert_string_equal(good, "{\"ok\":true,\"vm\":\"web\",\"name\":\"größe\",\"path\":\"web/größe\"}\n");
	assert_string_equal(bad,
			    "{\"ok\":false,\"errno\":\"ENOSPC\",\"error\":\"pool \\\"p\\\" is full\\n?\"}\n");
	assert_string_equal(noted, "{\"ok\":true,\"vm\":\"web\",\"name\":\"a\",\"path\":\"web/"
				   "a\",\"note\":\"half a store?\"}\n");
	free(good);
	free(bad);
	free(noted);
	assert_string_equal(done, "{\"ok\":true}\n");
	assert_string_equal(undone,
			    "{\"ok\":false,\"errno\":\"ENOSPC\",\"error\":\"pool \\\"p\\\" is full\\n?\"}\n");
	free(done);
	free(undone);
}

static void yes_deletes_and_forget_forgets(void **state)
{
	struct sf_err err = {0};
	bool given = false, forget = true;

	(void)state;
	assert_int_equal(sf_control_parse_delete("yes\n", 4, &forget, &given, &err), 0);
	assert_true(given);
	assert_false(forget);
	assert_int_equal(sf_control_parse_delete(" forget ", 8, &forget, &given, &err), 0);
	assert_true(given && forget);
	assert_int_equal(sf_control_parse_delete(" \n", 2, &forget, &given, &err), 0);
	assert_false(given);
	assert_int_equal(sf_control_parse_delete("no", 2, &forget, &given, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'no' is neither yes nor forget"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_word_means_its_power_state),
		cmocka_unit_test(discard_is_the_second_word),
		cmocka_unit_test(nothing_but_blanks_does_nothing),
		cmocka_unit_test(other_words_are_refused),
		cmocka_unit_test(junk_is_quoted_harmlessly_and_cut),
		cmocka_unit_test(more_than_64_kib_is_refused),
		cmocka_unit_test(every_key_is_taken),
		cmocka_unit_test(an_empty_object_leaves_all_to_policy),
		cmocka_unit_test(wrong_keys_and_types_are_refused_by_name),
		cmocka_unit_test(what_is_not_one_object_is_refused),
		cmocka_unit_test(names_follow_the_rules),
		cmocka_unit_test(a_long_description_is_refused),
		cmocka_unit_test(a_manifest_may_have_blanks_around_it),
		cmocka_unit_test(other_writes_are_no_manifest),
		cmocka_unit_test(a_run_is_begun_ended_and_forgotten),
		cmocka_unit_test(blanks_are_no_run),
		cmocka_unit_test(runs_are_refused_by_key),
		cmocka_unit_test(a_long_text_is_refused),
		cmocka_unit_test(hold_takes_yes_and_no),
		cmocka_unit_test(hold_refuses_the_rest),
		cmocka_unit_test(an_outcome_is_one_line_of_json),
		cmocka_unit_test(yes_deletes_and_forget_forgets),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/state/record.h"

#include "base/clock.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A ready record in the original form of schema 1. Later versions must read it. */
static const char schema_1[] =
	"{\"schema\": 1, \"uuid\": \"00112233445566778899aabbccddeeff\", \"name\": \"clean\", \"state\": "
	"\"ready\",\n"
	" \"vm\": {\"name\": \"web\", \"uuid\": \"\"}, \"taken\": \"2026-11-22T16:39:00.123456789Z\",\n"
	" \"edited\": \"2026-11-22T16:40:00.000000000Z\", \"consistency\": \"offline\", \"power\": \"off\",\n"
	" \"held\": true, \"description\": \"d\\u00e9j\\u00e0 vu\", \"disks\": [{\"vdev\": \"vda\", "
	"\"file\": \"disk.img\",\n"
	" \"storage\": \"file\", \"method\": \"copy\", \"origin\": \"/data/web.img\",\n"
	" \"token\": \"ffeeddccbbaa99887766554433221100\", \"size_bytes\": 1048576, \"allocated_bytes\": "
	"4096}],\n"
	" \"memory\": {\"file\": \"memory.sav\", \"size_bytes\": 7, \"xxh3_128\": "
	"\"0102030405060708090a0b0c0d0e0f10\"}}\n";

static void schema_1_is_read(void **state)
{
	struct sf_record record;
	char text[SF_TIME_TEXT];

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &record, NULL), 0);
	assert_string_equal(record.name, "clean");
	assert_int_equal(record.state, SF_RECORD_READY);
	assert_int_equal(record.ndisks, 1);
	assert_string_equal(record.disks[0].object.origin, "/data/web.img");
	assert_string_equal(record.disks[0].object.vm, "web");
	assert_int_equal(record.disks[0].stat.allocated_bytes, 4096);
	assert_true(record.held);
	assert_true(record.memory.present);
	assert_int_equal(record.memory.xxh3_128[15], 0x10);
	sf_time_format(record.taken_ns, text);
	assert_string_equal(text, "2026-11-22T16:39:00.123456789Z");
	sf_record_fini(&record);
}

/* A file of a snapfs that still called "off" "offline". */
static void offline_is_off(void **state)
{
	static const char path[] = SF_SOURCE_ROOT "/tests/unit/data/meta-offline.json";
	struct sf_record record;
	char *text, *written;
	size_t len;

	(void)state;
	assert_int_equal(sf_durable_read(AT_FDCWD, path, SF_RECORD_BYTES_MAX, &text, &len, NULL), 0);
	assert_non_null(strstr(text, "\"consistency\": \"offline\""));
	assert_int_equal(sf_record_parse(text, len, &record, NULL), 0);
	free(text);
	assert_int_equal(record.consistency, SF_CONSISTENCY_OFF);
	written = sf_record_format(&record, &len);
	assert_non_null(strstr(written, "\"consistency\": \"off\""));
	free(written);
	sf_record_fini(&record);
}

static void every_consistency_has_its_word(void **state)
{
	static const char *const words[] = {"crash", "quiesced", "memory", "paused", "off"};
	struct sf_record record;
	char *written, part[64];
	size_t len;

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &record, NULL), 0);
	for (int i = SF_CONSISTENCY_CRASH; i <= SF_CONSISTENCY_OFF; i++) {
		struct sf_record again;

		record.consistency = (enum sf_consistency)i;
		written = sf_record_format(&record, &len);
		(void)snprintf(part, sizeof(part), "\"consistency\": \"%s\"", words[i]);
		assert_non_null(strstr(written, part));
		assert_int_equal(sf_record_parse(written, len, &again, NULL), 0);
		assert_int_equal(again.consistency, i);
		sf_record_fini(&again);
		free(written);
	}
	sf_record_fini(&record);
}

/* Both were added later without a new schema. */
static void the_pause_and_the_host_are_kept(void **state)
{
	struct sf_record record, again;
	char *written;
	size_t len;

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &record, NULL), 0);
	assert_false(record.paused);
	assert_null(record.memory.host);
	written = sf_record_format(&record, &len);
	assert_null(strstr(written, "pause_ms"));
	assert_null(strstr(written, "host"));
	free(written);
	record.paused = true;
	record.pause_ms = 41;
	assert_int_equal(sf_record_set_host(&record.memory, "Xen 4.17; \"cpu\" 0x1~"), 0);
	written = sf_record_format(&record, &len);
	assert_non_null(strstr(written, "\"pause_ms\": 41"));
	assert_int_equal(sf_record_parse(written, len, &again, NULL), 0);
	free(written);
	assert_true(again.paused);
	assert_int_equal(again.pause_ms, 41);
	assert_string_equal(again.memory.host, record.memory.host);
	record.memory.present = false; /* without RAM no host is needed */
	written = sf_record_format(&record, &len);
	assert_null(strstr(written, "Xen"));
	free(written);
	sf_record_fini(&again);
	sf_record_fini(&record);
}

/* "rebuilt" was added later without a new schema. */
static void what_was_rebuilt_says_so(void **state)
{
	static const char *const values[] = {"true", "false", "1"};
	struct sf_record record;
	struct sf_err err = {0};
	char text[sizeof(schema_1) + 40], *written;
	size_t len;

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &record, NULL), 0);
	assert_false(record.rebuilt);
	sf_record_fini(&record);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text), "{\"rebuilt\": %s, %s", values[i], schema_1 + 1);
		assert_int_equal(sf_record_parse(text, strlen(text), &record, NULL), 0);
		assert_int_equal(record.rebuilt, i == 0);
		written = sf_record_format(&record, &len);
		assert_int_equal(strstr(written, "\"rebuilt\": true") != NULL, i == 0);
		assert_int_equal(strstr(written, "rebuilt") != NULL, i == 0);
		free(written);
		sf_record_fini(&record);
	}
	(void)snprintf(text, sizeof(text), "{\"rebuilt\": %s, %s", values[2], schema_1 + 1);
	assert_int_equal(sf_record_parse(text, strlen(text), &record, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"rebuilt\""));
}

/* "left_for" was added later, too. */
static void what_a_revert_left_says_for_what(void **state)
{
	static const char *const values[] = {"\"00112233445566778899aabbccddeeff\"", "\"00\"", "null"};
	struct sf_record record;
	char text[sizeof(schema_1) + 80], *written;
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &record, NULL), 0);
	assert_false(record.left);
	sf_record_fini(&record);
	(void)snprintf(text, sizeof(text), "{\"left_for\": %s, %s", values[0], schema_1 + 1);
	assert_int_equal(sf_record_parse(text, strlen(text), &record, NULL), 0);
	assert_true(record.left);
	assert_int_equal(record.left_for.bytes[15], 0xff);
	written = sf_record_format(&record, NULL);
	assert_non_null(strstr(written, "\"left_for\": \"00112233445566778899aabbccddeeff\""));
	free(written);
	sf_record_fini(&record);
	for (size_t i = 1; i < 3; i++) {
		(void)snprintf(text, sizeof(text), "{\"left_for\": %s, %s", values[i], schema_1 + 1);
		assert_int_equal(sf_record_parse(text, strlen(text), &record, &err), -EINVAL);
		assert_non_null(strstr(err.text, "\"left_for\""));
	}
}

static void what_is_written_is_read_back(void **state)
{
	struct sf_record first, second;
	char *one, *two;
	size_t len;

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &first, NULL), 0);
	first.state = SF_RECORD_CREATING;
	first.leased = true;
	first.memory.present = false;
	one = sf_record_format(&first, &len);
	assert_non_null(one);
	assert_int_equal(len, strlen(one));
	assert_int_equal(sf_record_parse(one, len, &second, NULL), 0);
	assert_true(second.leased);
	two = sf_record_format(&second, &len);
	assert_string_equal(one, two);
	free(one);
	free(two);
	sf_record_fini(&first);
	sf_record_fini(&second);
}

/* Replaces one piece of the valid record, and asserts that it is refused with this reason. */
static void refused(const char *piece, const char *instead, const char *why)
{
	const char *at = strstr(schema_1, piece);
	struct sf_record record;
	struct sf_err err = {0};
	char text[8192];

	assert_non_null(at);
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - schema_1), schema_1, instead,
		       at + strlen(piece));
	assert_int_equal(sf_record_parse(text, strlen(text), &record, &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

/* Only the members that every schema keeps are read. */
static void a_newer_record_says_whose_guest_is_held(void **state)
{
	static const struct {
		const char *text;
		int rc;
		bool leased;
	} cases[] = {
		{"{\"schema\": 2, \"vm\": {\"name\": \"web\", \"uuid\": \"\"}, \"leased\": true}", 0, true},
		{"{\"schema\": 2, \"vm\": {\"name\": \"web\", \"uuid\": \"\"}, \"state\": \"creating\"}", 0,
		 true},
		{"{\"schema\": 2, \"vm\": {\"name\": \"web\", \"uuid\": \"\"}, \"state\": \"creating\", "
		 "\"leased\": false}",
		 0, false},
		{"{\"schema\": 2, \"vm\": {\"name\": \"web\", \"uuid\": \"\"}, \"state\": \"ready\"}", 0,
		 false},
		{"{\"schema\": 2, \"vm\": {\"name\": \"../x\", \"uuid\": \"\"}}", -EINVAL, false},
		{"{\"schema\": 2, \"leased\": true}", -EINVAL, false},
		{"{\"schema\": 2", -EINVAL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sf_newer_record newer = {.leased = false};
		struct sf_record record;
		size_t len = strlen(cases[i].text);

		assert_int_equal(sf_record_parse_newer(cases[i].text, len, &newer, NULL), cases[i].rc);
		assert_int_equal(newer.leased, cases[i].leased);
		if (cases[i].rc == 0)
			assert_int_equal(sf_record_parse(cases[i].text, len, &record, NULL), -EOPNOTSUPP);
	}
}

static void hostile_records_are_refused_by_member(void **state)
{
	(void)state;
	refused("\"schema\": 1", "\"schema\": 0", "\"schema\" is 0");
	refused("\"schema\": 1", "\"schema\": \"1\"", "schema");
	refused("00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeefg", "\"uuid\"");
	refused("\"clean\"", "\"../../etc\"", "starts with '.'");
	refused("\"clean\"", "\"a/b\"", "contains '/'");
	refused("\"clean\"", "7", "\"name\"");
	refused("\"ready\"", "\"nearly\"", "\"state\" has the unknown value 'nearly'");
	refused("16:39:00.123456789Z", "16:39:00Z", "\"taken\"");
	refused("16:39:00.123456789Z", "16:61:00.123456789Z", "\"taken\"");
	refused("\"off\"", "\"sleeping\"", "\"power\"");
	refused("\"held\": true", "\"held\": 1", "\"held\"");
	refused("\"held\": true", "\"held\": true, \"pause_ms\": -1", "\"pause_ms\"");
	refused("\"held\": true", "\"held\": true, \"pause_ms\": null", "\"pause_ms\"");
	refused("\"offline\"", "\"on\"", "\"consistency\" has the unknown value 'on'");
	refused("\"size_bytes\": 7,", "\"size_bytes\": 7, \"host\": 7,", "\"host\"");
	refused("\"size_bytes\": 7,", "\"size_bytes\": 7, \"host\": \"Xen\\u0007\",", "not printable");
	refused("\"size_bytes\": 7,", "\"size_bytes\": 7, \"host\": \"K\\u00f6ln\",", "not printable");
	refused("\"vda\"", "\"../vda\"", "disk's name");
	refused("1048576", "-1", "\"size_bytes\"");
	refused("1048576", "1e30", "\"size_bytes\"");
	refused("\"file\", \"method\"", "\"a storage with a long name\", \"method\"",
		"\"storage\" is longer");
	refused("{\"file\": \"memory.sav\"", "[], \"x\": {\"file\": \"memory.sav\"", "\"memory\"");
	refused("\"held\": true", "\"held\": true, \"held\": false", "duplicate");
	refused("}]", "}, {\"vdev\": \"vda\"}]", "missing");
	refused("\"disks\": [", "\"disks\": [], \"were\": [", "not a list of 1 to");
	refused("\"memory\": {", "\"memory\": {{", "not valid JSON");
}

static void a_token_used_twice_is_refused(void **state)
{
	(void)state;
	refused("}]",
		"}, {\"vdev\": \"vdb\", \"storage\": \"file\", \"method\": \"copy\", \"origin\": \"/b\", "
		"\"token\": \"ffeeddccbbaa99887766554433221100\", \"size_bytes\": 1, \"allocated_bytes\": "
		"0}]",
		"twice");
}

/* n letters in quotes. */
static const char *long_text(char text[static 8192], size_t n)
{
	memset(text, 'x', n + 2);
	text[0] = text[n + 1] = '"';
	text[n + 2] = '\0';
	return text;
}

static void the_longest_texts_are_kept_and_longer_ones_refused(void **state)
{
	static const char origin[] = "\"/data/web.img\"";
	const char *at = strstr(schema_1, origin);
	struct sf_record record;
	char piece[8192], text[8192], *written;
	size_t len;

	(void)state;
	(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - schema_1), schema_1,
		       long_text(piece, SF_ORIGIN_MAX - 1), at + strlen(origin));
	assert_int_equal(sf_record_parse(text, strlen(text), &record, NULL), 0);
	assert_int_equal(strlen(record.disks[0].object.origin), SF_ORIGIN_MAX - 1);
	(void)long_text(text, SF_DESCRIPTION_MAX);
	text[SF_DESCRIPTION_MAX + 1] = '\0';
	assert_int_equal(sf_record_set_description(&record, text + 1), 0);
	written = sf_record_format(&record, &len);
	sf_record_fini(&record);
	assert_int_equal(sf_record_parse(written, len, &record, NULL), 0);
	assert_int_equal(strlen(record.disks[0].object.origin), SF_ORIGIN_MAX - 1);
	assert_string_equal(record.description, text + 1);
	free(written);
	sf_record_fini(&record);
	refused(origin, long_text(piece, SF_ORIGIN_MAX), "\"origin\" is longer than 4095 bytes");
	refused("\"d\\u00e9j\\u00e0 vu\"", long_text(piece, SF_DESCRIPTION_MAX + 1),
		"\"description\" is longer than 4000 bytes");
}

static void a_copy_shares_nothing(void **state)
{
	struct sf_record record, copy;
	char *one, *two;
	size_t len;

	(void)state;
	assert_int_equal(sf_record_parse(schema_1, strlen(schema_1), &record, NULL), 0);
	assert_int_equal(sf_record_set_host(&record.memory, "Xen 4.17"), 0);
	one = sf_record_format(&record, &len);
	assert_int_equal(sf_record_copy(&record, &copy), 0);
	assert_int_equal(sf_record_set_description(&record, ""), 0);
	assert_null(record.description);
	assert_int_equal(sf_record_set_origin(&record.disks[0], "/data/db.img"), 0);
	assert_string_equal(record.disks[0].object.origin, "/data/db.img");
	sf_record_fini(&record);
	two = sf_record_format(&copy, &len);
	assert_string_equal(one, two);
	free(one);
	free(two);
	sf_record_fini(&copy);
}

static void every_torn_prefix_is_refused(void **state)
{
	struct sf_record record;

	(void)state;
	for (size_t len = 0; len + 2 < sizeof(schema_1); len++)
		assert_int_equal(sf_record_parse(schema_1, len, &record, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schema_1_is_read),
		cmocka_unit_test(offline_is_off),
		cmocka_unit_test(every_consistency_has_its_word),
		cmocka_unit_test(the_pause_and_the_host_are_kept),
		cmocka_unit_test(what_was_rebuilt_says_so),
		cmocka_unit_test(what_a_revert_left_says_for_what),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_newer_record_says_whose_guest_is_held),
		cmocka_unit_test(hostile_records_are_refused_by_member),
		cmocka_unit_test(a_token_used_twice_is_refused),
		cmocka_unit_test(the_longest_texts_are_kept_and_longer_ones_refused),
		cmocka_unit_test(a_copy_shares_nothing),
		cmocka_unit_test(every_torn_prefix_is_refused),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

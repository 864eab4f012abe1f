/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/record.h"

#include "base/clock.h"
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

/* A ready record of schema 1 as it was first written: later versions must go on reading it. */
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

/* "rebuilt" came later, without a new schema. */
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

/* Replaces one piece of the good record and expects a refusal that says why. */
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

static void hostile_records_are_refused_by_member(void **state)
{
	(void)state;
	refused("\"schema\": 1", "\"schema\": 2", "\"schema\" is 2");
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
		cmocka_unit_test(what_was_rebuilt_says_so),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(hostile_records_are_refused_by_member),
		cmocka_unit_test(a_token_used_twice_is_refused),
		cmocka_unit_test(every_torn_prefix_is_refused),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}

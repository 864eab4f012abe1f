/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/state/manifest.h"

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

#define HASH_A "000102030405060708090a0b0c0d0e0f"
#define HASH_B "ffeeddccbbaa99887766554433221100"
/* The hash of the RAM in the record below. */
#define HASH_RAM "0102030405060708090a0b0c0d0e0f10"

#define FILE_JSON(name, size, hash)                                                                          \
	"{\"name\": \"" name "\", \"size_bytes\": " size ", \"xxh3_128\": \"" hash "\"}"
#define DISK_A FILE_JSON("disk.img", "1048576", HASH_A)
#define DISK_B FILE_JSON("disk-vdb.img", "4096", HASH_B)
#define RAM    FILE_JSON("memory.sav", "7", HASH_RAM)
/* Two disks and RAM. */
#define WHOLE "{\"schema\": 1, \"files\": [" DISK_A ", " DISK_B ", " RAM "]}"

static const char record_text[] =
	"{\"schema\": 1, \"uuid\": \"00112233445566778899aabbccddeeff\", \"name\": \"clean\", \"state\": "
	"\"ready\","
	"\"vm\": {\"name\": \"web\", \"uuid\": \"\"}, \"taken\": \"2026-11-22T16:39:00.123456789Z\","
	"\"edited\": \"2026-11-22T16:40:00.000000000Z\", \"consistency\": \"memory\", \"power\": \"running\","
	"\"held\": true, \"description\": \"\", \"disks\": [{\"vdev\": \"vda\","
	"\"storage\": \"file\", \"method\": \"copy\", \"origin\": \"/data/web.img\","
	"\"token\": \"ffeeddccbbaa99887766554433221100\", \"size_bytes\": 1048576, \"allocated_bytes\": "
	"4096},"
	"{\"vdev\": \"vdb\", \"storage\": \"file\", \"method\": \"copy\", \"origin\": \"/data/b.img\","
	"\"token\": \"00eeddccbbaa99887766554433221100\", \"size_bytes\": 4096, \"allocated_bytes\": 4096}],"
	"\"memory\": {\"file\": \"memory.sav\", \"size_bytes\": 7, \"xxh3_128\": \"" HASH_RAM "\"}}";

static void says(const struct sf_err *err, const char *why)
{
	if (!strstr(err->text, why))
		fail_msg("'%s' does not say '%s'", err->text, why);
}

static struct sf_manifest parsed(const char *text)
{
	struct sf_manifest manifest;
	struct sf_err err = {0};

	if (sf_manifest_parse(text, strlen(text), &manifest, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return manifest;
}

static void refused(const char *text, const char *why)
{
	struct sf_manifest manifest;
	struct sf_err err = {0};

	assert_int_equal(sf_manifest_parse(text, strlen(text), &manifest, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	says(&err, why);
}

/* Checks the manifest against the record. */
static int checked(const char *text, bool with_memory, struct sf_err *err)
{
	struct sf_manifest manifest = parsed(text);
	struct sf_record record;
	int rc;

	assert_int_equal(sf_record_parse(record_text, strlen(record_text), &record, NULL), 0);
	record.memory.present = with_memory;
	rc = sf_manifest_check(&manifest, &record, err);
	sf_record_fini(&record);
	return rc;
}

static void a_whole_one_is_taken(void **state)
{
	struct sf_manifest manifest = parsed(WHOLE);

	(void)state;
	assert_int_equal(manifest.n, 3);
	assert_string_equal(manifest.files[1].name, "disk-vdb.img");
	assert_int_equal(manifest.files[1].size_bytes, 4096);
	assert_int_equal(manifest.files[1].xxh3_128.bytes[0], 0xff);
	assert_int_equal(checked(WHOLE, true, NULL), 0);
	assert_int_equal(checked("{\"files\": [" RAM ", " DISK_B ", " DISK_A "], \"schema\": 1}", true, NULL),
			 0);
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " DISK_B "]}", false, NULL), 0);
}

static void what_is_malformed_is_refused(void **state)
{
	(void)state;
	refused("", "the manifest is not valid JSON");
	refused("[" DISK_A "]", "the manifest is not a JSON object");
	refused("{\"files\": [" DISK_A "]}", "\"schema\"");
	refused("{\"schema\": 2, \"files\": [" DISK_A "]}", "\"schema\" is 2, this version reads 1");
	refused("{\"schema\": 1}", "\"files\" is not a list of 1 to 65");
	refused("{\"schema\": 1, \"files\": []}", "\"files\" is not a list of 1 to 65");
	refused("{\"schema\": 1, \"files\": {}}", "\"files\" is not a list of 1 to 65");
	refused("{\"schema\": 1, \"files\": [7]}", "an item of \"files\" is not an object");
	refused("{\"schema\": 1, \"files\": [{}]}", "\"name\"");
	refused("{\"schema\": 1, \"files\": [" DISK_A "], \"made\": 1}",
		"unknown member \"made\" in the manifest");
	refused("{\"schema\": 1, \"files\": [{\"name\": \"disk.img\", \"md5\": 1}]}",
		"unknown member \"md5\"");
	refused("{\"schema\": 1, \"files\": [" DISK_A ", " DISK_A "]}", "\"files\" lists 'disk.img' twice");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("disk.img", "-1", HASH_A) "]}", "\"size_bytes\"");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("disk.img", "1.5", HASH_A) "]}", "\"size_bytes\"");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("disk.img", "1", "0123") "]}",
		"is not 32 hex digits");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("disk.img", "1",
							 "g00102030405060708090a0b0c0d0e0f") "]}",
		"is not 32 hex digits");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("disk\\u001b.img", "1", HASH_A) "]}",
		"\"name\" is not the name of a data file");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("../disk.img", "1", HASH_A) "]}",
		"\"name\" is not the name of a data file");
	refused("{\"schema\": 1, \"files\": [" FILE_JSON("disk-0123456789abcdefg.img", "1", HASH_A) "]}",
		"\"name\" is longer than");
}

static void more_files_than_there_can_be_are_refused(void **state)
{
	char text[SF_MANIFEST_BYTES_MAX] = "{\"schema\": 1, \"files\": [";
	size_t at = strlen(text);

	(void)state;
	for (int i = 0; i < SF_MANIFEST_FILES_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s" FILE_JSON("f%d", "1", HASH_A),
				       i ? ", " : "", i);
	(void)snprintf(text + at, sizeof(text) - at, "]}");
	assert_int_equal(parsed(text).n, SF_MANIFEST_FILES_MAX);
	(void)snprintf(text + at, sizeof(text) - at, ", " DISK_A "]}");
	refused(text, "\"files\" is not a list of 1 to 65");
}

static void one_of_other_files_is_refused(void **state)
{
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " RAM "]}", true, &err), -EINVAL);
	says(&err, "the manifest lacks disk-vdb.img");
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " DISK_B "]}", true, &err),
			 -EINVAL);
	says(&err, "the manifest lacks memory.sav");
	assert_int_equal(checked(WHOLE, false, &err), -EINVAL);
	says(&err, "'memory.sav' is not a data file of this snapshot");
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " DISK_B ", " RAM
				 ", " FILE_JSON("meta.json", "7", HASH_A) "]}",
				 true, &err),
			 -EINVAL);
	says(&err, "'meta.json' is not a data file of this snapshot");
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " RAM
				 ", " FILE_JSON("disk-vda.img", "4096", HASH_A) "]}",
				 true, &err),
			 -EINVAL);
	says(&err, "'disk-vda.img' is not a data file of this snapshot");
}

static void one_that_contradicts_the_record_is_refused(void **state)
{
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " RAM
				 ", " FILE_JSON("disk-vdb.img", "4095", HASH_B) "]}",
				 true, &err),
			 -EINVAL);
	says(&err, "disk-vdb.img has 4096 bytes, but 4095 in the manifest");
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " DISK_B
				 ", " FILE_JSON("memory.sav", "8", HASH_RAM) "]}",
				 true, &err),
			 -EINVAL);
	says(&err, "memory.sav has 7 bytes, but 8 in the manifest");
	assert_int_equal(checked("{\"schema\": 1, \"files\": [" DISK_A ", " DISK_B
				 ", " FILE_JSON("memory.sav", "7", HASH_A) "]}",
				 true, &err),
			 -EIO);
	says(&err, "memory.sav does not have the recorded hash");
}

static void its_text_says_of_what_and_when(void **state)
{
	const struct sf_id uuid = {.bytes = {0xab, 0xcd}};
	struct sf_manifest manifest = parsed("{\"schema\": 1, \"files\": [" DISK_B "]}");
	size_t len;
	char *text = sf_manifest_format(&manifest, &uuid, 1700000000123456789ULL, &len);

	(void)state;
	assert_non_null(text);
	assert_int_equal(len, strlen(text));
	assert_string_equal(text,
			    "{\n  \"schema\": 1,\n  \"snapshot\": \"abcd0000000000000000000000000000\",\n"
			    "  \"made\": \"2023-11-14T22:13:20.123456789Z\",\n  \"files\": [\n    {\n"
			    "      \"name\": \"disk-vdb.img\",\n      \"size_bytes\": 4096,\n"
			    "      \"xxh3_128\": \"" HASH_B "\"\n    }\n  ]\n}\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_one_is_taken),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(more_files_than_there_can_be_are_refused),
		cmocka_unit_test(one_of_other_files_is_refused),
		cmocka_unit_test(one_that_contradicts_the_record_is_refused),
		cmocka_unit_test(its_text_says_of_what_and_when),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}

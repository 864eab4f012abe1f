/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser of thin_dump. data/thin_dump.xml is the output of thin_dump 0.9.0 for a pool with two volumes
 * and two snapshots of one of them.
 */
#include "backends/lvm/thin_map.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"
#include "core/contract/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK       65536
#define SIZE        (1024 * (uint64_t)BLOCK)
#define DATA        SF_SOURCE_ROOT "/tests/unit/data/thin_dump.xml"
#define DUMP_MAX    65536
#define SUPERBLOCK  "<superblock uuid=\"\" time=\"2\" transaction=\"4\" data_block_size=\"128\">"
#define DEVICE(n)   "<device dev_id=\"7\" mapped_blocks=\"" n "\" snap_time=\"2\">"
#define SINGLE(n)   "<single_mapping origin_block=\"" n "\" data_block=\"20\" time=\"0\"/>"
#define RANGE(a, n) "<range_mapping origin_begin=\"" a "\" data_begin=\"0\" length=\"" n "\" time=\"0\"/>"
#define END         "</device></superblock>\n"
#define nitems(a)   (sizeof(a) / sizeof((a)[0]))

static int read_text(const char *text, size_t len, uint64_t dev_id, struct sf_extents *ret,
		     struct sf_err *err)
{
	auto_fd int fd = memfd_create("dump", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(sf_write_all(fd, text, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return sf_thin_map_read(fd, dev_id, ret, err);
}

/* Loads the real dump. */
static size_t load(char text[static DUMP_MAX])
{
	auto_fd int fd = open(DATA, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, DUMP_MAX - 1);

	assert_true(n > 1000 && n < DUMP_MAX - 1);
	text[n] = '\0';
	return (size_t)n;
}

/* Asserts the ranges; want is in blocks. */
static void check(struct sf_extents *extents, size_t n, const struct sf_range *want)
{
	assert_int_equal(extents->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(extents->list[i].off, want[i].off * BLOCK);
		assert_int_equal(extents->list[i].len, want[i].len * BLOCK);
	}
	sf_extents_fini(extents);
}

static void gives(const char *text, size_t n, const struct sf_range *want)
{
	struct sf_extents extents = {.size_bytes = SIZE};
	struct sf_err err = {0};

	if (read_text(text, strlen(text), 7, &extents, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	check(&extents, n, want);
}

static void fails_len(const char *text, size_t len, const char *why)
{
	struct sf_extents extents = {.list = (struct sf_range *)(uintptr_t)8, .n = 1, .size_bytes = SIZE};
	struct sf_err err = {0};
	int rc = read_text(text, len, 7, &extents, &err);

	if (rc != -EPROTO || err.code != -EPROTO || !strstr(err.text, why))
		fail_msg("%s: %d \"%s\" instead of \"%s\"", text, rc, err.text, why);
	assert_true((uintptr_t)extents.list == 8 && extents.n == 1); /* unchanged */
}

static void fails(const char *text, const char *why)
{
	fails_len(text, strlen(text), why);
}

/* --- output of thin_dump --- */

static void a_real_dump_is_understood(void **state)
{
	static const struct sf_range first[] = {{0, 1},   {3, 5},   {12, 11}, {100, 1},
						{102, 1}, {500, 4}, {1023, 1}};
	static const struct sf_range second[] = {{5, 2}};
	static const struct sf_range third[] = {{3, 20}, {100, 1}, {102, 1}, {1023, 1}};
	struct sf_extents extents = {.size_bytes = SIZE};
	char text[DUMP_MAX];
	size_t len = load(text);

	(void)state;
	assert_int_equal(read_text(text, len, 1, &extents, NULL), 0);
	check(&extents, nitems(first), first);
	assert_int_equal(read_text(text, len, 2, &extents, NULL), 0);
	check(&extents, nitems(second), second);
	assert_int_equal(read_text(text, len, 3, &extents, NULL), 0);
	check(&extents, nitems(third), third);
	assert_int_equal(read_text(text, len, 4, &extents, NULL), 0);
	check(&extents, nitems(first), first);
}

static void a_list_that_was_there_is_replaced(void **state)
{
	struct sf_extents extents = {.size_bytes = SIZE};
	char text[DUMP_MAX];
	size_t len = load(text);

	(void)state;
	assert_int_equal(sf_extents_add(&extents, 9 * BLOCK, BLOCK, NULL), 0);
	assert_int_equal(read_text(text, len, 2, &extents, NULL), 0);
	check(&extents, 1, &(struct sf_range){5, 2});
}

static void a_device_that_is_not_there_is_told(void **state)
{
	struct sf_extents extents = {.size_bytes = SIZE};
	struct sf_err err = {0};
	char text[DUMP_MAX];
	size_t len = load(text);

	(void)state;
	assert_int_equal(read_text(text, len, 5, &extents, &err), -EPROTO);
	assert_string_equal(err.text, "thin_dump: no device 5");
	fails("", "no element found");
	fails(SUPERBLOCK "</superblock>", "no device 7");
}

static void every_cut_is_noticed(void **state)
{
	static const char end[] = "</superblock>";
	char text[DUMP_MAX];
	size_t len = load(text), whole = (size_t)(strstr(text, end) - text) + strlen(end);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct sf_extents extents = {.size_bytes = SIZE};
		struct sf_err err = {0};
		int rc = read_text(text, cut, 1, &extents, &err);

		if (rc != (cut < whole ? -EPROTO : 0))
			fail_msg("cut at %zu of %zu: %d %s", cut, len, rc, err.text);
		sf_extents_fini(&extents);
	}
}

/* Each read returns at most seven bytes. */
static void text_may_come_in_small_pieces(void **state)
{
	static const char text[] = SUPERBLOCK DEVICE("1") SINGLE("3") END;
	struct sf_extents extents = {.size_bytes = SIZE};
	auto_fd int in = -1;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	in = ends[0];
	for (size_t at = 0; at < strlen(text); at += 7)
		assert_true(send(ends[1], text + at, strnlen(text + at, 7), 0) > 0);
	close(ends[1]);
	assert_int_equal(sf_thin_map_read(in, 7, &extents, NULL), 0);
	check(&extents, 1, &(struct sf_range){3, 1});
}

/* Longer than one read, so ranges are split between pieces. */
static void a_long_dump_is_read_whole(void **state)
{
	struct sf_extents extents = {.size_bytes = UINT64_MAX};
	size_t size = 4 << 20, len, n = 20000;
	auto_free char *text = malloc(size);

	(void)state;
	assert_non_null(text);
	len = (size_t)snprintf(text, size, SUPERBLOCK "<device dev_id=\"7\" mapped_blocks=\"%zu\">", n);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, size - len, "<single_mapping origin_block=\"%zu\"/>",
					2 * i);
	len += (size_t)snprintf(text + len, size - len, END);
	assert_int_equal(read_text(text, len, 7, &extents, NULL), 0);
	assert_int_equal(extents.n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(extents.list[i].off, 2 * i * BLOCK);
	sf_extents_fini(&extents);
}

static void what_later_versions_add_is_passed_over(void **state)
{
	static const struct sf_range want[] = {{3, 1}, {8, 2}};

	(void)state;
	gives("<?xml version=\"1.0\" encoding=\"utf-8\"?><superblock new=\"-1\" data_block_size=\"128\"><new "
	      "a=\"b\"><deep/>"
	      "text</new><device colour=\"blue\" dev_id=\"7\" mapped_blocks=\"3\"><!-- a remark --><hole "
	      "origin_begin=\"4\"/>"
	      "<single_mapping x=\"y\" origin_block=\"3\"/><nest>" RANGE("8",
									 "2") "</nest></device></superblock>",
	      nitems(want), want);
}

static void other_devices_do_not_count(void **state)
{
	(void)state;
	gives(SUPERBLOCK
	      "<device dev_id=\"6\" mapped_blocks=\"x\">" SINGLE("1") "<single_mapping/></device>" DEVICE("1")
		      SINGLE("3") "</device><device dev_id=\"77\">" SINGLE("4") END,
	      1, &(struct sf_range){3, 1});
	gives(SUPERBLOCK SINGLE("9") DEVICE("1") SINGLE("3") "</device>" SINGLE("2") "</superblock>", 1,
	      &(struct sf_range){3, 1});
	fails(SUPERBLOCK "<device dev_id=\"6\" mapped_blocks=\"1\">" SINGLE("1") END, "no device 7");
}

static void an_empty_device_has_no_ranges(void **state)
{
	(void)state;
	gives(SUPERBLOCK DEVICE("0") END, 0, NULL);
	gives(SUPERBLOCK DEVICE("0") RANGE("4", "0") END, 0, NULL);
}

/* The LV may be smaller than the mapped area, and the map may be newer than the count. */
static void more_than_was_promised_is_fine(void **state)
{
	static const struct sf_range want[] = {{3, 1}, {1022, 2}};

	(void)state;
	gives(SUPERBLOCK DEVICE("1") SINGLE("3") RANGE("1022", "100") SINGLE("5000") END, nitems(want), want);
}

/* --- must be refused --- */

static void fewer_blocks_than_the_device_has_are_refused(void **state)
{
	(void)state;
	fails(SUPERBLOCK DEVICE("3") RANGE("3", "2") END, "2 of the device's 3 mapped blocks");
	fails(SUPERBLOCK DEVICE("1") END, "0 of the device's 1 mapped blocks");
}

/* thin_repair and later versions write shared parts once. Such dumps must not lose mappings silently. */
static void references_do_not_lose_mappings(void **state)
{
	(void)state;
	fails(SUPERBLOCK "<def name=\"1\">" RANGE("4", "2") "</def>" DEVICE("3")
		      SINGLE("3") "<ref name=\"1\"/>" END,
	      "1 of the device's 3 mapped blocks");
	gives(SUPERBLOCK "<def name=\"1\">" RANGE("4", "2") "</def>" DEVICE("1") SINGLE("3") END, 1,
	      &(struct sf_range){3, 1});
}

/* Otherwise a duplicate block could hide a missing one. */
static void blocks_out_of_order_or_there_twice_are_refused(void **state)
{
	(void)state;
	fails(SUPERBLOCK DEVICE("2") SINGLE("3") SINGLE("2") END, "block 2 is out of order or there twice");
	fails(SUPERBLOCK DEVICE("2") SINGLE("3") SINGLE("3") END, "block 3 is out of order or there twice");
	fails(SUPERBLOCK DEVICE("4") RANGE("3", "2") RANGE("4", "2") END, "block 4 is out of order");
	fails(SUPERBLOCK DEVICE("4") RANGE("3", "4") SINGLE("4") END, "block 4 is out of order");
	fails(SUPERBLOCK DEVICE("2") SINGLE("5000") SINGLE("4999") END, "block 4999 is out of order");
}

static void missing_and_malformed_numbers_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "x", "-1", "+1", " 1", "0x10", "1 ", "1.5", "18446744073709551616"};
	char text[1024];

	(void)state;
	fails("<superblock>" DEVICE("0") END, "<superblock> has no number 'data_block_size'");
	fails(SUPERBLOCK "<device mapped_blocks=\"0\">" END, "<device> has no number 'dev_id'");
	fails(SUPERBLOCK "<device dev_id=\"7\">" END, "<device> has no number 'mapped_blocks'");
	fails(SUPERBLOCK DEVICE("1") "<single_mapping data_block=\"1\"/>" END,
	      "<single_mapping> has no number 'origin_block'");
	fails(SUPERBLOCK DEVICE("1") "<range_mapping length=\"1\"/>" END,
	      "<range_mapping> has no number 'origin_begin'");
	fails(SUPERBLOCK DEVICE("1") "<range_mapping origin_begin=\"1\"/>" END,
	      "<range_mapping> has no number 'length'");
	for (size_t i = 0; i < nitems(bad); i++) {
		(void)snprintf(text, sizeof(text), SUPERBLOCK DEVICE("0") SINGLE("%s") END, bad[i]);
		fails(text, "has no number 'origin_block'");
	}
}

static void numbers_beyond_any_device_are_refused(void **state)
{
	(void)state;
	fails("<superblock data_block_size=\"0\">" DEVICE("0") END, "a block of 0 sectors");
	fails("<superblock data_block_size=\"4294967296\">" DEVICE("0") END, "a block of 4294967296 sectors");
	fails(SUPERBLOCK DEVICE("1") SINGLE("281474976710656") END, "beyond any device");
	fails(SUPERBLOCK DEVICE("1") RANGE("0", "281474976710656") END, "beyond any device");
	fails(SUPERBLOCK DEVICE("1") RANGE("18446744073709551615", "18446744073709551615") END,
	      "beyond any device");
	fails("<dump>" DEVICE("1") SINGLE("3") "</device></dump>", "beyond any device"); /* of no size */
}

static void one_device_is_there_once(void **state)
{
	(void)state;
	fails(SUPERBLOCK DEVICE("1") SINGLE("3") "</device>" DEVICE("1") SINGLE("4") END,
	      "device 7 is there twice");
}

static void what_is_not_xml_is_refused(void **state)
{
	static const char nul[] = SUPERBLOCK DEVICE("1") "\0" SINGLE("3") END;

	(void)state;
	fails("no current metadata snap\n", "line 1");
	fails(SUPERBLOCK DEVICE("0") "</superblock>", "mismatched tag");
	fails(SUPERBLOCK DEVICE("0") END SUPERBLOCK, "junk after document element");
	fails(SUPERBLOCK DEVICE("0") "&unknown;" END, "undefined entity");
	fails(SUPERBLOCK "<device dev_id=\"7\" dev_id=\"7\" mapped_blocks=\"0\">" END, "duplicate attribute");
	fails_len(nul, sizeof(nul) - 1, "not well-formed");
}

static void a_doctype_is_refused(void **state)
{
	(void)state;
	fails("<!DOCTYPE superblock [<!ENTITY a \"&b;&b;\">]>" SUPERBLOCK DEVICE("0") END, "a DOCTYPE");
	fails("<!DOCTYPE superblock SYSTEM \"/etc/passwd\">" SUPERBLOCK DEVICE("0") END, "a DOCTYPE");
}

static void a_failing_read_is_told(void **state)
{
	struct sf_extents extents = {.size_bytes = SIZE};
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(sf_thin_map_read(-1, 7, &extents, &err), -EBADF);
	assert_string_equal(err.text, "read thin_dump: Bad file descriptor");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_dump_is_understood),
		cmocka_unit_test(a_list_that_was_there_is_replaced),
		cmocka_unit_test(a_device_that_is_not_there_is_told),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(text_may_come_in_small_pieces),
		cmocka_unit_test(a_long_dump_is_read_whole),
		cmocka_unit_test(what_later_versions_add_is_passed_over),
		cmocka_unit_test(other_devices_do_not_count),
		cmocka_unit_test(an_empty_device_has_no_ranges),
		cmocka_unit_test(more_than_was_promised_is_fine),
		cmocka_unit_test(fewer_blocks_than_the_device_has_are_refused),
		cmocka_unit_test(references_do_not_lose_mappings),
		cmocka_unit_test(blocks_out_of_order_or_there_twice_are_refused),
		cmocka_unit_test(missing_and_malformed_numbers_are_refused),
		cmocka_unit_test(numbers_beyond_any_device_are_refused),
		cmocka_unit_test(one_device_is_there_once),
		cmocka_unit_test(what_is_not_xml_is_refused),
		cmocka_unit_test(a_doctype_is_refused),
		cmocka_unit_test(a_failing_read_is_told),
	};

	return cmocka_run_group_tests_name("thin_map", tests, NULL, NULL);
}

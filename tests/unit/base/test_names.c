/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void refused(const char *name, int rc, const char *why)
{
	struct sf_err err = {0};

	assert_int_equal(sf_name_check(name, &err), rc);
	assert_non_null(strstr(err.text, why));
}

static void ordinary_names_pass(void **state)
{
	static const char *const names[] = {"a",    "before-upgrade", "2026-11-22 16:39", "größe",
					    "日本", "a..b",           "x\xf0\x9f\x90\xa7"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(sf_name_check(names[i], NULL), 0);
}

static void length_is_counted_in_bytes(void **state)
{
	char name[130];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[127] = '\0';
	assert_int_equal(sf_name_check(name, NULL), 0);
	name[127] = 'n';
	name[128] = '\0';
	refused(name, -ENAMETOOLONG, "longer than 127");
	refused("", -EINVAL, "empty");
}

static void names_that_mean_something_else_are_refused(void **state)
{
	(void)state;
	refused(".", -EINVAL, "starts with '.'");
	refused("..", -EINVAL, "starts with '.'");
	refused(".hidden", -EINVAL, "starts with '.'");
	refused("-rf", -EINVAL, "starts with '-'");
	refused("a/b", -EINVAL, "contains '/'");
}

static void control_characters_are_refused(void **state)
{
	(void)state;
	refused("a\nb", -EINVAL, "control character");
	refused("a\x7f", -EINVAL, "control character");
	refused("a\xc2\x85", -EINVAL, "control character");
}

static void broken_utf8_is_refused(void **state)
{
	static const char *const names[] = {"\xff",
					    "a\x80",
					    "\xc3",
					    "\xc0\xaf",
					    "\xe0\x80\xaf",
					    "\xed\xa0\x80",
					    "\xf4\x90\x80\x80",
					    "\xf8\x88\x80\x80\x80",
					    "\xe2\x82"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		refused(names[i], -EINVAL, "UTF-8");
}

static void what_a_terminal_could_obey_is_replaced(void **state)
{
	static const char *const texts[][2] = {
		{"", ""},
		{"größe 日本 x\xf0\x9f\x90\xa7", "größe 日本 x\xf0\x9f\x90\xa7"},
		{"a\033[1m\n\x7f", "a?[1m??"},
		{"a\302\23331m\302\200\302\237\302\240", "a?31m??\302\240"},
		{"a\23331m\200\377", "a?31m??"}, /* C1 of a terminal that is not in UTF-8 mode */
		{"\300\212\342\202", "????"},    /* an overlong newline, a cut character */
		{"\342\202\302\233\303", "????"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		(void)snprintf(text, sizeof(text), "%s", texts[i][0]);
		sf_defuse(text);
		assert_string_equal(text, texts[i][1]);
	}
}

static void disk_names_are_plain(void **state)
{
	(void)state;
	assert_int_equal(sf_vdev_check("xvda", NULL), 0);
	assert_int_equal(sf_vdev_check("nvme0n1", NULL), 0);
	assert_int_equal(sf_vdev_check("", NULL), -EINVAL);
	assert_int_equal(sf_vdev_check("XVDA", NULL), -EINVAL);
	assert_int_equal(sf_vdev_check("../x", NULL), -EINVAL);
	assert_int_equal(sf_vdev_check("abcdefghijklmnop", NULL), -EINVAL);
}

static void files_are_named_after_disks(void **state)
{
	char file[SF_DISK_FILE], vdev[SF_VDEV_MAX + 1];

	(void)state;
	sf_disk_file_name(0, "xvda", file);
	assert_string_equal(file, "disk.img");
	sf_disk_file_name(1, "abcdefghijklmno", file);
	assert_string_equal(file, "disk-abcdefghijklmno.img");
	sf_vdev_name(0, vdev);
	assert_string_equal(vdev, "vda");
	sf_vdev_name(26, vdev);
	assert_string_equal(vdev, "vdaa");
	sf_vdev_name(701, vdev);
	assert_string_equal(vdev, "vdzz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_names_pass),
		cmocka_unit_test(length_is_counted_in_bytes),
		cmocka_unit_test(names_that_mean_something_else_are_refused),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(broken_utf8_is_refused),
		cmocka_unit_test(what_a_terminal_could_obey_is_replaced),
		cmocka_unit_test(disk_names_are_plain),
		cmocka_unit_test(files_are_named_after_disks),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

static void a_line_has_optional_fields_and_escapes(void **state)
{
	struct sf_mounts_entry entry;

	(void)state;
	assert_true(sf_mounts_parse("36 35 98:5 /a\\040b /mnt/my\\011\\134x rw,noatime master:1 shared:2 - "
				    "fuse.snapfs snapfs rw,user_id=0\n",
				    &entry));
	assert_true(entry.dev == makedev(98, 5));
	assert_string_equal(entry.root, "/a b");
	assert_string_equal(entry.point, "/mnt/my\t\\x");
	assert_string_equal(entry.type, "fuse.snapfs");
	assert_string_equal(entry.options, "rw,user_id=0");
	sf_mounts_fini(&entry);
	assert_true(sf_mounts_parse("1 2 0:3 / /x\\0 rw - tmpfs none rw", &entry));
	assert_string_equal(entry.point, "/x\\0");
	sf_mounts_fini(&entry);
}

static void anything_else_is_no_entry(void **state)
{
	static const char *const lines[] = {"", "\n", "1 2 0:3 / /x rw tmpfs none rw",
					    "1 2 3 / /x rw - tmpfs none rw", "1 2 0:3 / /x rw - tmpfs"};
	struct sf_mounts_entry entry;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_false(sf_mounts_parse(lines[i], &entry));
		sf_mounts_fini(&entry);
	}
}

static bool count(const struct sf_mounts_entry *entry, void *arg)
{
	size_t *n = arg;

	assert_int_equal(*entry->point, '/');
	return ++*n < 2;
}

static void the_caller_may_stop(void **state)
{
	size_t n = 0;

	(void)state;
	assert_int_equal(sf_mounts_each(count, &n, NULL), 0);
	assert_in_range(n, 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_optional_fields_and_escapes),
		cmocka_unit_test(anything_else_is_no_entry),
		cmocka_unit_test(the_caller_may_stop),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}

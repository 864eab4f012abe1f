/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each call does. tests/faults/test_crashsim.c shows that it survives a power cut. */
#include "base/durable.h"

#include "base/err.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char path[128];
	int dir;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_non_null(test_tmpdir(f->path, sizeof(f->path), "durable"));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[160];

	close(f->dir);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void what_is_written_is_read_and_replaced(void **state)
{
	const struct fixture *f = *state;
	struct stat st;
	char *text;
	size_t len;

	assert_int_equal(sf_durable_write(f->dir, "a", "one", 3, NULL), 0);
	assert_int_equal(sf_durable_write(f->dir, "a", "three", 5, NULL), 0);
	assert_int_equal(sf_durable_read(f->dir, "a", 5, &text, &len, NULL), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "three");
	free(text);
	assert_int_equal(fstatat(f->dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fstatat(f->dir, ".a.tmp", &st, 0), -1);
}

static void a_file_can_bear_another_time(void **state)
{
	const struct fixture *f = *state;
	struct stat st;

	assert_int_equal(sf_durable_write(f->dir, "a", "one", 3, NULL), 0);
	assert_int_equal(sf_durable_write_dated(f->dir, "a", "two", 3, 1700000000123456789ULL, NULL), 0);
	assert_int_equal(fstatat(f->dir, "a", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1700000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(st.st_size, 3);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};
	char *text;
	size_t len;

	assert_int_equal(sf_durable_write(f->dir, "a", "old", 3, NULL), 0);
	assert_int_equal(mkdirat(f->dir, ".a.tmp", 0700), 0);
	assert_int_equal(sf_durable_write(f->dir, "a", "new", 3, &err), -EISDIR);
	assert_non_null(strstr(err.text, "create .a.tmp"));
	assert_int_equal(sf_durable_read(f->dir, "a", 100, &text, &len, NULL), 0);
	assert_string_equal(text, "old");
	free(text);
}

static void links_and_directories_are_not_read(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};
	char *text;
	size_t len;

	assert_int_equal(symlinkat("/etc/passwd", f->dir, "link"), 0);
	assert_int_equal(sf_durable_read(f->dir, "link", 100000, &text, &len, &err), -ELOOP);
	assert_non_null(strstr(err.text, "open link"));
	assert_int_equal(mkdirat(f->dir, "dir", 0700), 0);
	assert_int_equal(sf_durable_read(f->dir, "dir", 100, &text, &len, &err), -EINVAL);
	assert_int_equal(mkfifoat(f->dir, "pipe", 0600), 0);
	assert_int_equal(sf_durable_read(f->dir, "pipe", 100, &text, &len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(sf_open_dir(f->dir, "link", &err), -ENOTDIR);
}

static void a_file_above_the_cap_is_refused(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};
	char *text;
	size_t len;

	assert_int_equal(sf_durable_write(f->dir, "a", "12345", 5, NULL), 0);
	assert_int_equal(sf_durable_read(f->dir, "a", 4, &text, &len, &err), -EFBIG);
	assert_non_null(strstr(err.text, "larger than 4 bytes"));
}

static void a_rename_never_replaces(void **state)
{
	const struct fixture *f = *state;
	struct sf_err err = {0};

	assert_int_equal(sf_durable_write(f->dir, "a", "a", 1, NULL), 0);
	assert_int_equal(sf_durable_write(f->dir, "b", "b", 1, NULL), 0);
	assert_int_equal(sf_durable_rename(f->dir, "a", f->dir, "b", &err), -EEXIST);
	assert_non_null(strstr(err.text, "rename a to b"));
	assert_int_equal(sf_durable_rename(f->dir, "a", f->dir, "c", NULL), 0);
	assert_int_equal(sf_durable_rename(f->dir, "a", f->dir, "d", NULL), -ENOENT);
}

static void removing_what_is_gone_succeeds(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(sf_durable_mkdir(f->dir, "d", 0700, NULL), 0);
	assert_int_equal(sf_durable_mkdir(f->dir, "d", 0700, NULL), -EEXIST);
	assert_int_equal(sf_durable_rmdir(f->dir, "d", NULL), 0);
	assert_int_equal(sf_durable_rmdir(f->dir, "d", NULL), 0);
	assert_int_equal(sf_durable_unlink(f->dir, "f", NULL), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_written_is_read_and_replaced), CASE(a_file_can_bear_another_time),
		CASE(a_failed_write_leaves_the_old_file),   CASE(links_and_directories_are_not_read),
		CASE(a_file_above_the_cap_is_refused),      CASE(a_rename_never_replaces),
		CASE(removing_what_is_gone_succeeds),
	};

	return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}

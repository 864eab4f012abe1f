/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crashbench.h"

#include "base/cleanup.h"
#include "base/durable.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static void rename_unsynced_data(int dir)
{
	bench_put(dir, "tmp", 0, "NEW CONTENT", false);
	bench_must(renameat(dir, "tmp", dir, "file") == 0 && fsync(dir) == 0);
}

/* The classic mistake: the name is durable and the data is not. */
static void renaming_before_the_file_is_synced_leaves_it_empty_or_torn(void **state)
{
	unsigned torn = 0;

	(void)state;
	bench_cut(bench_old_file, rename_unsynced_data, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "");
	for (uint64_t seed = 0; seed < BENCH_SEEDS; seed++) {
		bench_cut(bench_old_file, rename_unsynced_data, CRASHSIM_NEVER, CRASHSIM_TORN, seed);
		assert_string_not_equal(bench_content("file"), "old content");
		torn += strcmp(bench_content("file"), "NEW CONTENT") != 0;
	}
	assert_true(torn > 0);
}

static void rename_unsynced_directory(int dir)
{
	bench_put(dir, "tmp", 0, "NEW CONTENT", true);
	bench_must(renameat(dir, "tmp", dir, "file") == 0);
}

static void a_rename_without_fsync_of_the_directory_is_lost(void **state)
{
	(void)state;
	bench_cut(bench_old_file, rename_unsynced_directory, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
	assert_string_equal(bench_content("tmp"), "-");
	bench_cut(bench_old_file, rename_unsynced_directory, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	assert_string_equal(bench_content("file"), "NEW CONTENT");
}

static void durable_write(int dir)
{
	bench_must(sf_durable_write(dir, "file", "NEW CONTENT", 11, NULL) == 0);
}

static void a_durable_write_survives_in_every_mode(void **state)
{
	uint64_t k = 0;

	(void)state;
	do {
		k++;
		for (uint64_t seed = 0; seed < BENCH_SEEDS; seed++) {
			const char *text;

			bench_cut(bench_old_file, durable_write, k,
				  seed == 0   ? CRASHSIM_KEEP
				  : seed == 1 ? CRASHSIM_DROP
					      : CRASHSIM_TORN,
				  seed);
			text = bench_content("file");
			if (strcmp(text, "NEW CONTENT") != 0)
				assert_string_equal(text, "old content");
			if (!bench.report->cut)
				assert_string_equal(text, "NEW CONTENT");
		}
	} while (bench.report->cut);
	assert_int_equal(k, 6); /* openat, write, fsync, rename, fsync, and the end */
}

static void the_kth_call_is_not_made(void **state)
{
	(void)state;
	bench_cut(bench_old_file, durable_write, 4, CRASHSIM_KEEP, 1);
	assert_true(bench.report->cut);
	assert_int_equal(bench.report->points, 4);
	assert_string_equal(bench.report->call, "rename file");
	assert_string_equal(bench_content("file"), "old content");
	assert_string_equal(bench_content(".file.tmp"), "NEW CONTENT");
	bench_cut(bench_old_file, durable_write, 5, CRASHSIM_KEEP, 1);
	assert_string_equal(bench.report->call, "fsync work");
	assert_string_equal(bench_content("file"), "NEW CONTENT");
}

static void full_house(int dir)
{
	auto_fd int sub = -1;

	bench_must(mkdirat(dir, "sub", 0750) == 0 && mkdirat(dir, "empty", 0711) == 0);
	sub = sf_open_dir(dir, "sub", NULL);
	bench_put(sub, "a", 0, "content of a", true);
	bench_put(sub, "b", 0, "content of b", true);
	bench_put(dir, "c", 0, "content of c", true);
}

static void change_everything(int dir)
{
	auto_fd int sub = sf_open_dir(dir, "sub", NULL), made = -1;

	bench_must(renameat2(sub, "a", sub, "b", RENAME_EXCHANGE) == 0);
	bench_must(renameat(sub, "b", dir, "c") == 0);
	bench_must(renameat2(dir, "c", dir, "d", RENAME_NOREPLACE) == 0);
	bench_must(unlinkat(dir, "sub/a", 0) == 0);
	bench_must(unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
	bench_must(unlinkat(dir, "empty", AT_REMOVEDIR) == 0);
	bench_must(mkdirat(dir, "sub", 0700) == 0 && mkdirat(dir, "new", 0700) == 0);
	made = sf_open_dir(dir, "new", NULL);
	bench_put(made, "e", 0, "content of e", true);
	bench_must(linkat(made, "e", dir, "f", 0) == 0 && unlinkat(made, "e", 0) == 0);
}

static void assert_full_house(void)
{
	assert_string_equal(bench_content("sub/a"), "content of a");
	assert_string_equal(bench_content("sub/b"), "content of b");
	assert_string_equal(bench_content("c"), "content of c");
	assert_int_equal(bench_mode("sub"), S_IFDIR | 0750);
	assert_int_equal(bench_mode("empty"), S_IFDIR | 0711);
	assert_int_equal(bench_mode("d"), 0);
	assert_int_equal(bench_mode("f"), 0);
	assert_int_equal(bench_mode("new"), 0);
}

static void every_change_of_a_directory_is_taken_back(void **state)
{
	(void)state;
	for (uint64_t k = 2;; k++) {
		bench_cut(full_house, change_everything, k, CRASHSIM_DROP, 1);
		assert_full_house();
		if (!bench.report->cut)
			break;
	}
	bench_cut(full_house, change_everything, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	assert_string_equal(bench_content("d"), "content of a");
	assert_string_equal(bench_content("f"), "content of e");
}

static void the_graveyard_is_left_empty(void **state)
{
	(void)state;
	for (enum crashsim_mode mode = CRASHSIM_KEEP; mode <= CRASHSIM_TORN; mode++) {
		bench_cut(full_house, change_everything, CRASHSIM_NEVER, mode, 1);
		assert_int_equal(unlinkat(bench.top, "graveyard", AT_REMOVEDIR), 0);
		assert_int_equal(mkdirat(bench.top, "graveyard", 0700), 0);
		close(bench.graveyard);
		bench.graveyard = sf_open_dir(bench.top, "graveyard", NULL);
	}
}

static void a_torn_directory_keeps_its_changes_in_order(void **state)
{
	unsigned some = 0;

	(void)state;
	for (uint64_t seed = 0; seed < BENCH_SEEDS; seed++) {
		bool first, later;

		bench_cut(full_house, change_everything, CRASHSIM_NEVER, CRASHSIM_TORN, seed);
		first = bench_mode("d") != 0;
		later = bench_mode("f") != 0;
		assert_true(first || !later);
		some += first && !later;
	}
	assert_true(some > 0);
}

static void sync_the_later_directory(int dir)
{
	auto_fd int sub = sf_open_dir(dir, "sub", NULL);

	bench_must(unlinkat(dir, "c", 0) == 0);
	bench_must(unlinkat(sub, "a", 0) == 0 && fsync(sub) == 0);
	bench_must(unlinkat(sub, "b", 0) == 0);
}

static void syncing_a_directory_makes_all_earlier_changes_durable(void **state)
{
	(void)state;
	bench_cut(full_house, sync_the_later_directory, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("c"), "-");
	assert_string_equal(bench_content("sub/a"), "-");
	assert_string_equal(bench_content("sub/b"), "content of b");
}

static void sync_the_other_disk(int dir)
{
	auto_fd int sub = sf_open_dir(dir, "sub", NULL);

	bench_must(unlinkat(sub, "a", 0) == 0);
	bench_must(unlinkat(dir, "c", 0) == 0 && fsync(dir) == 0);
}

static void syncing_another_disk_makes_nothing_durable(void **state)
{
	char sub[PATH_MAX + 16];

	(void)state;
	(void)snprintf(sub, sizeof(sub), "%s/work/sub", bench.path);
	bench_cut(full_house, sync_the_other_disk, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("sub/a"), "-");
	crashsim_own_disk(sub);
	bench_cut(full_house, sync_the_other_disk, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("sub/a"), "content of a");
	assert_string_equal(bench_content("c"), "-");
	crashsim_own_disk(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renaming_before_the_file_is_synced_leaves_it_empty_or_torn),
		cmocka_unit_test(a_rename_without_fsync_of_the_directory_is_lost),
		cmocka_unit_test(a_durable_write_survives_in_every_mode),
		cmocka_unit_test(the_kth_call_is_not_made),
		cmocka_unit_test(every_change_of_a_directory_is_taken_back),
		cmocka_unit_test(the_graveyard_is_left_empty),
		cmocka_unit_test(a_torn_directory_keeps_its_changes_in_order),
		cmocka_unit_test(syncing_a_directory_makes_all_earlier_changes_durable),
		cmocka_unit_test(syncing_another_disk_makes_nothing_durable),
	};

	return cmocka_run_group_tests_name("crashsim_names", tests, bench_setup, bench_teardown);
}

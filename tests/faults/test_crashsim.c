/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crashbench.h"

#include "base/cleanup.h"
#include "base/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cmocka.h>

static void write_unsynced(int dir)
{
	bench_put(dir, "file", 0, "NEW CONTENT, longer", false);
}

static void write_synced(int dir)
{
	bench_put(dir, "file", 0, "NEW CONTENT, longer", true);
}

static void a_write_without_fsync_is_lost(void **state)
{
	(void)state;
	bench_cut(bench_old_file, write_unsynced, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
	bench_cut(bench_old_file, write_unsynced, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	assert_string_equal(bench_content("file"), "NEW CONTENT, longer");
	bench_cut(bench_old_file, write_synced, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "NEW CONTENT, longer");
}

static void a_torn_write_is_old_new_or_a_mixture(void **state)
{
	unsigned old = 0, new = 0, mixed = 0;

	(void)state;
	for (uint64_t seed = 0; seed < BENCH_SEEDS; seed++) {
		bench_cut(bench_old_file, write_unsynced, CRASHSIM_NEVER, CRASHSIM_TORN, seed);
		if (strcmp(bench_content("file"), "old content") == 0)
			old++;
		else if (strcmp(bench_content("file"), "NEW CONTENT, longer") == 0)
			new ++;
		else
			mixed++;
	}
	assert_true(old > 0 && new > 0 && mixed > 0);
	for (uint64_t seed = 0; seed < BENCH_SEEDS; seed++) {
		bench_cut(bench_old_file, write_synced, CRASHSIM_NEVER, CRASHSIM_TORN, seed);
		assert_string_equal(bench_content("file"), "NEW CONTENT, longer");
	}
}

static void truncate_twice(int dir)
{
	auto_fd int fd = openat(dir, "file", O_WRONLY | O_CLOEXEC);

	bench_must(fd >= 0 && ftruncate(fd, 3) == 0 && ftruncate(fd, 8) == 0);
}

static void truncate_by_opening(int dir)
{
	bench_put(dir, "file", O_TRUNC, "x", false);
}

static void a_truncation_without_fsync_is_lost(void **state)
{
	(void)state;
	bench_cut(bench_old_file, truncate_twice, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
	bench_cut(bench_old_file, truncate_by_opening, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
	bench_cut(bench_old_file, truncate_by_opening, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	assert_string_equal(bench_content("file"), "x");
}

static void copy_over(int dir)
{
	auto_fd int in = openat(dir, "source", O_RDONLY | O_CLOEXEC);
	auto_fd int out = openat(dir, "file", O_WRONLY | O_CLOEXEC);
	off_t from = 0, to = 4;

	bench_must(in >= 0 && out >= 0 && copy_file_range(in, &from, out, &to, 1 << 20, 0) == 6);
}

static void old_and_source(int dir)
{
	bench_old_file(dir);
	bench_put(dir, "source", 0, "COPIED", true);
}

static void a_copy_without_fsync_is_lost(void **state)
{
	(void)state;
	bench_cut(old_and_source, copy_over, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
	bench_cut(old_and_source, copy_over, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	assert_string_equal(bench_content("file"), "old COPIEDt");
}

static void old_and_longer_source(int dir)
{
	bench_old_file(dir);
	bench_put(dir, "source", 0, "CLONED, longer", true);
}

static void clone_over(int dir)
{
	auto_fd int in = openat(dir, "source", O_RDONLY | O_CLOEXEC);
	auto_fd int out = openat(dir, "file", O_WRONLY | O_CLOEXEC);

	bench_must(in >= 0 && out >= 0 && (ioctl(out, FICLONE, in) == 0 || errno == EOPNOTSUPP));
}

static void a_clone_without_fsync_is_lost(void **state)
{
	(void)state;
	bench_cut(old_and_longer_source, clone_over, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	if (strcmp(bench_content("file"), "old content") == 0) {
		bench_pass_by("reflinks");
		return;
	}
	assert_string_equal(bench_content("file"), "CLONED, longer");
	bench_cut(old_and_longer_source, clone_over, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
}

static void change_attributes(int dir)
{
	auto_fd int fd = openat(dir, "file", O_RDWR | O_CLOEXEC);

	bench_must(fd >= 0 && fchmod(fd, 0640) == 0 && fchown(fd, getuid(), getgid()) == 0);
	bench_must(futimens(fd, (const struct timespec[]){{.tv_sec = 5}, {.tv_sec = 5}}) == 0);
	(void)fsetxattr(fd, "user.test", "new", 3, 0); /* may be unsupported; the parent checks */
	bench_must(fdatasync(fd) == 0);
}

static void attributes_need_a_full_fsync(void **state)
{
	(void)state;
	bench_cut(bench_old_file, change_attributes, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_int_equal(bench_mode("file"), S_IFREG | 0600);
	assert_true(bench_mtime("file") > 5);
	bench_cut(bench_old_file, change_attributes, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	assert_int_equal(bench_mode("file"), S_IFREG | 0640);
	assert_int_equal(bench_mtime("file"), 5);
}

static void extended_attributes_are_taken_back(void **state)
{
	auto_fd int fd = -1;
	char value[8];

	(void)state;
	bench_cut(bench_old_file, change_attributes, CRASHSIM_NEVER, CRASHSIM_KEEP, 1);
	fd = openat(bench.work, "file", O_RDONLY | O_CLOEXEC);
	if (fgetxattr(fd, "user.test", value, sizeof(value)) < 0 && errno == ENOTSUP) {
		bench_pass_by("user xattrs");
		return;
	}
	assert_int_equal(fgetxattr(fd, "user.test", value, sizeof(value)), 3);
	bench_cut(bench_old_file, change_attributes, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	close(fd);
	fd = openat(bench.work, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "user.test", value, sizeof(value)), -1);
	assert_int_equal(errno, ENODATA);
}

static void use_a_pipe(int dir)
{
	int ends[2];

	(void)dir;
	bench_must(pipe2(ends, O_CLOEXEC) == 0 && write(ends[1], "text", 4) == 4);
	bench_must(fsync(ends[1]) < 0 && errno == EINVAL);
	crashsim_point("backend.call");
}

static void pipes_are_no_points_and_backend_calls_are(void **state)
{
	(void)state;
	bench_cut(NULL, use_a_pipe, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_int_equal(bench.report->points, 1);
	assert_string_equal(bench.report->call, "backend.call ");
	bench_cut(NULL, use_a_pipe, 1, CRASHSIM_DROP, 1);
	assert_true(bench.report->cut);
}

/* Ignores errors: while another thread is being stopped, files disappear under this one. */
static void *write_for_ever(void *arg)
{
	for (;;) {
		auto_fd int fd = openat(*(int *)arg, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		if (fd >= 0 && write(fd, "text", 4) == 4)
			(void)fsync(fd);
	}
	return NULL;
}

static void many_threads(int dir)
{
	pthread_t thread;

	for (unsigned i = 0; i < 4; i++)
		bench_must(pthread_create(&thread, NULL, write_for_ever, &dir) == 0);
	write_for_ever(&dir);
}

static void any_thread_ends_the_process(void **state)
{
	(void)state;
	for (uint64_t k = 100; k < 120; k++) {
		bench_cut(bench_old_file, many_threads, k, CRASHSIM_TORN, k);
		assert_int_equal(bench.report->points, k);
	}
}

static void hold_a_lease(int dir)
{
	int fd;

	bench_put(dir, "file", 0, "NEW CONTENT", false);
	fd = openat(dir, "file", O_RDONLY | O_CLOEXEC);
	bench_must(fd >= 0 && fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
	alarm(20); /* far below the 45 s after which the kernel would break the lease */
	crashsim_cut();
}

static void the_log_is_not_seen_by_leases(void **state)
{
	(void)state;
	bench_cut(bench_old_file, hold_a_lease, CRASHSIM_NEVER, CRASHSIM_DROP, 1);
	assert_string_equal(bench_content("file"), "old content");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_without_fsync_is_lost),
		cmocka_unit_test(a_torn_write_is_old_new_or_a_mixture),
		cmocka_unit_test(a_truncation_without_fsync_is_lost),
		cmocka_unit_test(a_copy_without_fsync_is_lost),
		cmocka_unit_test(a_clone_without_fsync_is_lost),
		cmocka_unit_test(attributes_need_a_full_fsync),
		cmocka_unit_test(extended_attributes_are_taken_back),
		cmocka_unit_test(pipes_are_no_points_and_backend_calls_are),
		cmocka_unit_test(any_thread_ends_the_process),
		cmocka_unit_test(the_log_is_not_seen_by_leases),
	};

	return cmocka_run_group_tests_name("crashsim", tests, bench_setup, bench_teardown);
}

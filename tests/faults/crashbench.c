/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "crashbench.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/io.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

struct bench bench;

static void clear(int dir)
{
	char *const argv[] = {"find", ".", "-mindepth", "2", "-delete", NULL};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (fchdir(dir) == 0)
			execvp(argv[0], argv);
		_exit(1);
	}
	assert_true(waitpid(pid, &status, 0) == pid && status == 0);
}

int bench_setup(void **state)
{
	auto_free char *tmp = realpath(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", NULL);

	(void)state;
	assert_non_null(tmp);
	(void)snprintf(bench.path, sizeof(bench.path), "%s/crashsim.XXXXXX", tmp);
	assert_non_null(mkdtemp(bench.path));
	bench.top = open(bench.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(bench.top, "work", 0700), 0);
	assert_int_equal(mkdirat(bench.top, "graveyard", 0700), 0);
	bench.work = sf_open_dir(bench.top, "work", NULL);
	bench.graveyard = sf_open_dir(bench.top, "graveyard", NULL);
	bench.report =
		mmap(NULL, sizeof(*bench.report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(bench.work >= 0 && bench.graveyard >= 0 && bench.report != MAP_FAILED);
	return 0;
}

int bench_teardown(void **state)
{
	(void)state;
	clear(bench.top);
	assert_int_equal(unlinkat(bench.top, "work", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(bench.top, "graveyard", AT_REMOVEDIR), 0);
	assert_int_equal(rmdir(bench.path), 0);
	munmap(bench.report, sizeof(*bench.report));
	return 0;
}

void bench_cut(bench_fn *before, bench_fn *work, uint64_t k, enum crashsim_mode mode, uint64_t seed)
{
	int status;
	pid_t pid;

	clear(bench.top);
	if (before)
		before(bench.work);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		crashsim_arm(k, mode, seed, bench.graveyard, bench.report);
		work(bench.work);
		crashsim_cut();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CRASHSIM_EXIT);
}

void bench_must(bool ok)
{
	if (!ok)
		_exit(1);
}

void bench_put(int dir, const char *name, int flags, const char *text, bool synced)
{
	auto_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	bench_must(fd >= 0 && sf_write_all(fd, text, strlen(text)) == 0);
	bench_must(!synced || fsync(fd) == 0);
}

void bench_old_file(int dir)
{
	bench_put(dir, "file", 0, "old content", true);
}

const char *bench_content(const char *name)
{
	static char text[4096];
	auto_fd int fd = openat(bench.work, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return "-";
	text[n] = '\0';
	return text;
}

mode_t bench_mode(const char *name)
{
	struct stat st;

	return fstatat(bench.work, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode : 0;
}

time_t bench_mtime(const char *name)
{
	struct stat st;

	return fstatat(bench.work, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtim.tv_sec : 0;
}

void bench_pass_by(const char *what)
{
	print_message("# skipped: the file system of %s has no %s\n", bench.path, what);
}

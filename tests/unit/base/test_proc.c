/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How children are started, and what environment they get. A child is this program with a role as argument,
 * which reports what it finds, or a program of the system.
 */
#include "proc_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

extern char **environ;

/* --- Roles of the child. --- */

static int role_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atol(entry->d_name) != dirfd(dir))
			printf("%s ", entry->d_name);
	return dir ? closedir(dir) : 1;
}

static int role_place(void)
{
	char cwd[TEXT_MAX], in[TEXT_MAX] = "";

	if (!getcwd(cwd, sizeof(cwd)) || readlink("/proc/self/fd/0", in, sizeof(in) - 1) < 0)
		return 1;
	printf("%s %s %d", cwd, in, getsid(0) == getpid() && getpgid(0) == getpid());
	return 0;
}

static int role_streams(void)
{
	fputs("to stdout\n", stdout);
	fputs("to stderr\n", stderr);
	return 0;
}

static int role_environment(void)
{
	for (char **entry = environ; *entry; entry++)
		printf("%s\n", *entry);
	return 0;
}

static int play(char **argv)
{
	if (strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (strcmp(argv[1], "raise") == 0)
		return raise(atoi(argv[2]));
	if (strcmp(argv[1], "descriptors") == 0)
		return role_descriptors();
	if (strcmp(argv[1], "place") == 0)
		return role_place();
	if (strcmp(argv[1], "streams") == 0)
		return role_streams();
	return role_environment();
}

/* --- Running a child. --- */

static int run_role(const char *role, const char *number)
{
	const char *const argv[] = {SELF, role, number, NULL};
	struct sf_proc proc = start(argv, -1, -1);

	return finish(&proc);
}

/* What the child prints. The caller frees it. */
static char *output_of(const char *const *argv)
{
	auto_fd int out = sf_proc_memfd("out", NULL);
	struct sf_proc proc = start(argv, out, -1);
	char *text = NULL;
	size_t len;

	assert_int_equal(finish(&proc), 0);
	assert_int_equal(sf_proc_read(out, TEXT_MAX, &text, &len, NULL), 0);
	assert_int_equal(len, strlen(text));
	return text;
}

static void check_says(const char *role, const char *want)
{
	const char *const argv[] = {SELF, role, NULL};
	auto_free char *text = output_of(argv);

	assert_string_equal(text, want);
}

static void status_is_the_exit_code(void **state)
{
	(void)state;
	assert_int_equal(run_role("exit", "0"), 0);
	assert_int_equal(run_role("exit", "5"), 5);
	assert_int_equal(run_role("exit", "255"), 255);
}

static void status_of_a_signal_is_128_more(void **state)
{
	(void)state;
	assert_int_equal(run_role("raise", "9"), 128 + SIGKILL);
	assert_int_equal(run_role("raise", "15"), 128 + SIGTERM);
}

static void programs_come_from_the_fixed_path(void **state)
{
	const char *const argv[] = {"true", NULL};
	const char *old = getenv("PATH");
	auto_free char *saved = strdup(old ? old : SF_PROC_PATH);
	struct sf_proc proc;

	(void)state;
	assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
	proc = start(argv, -1, -1);
	assert_int_equal(finish(&proc), 0);
	assert_int_equal(setenv("PATH", saved, 1), 0);
}

static void check_start_fails(const char *program, const char *extra, int rc, const char *text)
{
	const char *const argv[] = {program, NULL}, *const extra_env[] = {"OK=1", extra, NULL};
	struct sf_proc_spec spec = {argv, extra_env, -1, -1};
	struct sf_proc proc = {.pid = 77, .pidfd = 78};
	struct sf_err err = {0};

	assert_int_equal(sf_proc_start(&spec, &proc, &err), rc);
	assert_string_equal(err.text, text);
	assert_true(proc.pid == 77 && proc.pidfd == 78);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void what_cannot_run_says_so(void **state)
{
	(void)state;
	check_start_fails("snapfs-no-such", NULL, -ENOENT, "run snapfs-no-such: not found in " SF_PROC_PATH);
	check_start_fails("/nowhere/lvs", NULL, -ENOENT, "run /nowhere/lvs: No such file or directory");
	check_start_fails("/etc/passwd", NULL, -EACCES, "run /etc/passwd: Permission denied");
	check_start_fails("true", "PATH=/x", -EINVAL, "'PATH=/x' is not allowed in a child's environment");
	check_start_fails("true", "LC_ALL=de", -EINVAL,
			  "'LC_ALL=de' is not allowed in a child's environment");
	check_start_fails("true", "NAME", -EINVAL, "'NAME' is not allowed in a child's environment");
	check_start_fails("true", "=x", -EINVAL, "'=x' is not allowed in a child's environment");
}

static void a_bad_descriptor_is_refused(void **state)
{
	const char *const argv[] = {"true", NULL};
	struct sf_proc_spec spec = {.argv = argv, .stdout_fd = 9999, .stderr_fd = -1};
	struct sf_proc proc = {0};
	struct sf_err err = {0};

	(void)state;
	assert_int_equal(sf_proc_start(&spec, &proc, &err), -EBADF);
	assert_string_equal(err.text, "duplicate descriptor 9999: Bad file descriptor");
}

static void environment_is_what_was_said(void **state)
{
	const char *const argv[] = {SELF, "environment", NULL};
	const char *const extra_env[] = {"DM_DISABLE_UDEV=1", "EMPTY=", NULL};
	auto_fd int out = sf_proc_memfd("out", NULL);
	struct sf_proc_spec spec = {argv, extra_env, out, -1};
	auto_free char *text = NULL;
	struct sf_proc proc;
	size_t len;

	(void)state;
	assert_int_equal(setenv("SNAPFS_SECRET", "1", 1), 0);
	check_says("environment", "PATH=" SF_PROC_PATH "\nLC_ALL=C\n");
	assert_int_equal(sf_proc_start(&spec, &proc, NULL), 0);
	assert_int_equal(finish(&proc), 0);
	assert_int_equal(sf_proc_read(out, TEXT_MAX, &text, &len, NULL), 0);
	assert_string_equal(text, "PATH=" SF_PROC_PATH "\nLC_ALL=C\nDM_DISABLE_UDEV=1\nEMPTY=\n");
	assert_int_equal(unsetenv("SNAPFS_SECRET"), 0);
}

static void no_descriptor_is_inherited(void **state)
{
	auto_fd int leaky = open("/dev/null", O_RDONLY); /* NOLINT: without O_CLOEXEC on purpose */

	(void)state;
	assert_true(leaky > 2);
	check_says("descriptors", "0 1 2 ");
}

static void a_child_has_a_session_and_the_root_directory(void **state)
{
	(void)state;
	check_says("place", "/ /dev/null 1");
}

/*
 * A set of signals from /proc/PID/status, without the two that glibc's posix_spawn leaves ignored for its own
 * use.
 */
static unsigned long long signal_set(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	assert_non_null(line);
	return strtoull(line + strlen(name), NULL, 16) & ~(3ULL << (32 - 1));
}

/* A program of the system, because ours may have a sanitizer's handlers. */
static void signals_are_as_after_boot(void **state)
{
	const char *const argv[] = {"cat", "/proc/self/status", NULL};
	static const int ignored[] = {SIGPIPE, SIGINT, SIGHUP, 40 /* real-time */};
	void (*old[nitems(ignored)])(int);
	auto_free char *status = NULL;
	sigset_t all, saved;

	(void)state;
	for (size_t i = 0; i < nitems(ignored); i++)
		old[i] = signal(ignored[i], SIG_IGN);
	sigfillset(&all);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &all, &saved), 0);
	status = output_of(argv);
	assert_int_equal(run_role("raise", "13"), 128 + SIGPIPE);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &saved, NULL), 0);
	for (size_t i = 0; i < nitems(ignored); i++)
		(void)signal(ignored[i], old[i]);
	assert_int_equal(signal_set(status, "SigBlk:"), 0);
	assert_int_equal(signal_set(status, "SigIgn:"), 0);
	assert_int_equal(signal_set(status, "SigCgt:"), 0);
}

static void check_holds(int fd, const char *want)
{
	auto_free char *text = NULL;
	size_t len;

	assert_int_equal(sf_proc_read(fd, TEXT_MAX, &text, &len, NULL), 0);
	assert_string_equal(text, want);
}

static void streams_go_where_they_should(void **state)
{
	const char *const argv[] = {SELF, "streams", NULL};
	auto_fd int out = sf_proc_memfd("out", NULL);
	auto_fd int err_fd = sf_proc_memfd("err", NULL);
	auto_fd int both = sf_proc_memfd("both", NULL);
	struct sf_proc proc = start(argv, out, err_fd);

	(void)state;
	assert_true(fcntl(out, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(finish(&proc), 0);
	check_holds(out, "to stdout\n");
	check_holds(err_fd, "to stderr\n");
	proc = start(argv, both, both);
	assert_int_equal(finish(&proc), 0);
	check_holds(both, "to stderr\nto stdout\n"); /* the child's stdout is buffered */
}

/* 1 and 2 of a daemon may be swapped or closed: no dup2() may overwrite the source of another. */
static void streams_below_three_do_not_collide(void **state)
{
	const char *const argv[] = {SELF, "streams", NULL};
	auto_fd int out = sf_proc_memfd("out", NULL);
	auto_fd int err_fd = sf_proc_memfd("err", NULL);
	auto_fd int saved_1 = fcntl(1, F_DUPFD_CLOEXEC, 10), saved_2 = fcntl(2, F_DUPFD_CLOEXEC, 10);
	struct sf_proc_spec spec = {.argv = argv, .stdout_fd = 2, .stderr_fd = 1};
	struct sf_proc proc = {0};
	int rc;

	(void)state;
	fflush(stdout);
	assert_true(dup2(out, 2) == 2 && dup2(err_fd, 1) == 1);
	rc = sf_proc_start(&spec, &proc, NULL);
	assert_true(dup2(saved_1, 1) == 1 && dup2(saved_2, 2) == 2);
	assert_int_equal(rc, 0);
	assert_int_equal(finish(&proc), 0);
	check_holds(out, "to stdout\n");
	check_holds(err_fd, "to stderr\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_the_exit_code),
		cmocka_unit_test(status_of_a_signal_is_128_more),
		cmocka_unit_test(programs_come_from_the_fixed_path),
		cmocka_unit_test(what_cannot_run_says_so),
		cmocka_unit_test(a_bad_descriptor_is_refused),
		cmocka_unit_test(environment_is_what_was_said),
		cmocka_unit_test(no_descriptor_is_inherited),
		cmocka_unit_test(a_child_has_a_session_and_the_root_directory),
		cmocka_unit_test(signals_are_as_after_boot),
		cmocka_unit_test(streams_go_where_they_should),
		cmocka_unit_test(streams_below_three_do_not_collide),
	};

	if (argc > 1)
		return play(argv);
	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}

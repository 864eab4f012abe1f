/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How children end, and what happens to their output. */
#include "proc_fixture.h"

#include "lib/tmpdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that ends when the write end of the pipe is closed. */
struct patient {
	struct sf_proc proc;
	char dir[TEXT_MAX];
	char fifo[TEXT_MAX + 8];
};

static int make_patient(void **state)
{
	struct patient *patient = calloc(1, sizeof(*patient));
	const char *argv[] = {"cat", NULL, NULL};

	assert_non_null(patient);
	assert_non_null(test_tmpdir(patient->dir, sizeof(patient->dir), "proc"));
	snprintf(patient->fifo, sizeof(patient->fifo), "%s/fifo", patient->dir);
	assert_int_equal(mkfifo(patient->fifo, 0600), 0);
	argv[1] = patient->fifo;
	patient->proc = start(argv, -1, -1);
	*state = patient;
	return 0;
}

static void release(struct patient *patient)
{
	int fd = open(patient->fifo, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
}

static int remove_patient(void **state)
{
	struct patient *patient = *state;

	(void)sf_proc_kill(&patient->proc, DEADLINE_MS, NULL); /* for tests that failed */
	unlink(patient->fifo);
	assert_int_equal(rmdir(patient->dir), 0);
	free(patient);
	return 0;
}

static void a_deadline_leaves_the_child_alone(void **state)
{
	struct patient *patient = *state;
	struct sf_err err = {0};
	char want[64];
	int status = 99;

	assert_int_equal(sf_proc_wait(&patient->proc, 0, &status, &err), -ETIMEDOUT);
	assert_int_equal(sf_proc_wait(&patient->proc, 20, &status, &err), -ETIMEDOUT);
	snprintf(want, sizeof(want), "process %d is still running after 20 ms", (int)patient->proc.pid);
	assert_string_equal(err.text, want);
	assert_int_equal(status, 99);
	assert_int_equal(kill(patient->proc.pid, 0), 0);
	release(patient);
	assert_int_equal(sf_proc_wait(&patient->proc, SF_PROC_FOREVER, &status, &err), 0);
	assert_int_equal(status, 0);
	assert_int_equal(sf_proc_wait(&patient->proc, 0, &status, &err), -ECHILD);
	assert_string_equal(err.text, "no process to wait for");
}

static void nothing(int sig)
{
	(void)sig;
}

static void *disturb(void *arg)
{
	pthread_t *waiter = arg;

	for (int i = 0; i < 20; i++) {
		pthread_kill(*waiter, SIGUSR1);
		(void)poll(NULL, 0, 1);
	}
	return NULL;
}

static void a_signal_does_not_end_the_waiting(void **state)
{
	struct patient *patient = *state;
	struct sigaction action = {.sa_handler = nothing}, old;
	pthread_t self = pthread_self(), thread;
	int status;

	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	assert_int_equal(pthread_create(&thread, NULL, disturb, &self), 0);
	assert_int_equal(sf_proc_wait(&patient->proc, 50, &status, NULL), -ETIMEDOUT);
	pthread_join(thread, NULL);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

static void a_wait_without_a_pidfd_gets_one(void **state)
{
	struct patient *patient = *state;

	close(patient->proc.pidfd);
	patient->proc.pidfd = -1; /* as after EMFILE */
	assert_int_equal(sf_proc_wait(&patient->proc, 0, &(int){0}, NULL), -ETIMEDOUT);
	release(patient);
	assert_int_equal(finish(&patient->proc), 0);
}

static void kill_ends_the_child_and_reaps_it(void **state)
{
	struct patient *patient = *state;
	pid_t pid = patient->proc.pid;

	assert_int_equal(sf_proc_kill(&patient->proc, DEADLINE_MS, NULL), 0);
	assert_int_equal(patient->proc.pid, 0);
	assert_true(waitpid(pid, NULL, WNOHANG) < 0 && errno == ECHILD);
	assert_int_equal(sf_proc_kill(&patient->proc, DEADLINE_MS, NULL), 0);
}

static void kill_accepts_one_that_has_ended(void **state)
{
	struct patient *patient = *state;
	siginfo_t info;

	release(patient);
	assert_int_equal(waitid(P_PID, (id_t)patient->proc.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(sf_proc_kill(&patient->proc, DEADLINE_MS, NULL), 0);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void a_dropped_child_runs_on(void **state)
{
	struct patient *patient = *state;
	pid_t pid = patient->proc.pid;
	int pidfd = patient->proc.pidfd, status = -1;

	sf_proc_drop(&patient->proc);
	assert_int_equal(patient->proc.pid, 0);
	assert_true(fcntl(pidfd, F_GETFD) < 0 && errno == EBADF);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	release(patient);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sf_proc_drop(&patient->proc);
}

static void a_child_reaped_by_others_is_told(void **state)
{
	struct patient *patient = *state;
	struct sf_err err = {0};
	int status = 99;

	release(patient);
	assert_int_equal(waitpid(patient->proc.pid, NULL, 0), patient->proc.pid);
	assert_int_equal(sf_proc_wait(&patient->proc, DEADLINE_MS, &status, &err), -ECHILD);
	assert_non_null(strstr(err.text, "No child processes"));
	assert_int_equal(patient->proc.pid, 0);
	assert_int_equal(status, 99);
}

static void *run_many(void *arg)
{
	for (int i = 0; i < 25; i++) {
		int code = (int)(intptr_t)arg * 25 + i;
		auto_fd int out = sf_proc_memfd("out", NULL);
		auto_free char *text = NULL;
		char number[16];
		const char *const argv[] = {"sh", "-c", "echo $0; exit $0", number, NULL};
		struct sf_proc proc;
		size_t len;

		snprintf(number, sizeof(number), "%d", code);
		proc = start(argv, out, -1);
		assert_int_equal(finish(&proc), code);
		assert_int_equal(sf_proc_read(out, TEXT_MAX, &text, &len, NULL), 0);
		assert_int_equal(atoi(text), code);
	}
	return NULL;
}

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void many_threads_run_children_at_once(void **state)
{
	int before = count_descriptors();
	pthread_t threads[8];

	(void)state;
	for (intptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, (void *)i), 0);
	for (size_t i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count_descriptors(), before);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void no_descriptors_left_is_no_half_started_child(void **state)
{
	struct rlimit old, tight = {.rlim_cur = 3};
	const char *const argv[] = {"true", NULL};
	struct sf_proc_spec spec = {.argv = argv, .stdout_fd = -1, .stderr_fd = -1};
	struct sf_proc proc = {0};
	struct sf_err err = {0};
	int rc;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	rc = sf_proc_start(&spec, &proc, &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(rc, -EMFILE);
	assert_string_equal(err.text, "open /dev/null: Too many open files");
	assert_int_equal(proc.pid, 0);
}

/* --- Output. --- */

static void output_above_the_cap_is_refused(void **state)
{
	auto_fd int fd = sf_proc_memfd("out", NULL);
	auto_free char *text = NULL;
	struct sf_err err = {0};
	size_t len = 99;

	(void)state;
	assert_int_equal(write(fd, "12345", 5), 5);
	assert_int_equal(sf_proc_read(fd, 4, &text, &len, &err), -EFBIG);
	assert_string_equal(err.text, "a command printed 5 bytes, more than the limit of 4");
	assert_true(!text && len == 99);
	assert_int_equal(sf_proc_read(fd, 5, &text, &len, &err), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "12345");
}

static void messages_become_one_line(void **state)
{
	static const struct {
		const char *text, *want;
		size_t size;
	} cases[] = {
		{"", "", 64},
		{"\n \n\t\n", "", 64},
		{"  Volume group \"vg\" not found\n", "Volume group \"vg\" not found", 64},
		{"  one\n\n  two \r\n three", "one; two; three", 64},
		{"a\tb\x1b[1m\x7f"
		 "c\x01\n\x01\n",
		 "a b[1mc", 64},
		{"WARNING: sum\n  WARNING: of sizes\n  no space\n", "no space", 64},
		{"  WARNING: sum\nWARNING: two\n", "WARNING: sum; WARNING: two", 64},
		{"12345678", "12345678", 9},
		{"123456789", "12345…", 9},
		{"12345\n89", "12345…", 9},
		{"12345ä9abc", "12345…", 9},
		{"1234ä9abc", "1234…", 9}, /* a cut there would split "ä" */
		{"1234", "…", 4},
	};

	(void)state;
	for (size_t i = 0; i < nitems(cases); i++) {
		char buf[65];

		memset(buf, 'x', sizeof(buf));
		sf_proc_message(cases[i].text, buf, cases[i].size);
		assert_string_equal(buf, cases[i].want);
		assert_true(buf[cases[i].size] == 'x');
	}
}

#define with_patient(test) cmocka_unit_test_setup_teardown(test, make_patient, remove_patient)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_patient(a_deadline_leaves_the_child_alone),
		with_patient(a_signal_does_not_end_the_waiting),
		with_patient(a_wait_without_a_pidfd_gets_one),
		with_patient(kill_ends_the_child_and_reaps_it),
		with_patient(kill_accepts_one_that_has_ended),
		with_patient(a_dropped_child_runs_on),
		with_patient(a_child_reaped_by_others_is_told),
		cmocka_unit_test(many_threads_run_children_at_once),
		cmocka_unit_test(no_descriptors_left_is_no_half_started_child),
		cmocka_unit_test(output_above_the_cap_is_refused),
		cmocka_unit_test(messages_become_one_line),
	};

	return cmocka_run_group_tests_name("proc_wait", tests, NULL, NULL);
}

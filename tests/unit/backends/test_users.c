/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/common/users.h"

#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[128];
	char path[144];
	int fd;
	int loop; /* negative: none */
	char loop_path[32];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	if (!test_tmpdir(f->dir, sizeof(f->dir), "users"))
		return -1;
	(void)snprintf(f->path, sizeof(f->path), "%s/image", f->dir);
	f->loop = -1;
	*state = f;
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->fd < 0 || ftruncate(f->fd, 1 << 20) < 0 || close(f->fd) < 0)
		return -1;
	f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
	return f->fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->loop >= 0) {
		(void)ioctl(f->loop, LOOP_CLR_FD, 0);
		(void)close(f->loop);
	}
	(void)close(f->fd);
	(void)unlink(f->path);
	(void)rmdir(f->dir);
	free(f);
	return 0;
}

/* A process named "opener" that has path open until it is killed. */
static pid_t opener(const char *path, int flags)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "opener");
		(void)!write(ready[1], open(path, flags | O_CLOEXEC) >= 0 ? "y" : "n", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Sets f->loop. -EBUSY if somebody else took the free device meanwhile. */
static int attach_free(struct fixture *f, int control, int fd)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);

	(void)snprintf(f->loop_path, sizeof(f->loop_path), "/dev/loop%d", number);
	f->loop = number < 0 ? -1 : open(f->loop_path, O_RDWR | O_CLOEXEC);
	if (f->loop < 0 || ioctl(f->loop, LOOP_SET_FD, fd) == 0)
		return f->loop < 0 ? -errno : 0;
	number = -errno;
	(void)close(f->loop);
	f->loop = -1;
	return number;
}

/* Attaches a loop device. False if this host has none. */
static bool attach(struct fixture *f)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = open(f->path, O_RDWR | O_CLOEXEC);
	int rc = control < 0 ? -errno : -EBUSY;

	while (rc == -EBUSY)
		rc = attach_free(f, control, fd);
	if (control >= 0)
		(void)close(control);
	(void)close(fd);
	return rc == 0;
}

static void writers_are_named(void **state)
{
	struct fixture *f = *state;
	char text[SF_USERS_TEXT], expected[SF_USERS_TEXT];
	pid_t reader = opener(f->path, O_RDONLY), writer = opener(f->path, O_RDWR);

	(void)snprintf(expected, sizeof(expected), ": pid %d (opener)", (int)writer);
	assert_string_equal(sf_users_of_file(f->fd, f->path, text), expected);
	end(writer);
	assert_string_equal(sf_users_of_file(f->fd, f->path, text), "");
	end(reader);
}

static void what_a_process_has_open_is_told(void **state)
{
	struct fixture *f = *state;
	pid_t reader = opener(f->path, O_RDONLY);
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", (int)reader);
	assert_int_equal(sf_users_has_open(pid, f->path), 1);
	assert_int_equal(sf_users_has_open(pid, f->dir), 0);
	assert_int_equal(sf_users_has_open(pid, "/there/is/no/such"), -ENOENT);
	assert_int_equal(sf_users_has_open("../1", f->path), -EINVAL);
	end(reader);
	assert_int_equal(sf_users_has_open(pid, f->path), -ENOENT);
}

static void many_writers_are_summed_up(void **state)
{
	struct fixture *f = *state;
	char text[SF_USERS_TEXT];
	const char *at;
	pid_t writers[7];
	int named = 0;

	for (int i = 0; i < 7; i++)
		writers[i] = opener(f->path, O_WRONLY);
	for (at = sf_users_of_file(f->fd, f->path, text); (at = strstr(at, "(opener)")); at++)
		named++;
	for (int i = 0; i < 7; i++)
		end(writers[i]);
	assert_int_equal(named, 4);
	assert_string_equal(text + strlen(text) - strlen(", and others"), ", and others");
}

static void loop_devices_are_named(void **state)
{
	struct fixture *f = *state;
	char text[SF_USERS_TEXT], expected[SF_USERS_TEXT];

	if (!attach(f)) {
		print_message("# skipped: no loop device can be attached here\n");
		skip();
	}
	(void)snprintf(expected, sizeof(expected), ": loop device %s", f->loop_path);
	assert_string_equal(sf_users_of_file(f->fd, f->path, text), expected);
}

static void openers_of_a_device_are_named(void **state)
{
	struct fixture *f = *state;
	char text[SF_USERS_TEXT], expected[SF_USERS_TEXT];
	struct stat st;
	pid_t reader;

	if (!attach(f)) {
		print_message("# skipped: no loop device can be attached here\n");
		skip();
	}
	assert_int_equal(fstat(f->loop, &st), 0);
	reader = opener(f->loop_path, O_RDONLY);
	(void)snprintf(expected, sizeof(expected), "pid %d (opener)", (int)reader);
	assert_non_null(strstr(sf_users_of_device(st.st_rdev, text), expected)); /* and perhaps udev */
	end(reader);
	assert_null(strstr(sf_users_of_device(st.st_rdev, text), expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writers_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_process_has_open_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(many_writers_are_summed_up, setup, teardown),
		cmocka_unit_test_setup_teardown(loop_devices_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(openers_of_a_device_are_named, setup, teardown),
	};

	return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}

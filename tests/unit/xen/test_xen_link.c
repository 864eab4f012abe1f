/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines over a socket, in pieces of any size, and the descriptors sent with them. */
#include "backends/common/helper/link.h"
#include "backends/common/helper/wire.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_MS 60000
#define FDS_MAX 253 /* the kernel's SCM_MAX_FD */

struct fixture {
	struct sf_helper_link link;
	int other; /* the raw descriptor of the other end */
	size_t nfds;
	struct sf_err err;
};

static size_t count_fds(void)
{
	auto_dir DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ends[2];

	assert_non_null(f);
	f->nfds = count_fds();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	sf_helper_link_init(&f->link, ends[0]);
	f->other = ends[1];
	*state = f;
	return 0;
}

/* Also asserts that no descriptor has leaked. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	sf_helper_link_fini(&f->link);
	sf_cleanup_fd(&f->other);
	assert_int_equal(count_fds(), f->nfds);
	free(f);
	return 0;
}

static void say(struct fixture *f, const char *text)
{
	assert_int_equal(sf_write_all(f->other, text, strlen(text)), 0);
}

static void hang_up(struct fixture *f)
{
	close(f->other);
	f->other = -1;
}

static void hear(struct fixture *f, const char *line)
{
	size_t len = 0;
	char *got;

	if (sf_helper_link_next(&f->link, LONG_MS, &got, &len, &f->err) != 1)
		fail_msg("'%s' does not come: %s", line, f->err.text);
	assert_string_equal(got, line);
	assert_int_equal(len, strlen(line));
}

static void hear_nothing(struct fixture *f, int timeout_ms, int rc, const char *why)
{
	char untouched[] = "untouched", *got = untouched;
	size_t len = 77;

	f->err = (struct sf_err){0};
	assert_int_equal(sf_helper_link_next(&f->link, timeout_ms, &got, &len, &f->err), rc);
	assert_ptr_equal(got, untouched);
	assert_int_equal(len, 77);
	if (!strstr(f->err.text, why) || f->err.code != rc)
		fail_msg("'%s' instead of '%s'", f->err.text, why);
}

/* --- lines --- */

static void lines_come_whole_whatever_their_pieces(void **state)
{
	struct fixture *f = *state;

	say(f, "o");
	hear_nothing(f, 0, 0, "");
	assert_int_equal(f->link.passed, -1);
	say(f, "ne");
	hear_nothing(f, 1, 0, "");
	say(f, "\ntw");
	hear(f, "one");
	hear_nothing(f, 0, 0, "");
	say(f, "o\n");
	hear(f, "two");
	hear_nothing(f, 0, 0, "");
}

static void several_lines_may_come_at_once(void **state)
{
	struct fixture *f = *state;

	say(f, "one\n\nthree\nfour");
	hear(f, "one");
	hear(f, "");
	hear(f, "three");
	hear_nothing(f, 0, 0, "");
	say(f, "\n");
	hear(f, "four");
}

static void the_end_is_told_when_all_lines_were_read(void **state)
{
	struct fixture *f = *state;

	say(f, "one\ntwo\nhalf");
	hang_up(f);
	hear(f, "one");
	hear(f, "two");
	hear_nothing(f, LONG_MS, -EPIPE, "the other end is gone");
	hear_nothing(f, -1, -EPIPE, "the other end is gone");
}

static void an_end_with_words_unread_is_an_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sf_helper_link_send(&f->link, "hello\n", 6, -1, &f->err), 0);
	say(f, "one\n");
	hang_up(f); /* hello is still unread, so the kernel reports ECONNRESET */
	hear(f, "one");
	hear_nothing(f, LONG_MS, -EPIPE, "the other end is gone");
}

/* Writes text repeatedly into the other end until a write fails or len bytes are written. */
struct writer {
	struct fixture *f;
	size_t len;
	bool with_end;
};

static void *write_much(void *arg)
{
	static char text[1 << 20];
	const struct writer *writer = arg;
	size_t left = writer->len;

	memset(text, 'x', sizeof(text));
	while (left > 0) {
		size_t some = left < sizeof(text) ? left : sizeof(text);
		ssize_t n = send(writer->f->other, text, some, MSG_NOSIGNAL);

		if (n < 0)
			return NULL;
		left -= (size_t)n;
	}
	if (writer->with_end)
		(void)!send(writer->f->other, "\n", 1, MSG_NOSIGNAL);
	return NULL;
}

/* The result of next for a line of len bytes. */
static int next_of(struct fixture *f, size_t len, bool with_end)
{
	struct writer writer = {f, len, with_end};
	pthread_t thread;
	size_t got_len = 0;
	char *got;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, write_much, &writer), 0);
	rc = sf_helper_link_next(&f->link, LONG_MS, &got, &got_len, &f->err);
	if (rc == 1) {
		assert_int_equal(got_len, len);
		assert_int_equal(strspn(got, "x"), len);
	}
	shutdown(f->link.fd, SHUT_RD); /* ends a writer that still runs */
	pthread_join(thread, NULL);
	return rc;
}

static void the_longest_line_comes_whole(void **state)
{
	assert_int_equal(next_of(*state, SF_HELPER_LINE_MAX, true), 1);
}

static void a_line_that_does_not_end_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(next_of(f, 4UL * SF_HELPER_LINE_MAX, false), -EPROTO);
	assert_string_equal(f->err.text, "a line of more than 16777216 bytes");
	assert_true(f->link.cap <= 4UL * SF_HELPER_LINE_MAX);
	hear_nothing(f, 0, -EPROTO, "a line of more than");
}

static void a_line_that_is_a_bit_too_long_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(next_of(f, SF_HELPER_LINE_MAX + 1, true), -EPROTO);
	assert_string_equal(f->err.text, "a line of more than 16777216 bytes");
}

static void *trickle(void *arg)
{
	struct fixture *f = arg;

	while (send(f->other, "x", 1, MSG_NOSIGNAL) == 1)
		(void)poll(NULL, 0, 10);
	return NULL;
}

static void pieces_do_not_make_the_wait_longer(void **state)
{
	struct fixture *f = *state;
	uint64_t began = sf_clock_mono_ms();
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, trickle, f), 0);
	hear_nothing(f, 300, 0, "");
	assert_true(sf_clock_mono_ms() - began >= 300);
	shutdown(f->link.fd, SHUT_RD);
	pthread_join(thread, NULL);
}

/* --- signals --- */

static void nothing(int number)
{
	(void)number;
}

static void catch_usr1(void)
{
	const struct sigaction action = {.sa_handler = nothing}; /* without SA_RESTART */

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
}

struct waiting {
	struct fixture *f;
	atomic_bool done;
	int rc;
};

static void *wait_for_line(void *arg)
{
	struct waiting *waiting = arg;
	size_t len;
	char *line;

	waiting->rc = sf_helper_link_next(&waiting->f->link, -1, &line, &len, &waiting->f->err);
	atomic_store(&waiting->done, true);
	return NULL;
}

static void a_signal_ends_the_wait(void **state)
{
	struct fixture *f = *state;
	struct waiting waiting = {.f = f};
	pthread_t thread;

	catch_usr1();
	assert_int_equal(pthread_create(&thread, NULL, wait_for_line, &waiting), 0);
	while (!atomic_load(&waiting.done)) {
		pthread_kill(thread, SIGUSR1);
		(void)poll(NULL, 0, 1);
	}
	pthread_join(thread, NULL);
	assert_int_equal(waiting.rc, -EINTR);
	say(f, "one\n");
	hear(f, "one");
}

struct sending {
	struct fixture *f;
	const char *line;
	size_t len;
	atomic_bool done;
	int rc;
};

static void *send_line(void *arg)
{
	struct sending *sending = arg;

	sending->rc = sf_helper_link_send(&sending->f->link, sending->line, sending->len, -1, NULL);
	atomic_store(&sending->done, true);
	return NULL;
}

static void a_line_is_sent_whole_through_signals(void **state)
{
	struct fixture *f = *state;
	const size_t len = 4 << 20;
	auto_free char *line = malloc(len), *got = malloc(len);
	struct sending sending = {.f = f, .line = line, .len = len};
	pthread_t thread;
	size_t n = 0;

	assert_true(line && got);
	for (size_t i = 0; i < len; i++)
		line[i] = (char)('a' + i % 26);
	catch_usr1();
	assert_int_equal(pthread_create(&thread, NULL, send_line, &sending), 0);
	for (int i = 0; i < 100; i++) { /* nobody reads: sends until the socket is full, then waits */
		assert_false(atomic_load(&sending.done));
		pthread_kill(thread, SIGUSR1);
		(void)poll(NULL, 0, 1);
	}
	while (n < len) {
		ssize_t some = recv(f->other, got + n, len - n, 0);

		assert_true(some > 0);
		n += (size_t)some;
	}
	pthread_join(thread, NULL);
	assert_int_equal(sending.rc, 0);
	assert_memory_equal(line, got, len);
}

/* --- sending --- */

static void whoever_does_not_read_is_not_waited_for_for_ever(void **state)
{
	struct fixture *f = *state;
	const struct timeval patience = {.tv_usec = 100000};
	auto_free char *line = calloc(1, 4 << 20);

	assert_non_null(line);
	assert_int_equal(setsockopt(f->link.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(sf_helper_link_send(&f->link, line, 4 << 20, -1, &f->err), -ETIMEDOUT);
	assert_string_equal(f->err.text, "send a line: the other end does not read");
}

static void sending_to_nobody_is_no_signal(void **state)
{
	struct fixture *f = *state;

	hang_up(f);
	assert_int_equal(sf_helper_link_send(&f->link, "hello\n", 6, -1, &f->err), -EPIPE);
	assert_non_null(strstr(f->err.text, "send a line: "));
	assert_int_equal(f->err.code, -EPIPE);
}

/* Long lines, because the kernel accepts short ones in one piece. */
#define LINES_EACH 30
#define LINE_BYTES 300000

static void *send_many(void *arg)
{
	struct sending *sending = arg;

	for (int i = 0; i < LINES_EACH && sending->rc == 0; i++)
		sending->rc = sf_helper_link_send(&sending->f->link, sending->line, LINE_BYTES, -1, NULL);
	return NULL;
}

static void lines_of_two_threads_do_not_mix(void **state)
{
	struct fixture *f = *state;
	static char lines[2][LINE_BYTES];
	struct sending sendings[2];
	struct sf_helper_link reader;
	pthread_t threads[2];
	size_t n[2] = {0}, len;
	char *line;

	sf_helper_link_init(&reader, dup(f->other));
	for (int i = 0; i < 2; i++) {
		memset(lines[i], 'a' + i, LINE_BYTES - 1);
		lines[i][LINE_BYTES - 1] = '\n';
		sendings[i] = (struct sending){.f = f, .line = lines[i]};
		assert_int_equal(pthread_create(&threads[i], NULL, send_many, &sendings[i]), 0);
	}
	for (int i = 0; i < 2 * LINES_EACH; i++) {
		assert_int_equal(sf_helper_link_next(&reader, LONG_MS, &line, &len, NULL), 1);
		assert_int_equal(len, LINE_BYTES - 1);
		assert_memory_equal(line, lines[*line - 'a'], len);
		n[*line - 'a']++;
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(sendings[i].rc, 0);
		assert_int_equal(n[i], LINES_EACH);
	}
	sf_helper_link_fini(&reader);
}

/* --- descriptors --- */

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static int some_file(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void a_descriptor_goes_with_its_line(void **state)
{
	struct fixture *f = *state;
	struct sf_helper_link reader;
	auto_fd int fd = memfd_create("ram", MFD_CLOEXEC), got = -1;
	size_t len;
	char *line;

	sf_helper_link_init(&reader, dup(f->other));
	assert_int_equal(sf_helper_link_send(&f->link, "power\n", 6, -1, &f->err), 0);
	assert_int_equal(sf_helper_link_send(&f->link, "save\n", 5, fd, &f->err), 0);
	assert_int_equal(sf_helper_link_next(&reader, LONG_MS, &line, &len, NULL), 1);
	assert_string_equal(line, "power"); /* the descriptor may have arrived with it */
	assert_int_equal(sf_helper_link_next(&reader, LONG_MS, &line, &len, NULL), 1);
	assert_string_equal(line, "save");
	got = sf_take_fd(&reader.passed);
	assert_true(got >= 0 && got != fd);
	assert_int_equal(inode_of(got), inode_of(fd));
	assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
	sf_helper_link_fini(&reader);
}

static void say_with(struct fixture *f, const char *text, const int *fds, size_t nfds)
{
	char control[CMSG_SPACE(FDS_MAX * sizeof(int))] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = CMSG_SPACE(nfds * sizeof(int))};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(head), fds, nfds * sizeof(int));
	assert_int_equal(sendmsg(f->other, &msg, 0), (ssize_t)strlen(text));
}

static void more_descriptors_than_one_do_not_leak(void **state)
{
	static const size_t numbers[] = {1, 2, 3, 4, 5, FDS_MAX};
	struct fixture *f = *state;
	int fds[FDS_MAX];

	for (size_t i = 0; i < FDS_MAX; i++)
		fds[i] = some_file();
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		size_t before = count_fds();

		say_with(f, "odd\n", fds, numbers[i]);
		hear(f, "odd");
		assert_true(f->link.passed >= 0);
		assert_int_equal(inode_of(f->link.passed), inode_of(fds[0]));
		sf_cleanup_fd(&f->link.passed);
		f->link.passed = -1;
		assert_int_equal(count_fds(), before);
	}
	for (size_t i = 0; i < FDS_MAX; i++)
		close(fds[i]);
}

static void descriptors_that_nobody_takes_do_not_leak(void **state)
{
	struct fixture *f = *state;
	auto_fd int fd = some_file();

	for (int i = 0; i < 10; i++) {
		say_with(f, i % 2 ? "x" : "x\n", &fd, 1);
		if (i % 2 == 0)
			assert_int_equal(
				sf_helper_link_next(&f->link, LONG_MS, &(char *){NULL}, &(size_t){0}, NULL),
				1);
	}
	assert_int_equal(count_fds(), f->nfds + 4); /* the socket's ends, fd, and the last received one */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines_come_whole_whatever_their_pieces),
		CASE(several_lines_may_come_at_once),
		CASE(the_end_is_told_when_all_lines_were_read),
		CASE(an_end_with_words_unread_is_an_end),
		CASE(the_longest_line_comes_whole),
		CASE(a_line_that_does_not_end_is_refused),
		CASE(a_line_that_is_a_bit_too_long_is_refused),
		CASE(pieces_do_not_make_the_wait_longer),
		CASE(a_signal_ends_the_wait),
		CASE(a_line_is_sent_whole_through_signals),
		CASE(whoever_does_not_read_is_not_waited_for_for_ever),
		CASE(sending_to_nobody_is_no_signal),
		CASE(lines_of_two_threads_do_not_mix),
		CASE(a_descriptor_goes_with_its_line),
		CASE(more_descriptors_than_one_do_not_leak),
		CASE(descriptors_that_nobody_takes_do_not_leak),
	};

	return cmocka_run_group_tests_name("xen_link", tests, NULL, NULL);
}

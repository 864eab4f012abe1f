/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHUNK (64 * 1024)

void sf_helper_link_init(struct sf_helper_link *link, int fd)
{
	*link = (struct sf_helper_link){.fd = fd, .passed = -1};
	pthread_mutex_init(&link->sending, NULL);
}

void sf_helper_link_fini(struct sf_helper_link *link)
{
	sf_cleanup_fd(&link->fd);
	sf_cleanup_fd(&link->passed);
	free(link->buf);
	pthread_mutex_destroy(&link->sending);
}

/* The kernel delivers the descriptor with the first byte. */
static ssize_t send_some(int socket, const char *text, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	return sendmsg(socket, &msg, MSG_NOSIGNAL);
}

int sf_helper_link_send(struct sf_helper_link *link, const char *line, size_t len, int fd, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&link->sending);

	for (size_t done = 0; done < len;) {
		ssize_t n = send_some(link->fd, line + done, len - done, done == 0 ? fd : -1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return sf_fail(err, -ETIMEDOUT, "send a line: the other end does not read");
		if (n < 0)
			return sf_fail(err, errno == ECONNRESET ? -EPIPE : -errno, "send a line: %s",
				       strerror(errno));
		done += (size_t)n;
	}
	return 0;
}

/* Every received descriptor is ours. More than one violates the protocol; the last is kept. */
static void keep_passed(struct sf_helper_link *link, struct msghdr *msg)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= head->cmsg_len; at += sizeof(int)) {
			sf_cleanup_fd(&link->passed);
			memcpy(&link->passed, CMSG_DATA(head) + at, sizeof(int));
		}
	}
}

static int make_room(struct sf_helper_link *link, struct sf_err *err)
{
	size_t cap = link->cap ? link->cap * 2 : CHUNK;
	char *buf;

	if (link->cap - link->len >= CHUNK / 2)
		return 0;
	buf = realloc(link->buf, cap);
	if (!buf)
		return sf_fail(err, -ENOMEM, "out of memory");
	link->buf = buf;
	link->cap = cap;
	return 0;
}

static int receive(struct sf_helper_link *link, struct sf_err *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part;
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes)};
	int rc = make_room(link, err);
	ssize_t n;

	if (rc < 0)
		return rc;
	part = (struct iovec){.iov_base = link->buf + link->len, .iov_len = link->cap - link->len};
	n = recvmsg(link->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return sf_fail(err, -EPIPE, "the other end is gone");
	keep_passed(link, &msg);
	link->len += (size_t)n;
	return 0;
}

/* 1 when the buffer holds a whole line after the one returned last, 0 when not. */
static int take(struct sf_helper_link *link, char **ret, size_t *ret_len, struct sf_err *err)
{
	char *end = NULL;

	if (link->taken > 0) {
		link->len -= link->taken;
		memmove(link->buf, link->buf + link->taken, link->len);
		link->taken = link->searched = 0;
	}
	if (link->len > link->searched)
		end = memchr(link->buf + link->searched, '\n', link->len - link->searched);
	link->searched = link->len;
	if ((end ? (size_t)(end - link->buf) : link->len) > SF_HELPER_LINE_MAX)
		return sf_fail(err, -EPROTO, "a line of more than %d bytes", SF_HELPER_LINE_MAX);
	if (!end)
		return 0;
	*end = '\0';
	*ret = link->buf;
	*ret_len = (size_t)(end - link->buf);
	link->taken = *ret_len + 1;
	return 1;
}

static int left_of(uint64_t until_ms)
{
	uint64_t now = sf_clock_mono_ms();

	return now < until_ms ? (int)(until_ms - now) : 0;
}

int sf_helper_link_next(struct sf_helper_link *link, int timeout_ms, char **ret, size_t *ret_len,
			struct sf_err *err)
{
	uint64_t until_ms = timeout_ms > 0 ? sf_clock_mono_ms() + (uint64_t)timeout_ms : 0;
	struct pollfd poll_fd = {.fd = link->fd, .events = POLLIN};
	int n, rc;

	while ((rc = take(link, ret, ret_len, err)) == 0) {
		n = poll(&poll_fd, 1, timeout_ms > 0 ? left_of(until_ms) : timeout_ms);
		if (n == 0)
			return 0;
		if (n < 0)
			return sf_fail(err, -errno, "wait for a line: %s", strerror(errno));
		rc = receive(link, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

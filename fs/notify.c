/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "notify.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* Room for a path and some words; systemd accepts 64 KiB. */
#define MESSAGE_MAX (SF_ERR_TEXT + 256)
/* How long to wait while the manager's queue is full: after a lost READY, it would wait forever. */
#define PATIENCE_S 10

static int find_manager(const char *name, struct sockaddr_un *address, socklen_t *ret_len, struct sf_err *err)
{
	size_t len = strlen(name);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if ((*name != '/' && *name != '@') || len < 2 || len >= sizeof(address->sun_path))
		return sf_fail(err, -EAFNOSUPPORT, "NOTIFY_SOCKET=%s: not a socket's path or abstract name",
			       name);
	memcpy(address->sun_path, name, len);
	if (*name == '@')
		address->sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

/* A newline in a mount point's name must not start another assignment. */
static size_t compose(const char *state, const char *status, char message[static MESSAGE_MAX])
{
	int len = snprintf(message, MESSAGE_MAX, "%s%s%s", state, status && *state ? "\n" : "",
			   status ? "STATUS=" : "");

	for (; status && *status && len < MESSAGE_MAX - 1; status++)
		message[len++] = iscntrl((unsigned char)*status) ? '?' : *status;
	return (size_t)len;
}

static int open_socket(struct sf_err *err)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return sf_fail(err, -errno, "socket: %s", strerror(errno));
	return sf_take_fd(&fd);
}

int sf_notify(const char *state, const char *status, struct sf_err *err)
{
	const char *name = getenv("NOTIFY_SOCKET");
	char message[MESSAGE_MAX];
	struct sockaddr_un address;
	auto_fd int fd = -1;
	socklen_t address_len = 0;
	size_t len;
	int rc;

	if (!name || !*name)
		return 0;
	rc = find_manager(name, &address, &address_len, err);
	if (rc < 0)
		return rc;
	fd = open_socket(err);
	if (fd < 0)
		return fd;
	len = compose(state, status, message);
	if (sendto(fd, message, len, MSG_NOSIGNAL, (struct sockaddr *)&address, address_len) != (ssize_t)len)
		return sf_fail(err, -errno, "NOTIFY_SOCKET=%s: %s", name, strerror(errno));
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One end of the socket between the daemon and a helper. It sends and receives whole lines; a line may
 * carry one descriptor. One thread at a time uses a link, but any thread may send. Sources: unix(7), cmsg(3).
 */
#ifndef SF_BACKENDS_COMMON_HELPER_LINK_H
#define SF_BACKENDS_COMMON_HELPER_LINK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

struct sf_helper_link {
	int fd;
	int passed; /* the last descriptor received, for the reader to take; -1: none */
	char *buf;
	size_t len, cap;
	size_t searched; /* bytes already searched for the end of a line */
	size_t taken;    /* length of the line returned last, with its newline */
	pthread_mutex_t sending;
};

/* Takes ownership of fd. */
void sf_helper_link_init(struct sf_helper_link *link, int fd);
void sf_helper_link_fini(struct sf_helper_link *link);

/*
 * Sends one line, which includes its newline, and a descriptor unless fd is -1. Blocks while the other end
 * does not read, at most for the socket's SO_SNDTIMEO. -EPIPE: the other end is gone. -ETIMEDOUT: it does not
 * read; part of the line may have been sent.
 */
int sf_helper_link_send(struct sf_helper_link *link, const char *line, size_t len, int fd,
			struct sf_err *err);

/*
 * Waits for the next whole line. *ret points to it, without its newline, until the next call. Returns
 * 1         there is a line
 * 0         timeout_ms (-1: no limit) has passed, even if part of a line arrived
 * -EPIPE    the other end is gone and all its lines were returned
 * -EPROTO   a line is longer than SF_HELPER_LINE_MAX
 * -EINTR    a signal arrived
 * -ENOMEM
 */
int sf_helper_link_next(struct sf_helper_link *link, int timeout_ms, char **ret, size_t *ret_len,
			struct sf_err *err);

#endif

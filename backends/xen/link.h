/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One end of the socket between the daemon and a Xen helper: lines go out whole, with a descriptor at most,
 * and come in whole. Used by one thread at a time; sending has a lock of its own. Sources: unix(7), cmsg(3).
 */
#ifndef SF_BACKENDS_XEN_LINK_H
#define SF_BACKENDS_XEN_LINK_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

struct sf_xen_link {
	int fd;
	int passed; /* the descriptor that came last with what was read; -1: none. The reader takes it. */
	char *buf;
	size_t len, cap;
	size_t searched; /* how far for the end of a line */
	size_t taken;    /* of the line handed out last, newline included */
	pthread_mutex_t sending;
};

/* Takes over fd. */
void sf_xen_link_init(struct sf_xen_link *link, int fd);
void sf_xen_link_fini(struct sf_xen_link *link);

/*
 * Sends one line (newline included) and, unless it is -1, a descriptor. -EPIPE when the other end is gone.
 * Blocks while the other end does not read, for as long as SO_SNDTIMEO of the socket says: -ETIMEDOUT, and a
 * part of the line may be on its way.
 */
int sf_xen_link_send(struct sf_xen_link *link, const char *line, size_t len, int fd, struct sf_err *err);

/*
 * The next whole line without its newline, valid until the next call: 1 when there is one, 0 when timeout_ms
 * (-1: never) is over, however many pieces of one came meanwhile, -EPIPE when the other end is gone and all
 * its lines were read, -EPROTO when a line is longer than SF_XEN_LINE_MAX, -EINTR when a signal came.
 */
int sf_xen_link_next(struct sf_xen_link *link, int timeout_ms, char **ret, size_t *ret_len,
		     struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Xen helper process (xen/helper/) as the daemon has it: started, asked, listened to, ended. One thread at
 * a time asks or listens; sf_xen_peer_tell and sf_xen_peer_hang_up may come from any. What a helper says is
 * checked, and a helper that breaks the rules is no longer asked.
 */
#ifndef SF_BACKENDS_XEN_PEER_H
#define SF_BACKENDS_XEN_PEER_H

#include "link.h"
#include "wire.h"

#include "base/proc.h"

#include <stdatomic.h>
#include <stdbool.h>

struct sf_err;

struct sf_xen_peer {
	struct sf_xen_link link;
	struct sf_proc proc;
	int log;             /* memfd: what the process printed, for when it ends */
	atomic_bool hung_up; /* by us */
	bool broken;         /* who asked or listened last found it gone, silent or talking nonsense */
	char xen[SF_XEN_VERSION_MAX];
};

/*
 * Starts the program and exchanges greetings. -ENODEV: it finds no Xen here; -EPROTO: it is no helper of this
 * version; -ETIMEDOUT: it has not answered for hello_ms; otherwise as sf_proc_start().
 */
int sf_xen_peer_start(const char *program, int hello_ms, struct sf_xen_peer **ret, struct sf_err *err);

/* Hangs up and waits until its process has ended; made to after patience_ms. It cannot be talked to any more.
 */
void sf_xen_peer_stop(struct sf_xen_peer *peer, int patience_ms);
/* The same, and releases what is left. Accepts NULL. */
void sf_xen_peer_end(struct sf_xen_peer *peer, int patience_ms);
/* Ends it at once: for one that does not answer, or has nothing left to do that matters. Accepts NULL. */
void sf_xen_peer_kill(struct sf_xen_peer *peer);
/* Hangs up and waits so long; one that has not ended by then has a guest to look after, and goes on on its
 * own. */
void sf_xen_peer_leave(struct sf_xen_peer *peer, int patience_ms);

/* A line without waiting for a reply; fd: goes with it, -1 for none. -EPIPE when the helper is gone. */
int sf_xen_peer_tell(struct sf_xen_peer *peer, const struct sf_xen_request *request, int fd,
		     struct sf_err *err);
/* Whoever listens finds the helper gone; it learns that we are. */
void sf_xen_peer_hang_up(struct sf_xen_peer *peer);

/*
 * What it says next: 1, or 0 when timeout_ms (-1: never) is over. -EIO with its last words when it has ended,
 * -EPROTO for nonsense. The caller releases *ret with sf_xen_reply_fini().
 */
int sf_xen_peer_listen(struct sf_xen_peer *peer, int timeout_ms, struct sf_xen_reply *ret,
		       struct sf_err *err);

/*
 * The reply to a request that was told; its failure is the result. -ETIMEDOUT when there is none, otherwise
 * as sf_xen_peer_listen(). ret may be NULL.
 */
int sf_xen_peer_await(struct sf_xen_peer *peer, const struct sf_xen_request *request, int timeout_ms,
		      struct sf_xen_reply *ret, struct sf_err *err);
/* Tells and awaits. */
int sf_xen_peer_ask(struct sf_xen_peer *peer, const struct sf_xen_request *request, int timeout_ms,
		    struct sf_xen_reply *ret, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of a helper process: starting it, sending requests, receiving replies and ending it. One
 * thread at a time asks or listens; any thread may call sf_helper_peer_tell() and sf_helper_peer_hang_up().
 * Everything a helper sends is checked. One that breaks the protocol is marked broken and must not be asked
 * again.
 */
#ifndef SF_BACKENDS_COMMON_HELPER_PEER_H
#define SF_BACKENDS_COMMON_HELPER_PEER_H

#include "link.h"
#include "wire.h"

#include "base/proc.h"

#include <stdatomic.h>
#include <stdbool.h>

struct sf_err;

/* The helper of one hypervisor. */
struct sf_helper_program {
	const char *name; /* of the hypervisor, for messages: "Xen"; static */
	char path[PATH_MAX];
};

struct sf_helper_peer {
	const char *name; /* as in struct sf_helper_program */
	struct sf_helper_link link;
	struct sf_proc proc;
	int log;             /* memfd with what the process printed, for the error when it ends */
	atomic_bool hung_up; /* we closed the conversation */
	bool broken;         /* the last call found it gone, silent or violating the protocol */
	char version[SF_HELPER_VERSION_MAX];
};

/*
 * Starts the program and exchanges greetings.
 * -ENODEV      it finds no such hypervisor on this host
 * -EPROTO      it is no helper of this protocol version
 * -ETIMEDOUT   it has not answered within hello_ms
 * Other errors as sf_proc_start().
 */
int sf_helper_peer_start(const struct sf_helper_program *program, int hello_ms, struct sf_helper_peer **ret,
			 struct sf_err *err);

/* Hangs up and waits for the process to end; kills it after patience_ms. Then only sf_helper_peer_end(). */
void sf_helper_peer_stop(struct sf_helper_peer *peer, int patience_ms);
/* The same, and frees the peer. NULL is a no-op. */
void sf_helper_peer_end(struct sf_helper_peer *peer, int patience_ms);
/* Kills the process and frees the peer: for a helper that hangs or is no longer needed. NULL is a no-op. */
void sf_helper_peer_kill(struct sf_helper_peer *peer);
/*
 * Hangs up, waits up to patience_ms for the process to end, and frees the peer. A process that has not ended
 * by then continues by itself until its guest runs.
 */
void sf_helper_peer_leave(struct sf_helper_peer *peer, int patience_ms);

/* Sends a request, and fd unless it is -1, without waiting for a reply. Errors as sf_helper_link_send(). */
int sf_helper_peer_tell(struct sf_helper_peer *peer, const struct sf_helper_request *request, int fd,
			struct sf_err *err);
/* Shuts the socket down: a listening thread finds the helper gone, and the helper finds the daemon gone. */
void sf_helper_peer_hang_up(struct sf_helper_peer *peer);

/*
 * Waits for the next reply or event. Returns 1 and sets *ret, which the caller releases with
 * sf_helper_reply_fini(); or 0 after timeout_ms (-1: no limit) or a signal. -EIO: the process has ended; the
 * text has its last output. -EPROTO: it sent something malformed. -ENOMEM.
 */
int sf_helper_peer_listen(struct sf_helper_peer *peer, int timeout_ms, struct sf_helper_reply *ret,
			  struct sf_err *err);

/*
 * Waits for the reply to a request that was sent. A reply that reports a failure becomes the result.
 * -ETIMEDOUT: no reply within timeout_ms. -EPROTO: something else than a reply. Other errors as
 * sf_helper_peer_listen(). ret may be NULL.
 */
int sf_helper_peer_await(struct sf_helper_peer *peer, const struct sf_helper_request *request, int timeout_ms,
			 struct sf_helper_reply *ret, struct sf_err *err);
/* sf_helper_peer_tell() and sf_helper_peer_await() in one. */
int sf_helper_peer_ask(struct sf_helper_peer *peer, const struct sf_helper_request *request, int timeout_ms,
		       struct sf_helper_reply *ret, struct sf_err *err);

#endif

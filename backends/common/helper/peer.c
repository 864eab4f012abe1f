/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Requests are short: if one does not fit into the socket for so long, the helper hangs. */
#define SEND_S         10
#define KILL_MS        5000
#define LAST_WORDS_MAX (64 * 1024)

static int spawn(struct sf_helper_peer *peer, const char *program, int socket, struct sf_err *err)
{
	const char *const argv[] = {program, NULL};
	const char *const environment[] = {NULL};
	const struct sf_proc_spec spec = {
		.argv = argv, .extra_env = environment, .stdout_fd = socket, .stderr_fd = peer->log};

	return sf_proc_start(&spec, &peer->proc, err);
}

static int connect_to(struct sf_helper_peer *peer, const char *program, struct sf_err *err)
{
	const struct timeval patience = {.tv_sec = SEND_S};
	auto_fd int theirs = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return sf_fail(err, -errno, "socketpair: %s", strerror(errno));
	theirs = ends[1];
	peer->link.fd = ends[0];
	(void)setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	peer->log = sf_proc_memfd(peer->name, err);
	return peer->log < 0 ? peer->log : spawn(peer, program, theirs, err);
}

static int greet(struct sf_helper_peer *peer, int hello_ms, struct sf_err *err)
{
	const struct sf_helper_request hello = {.op = SF_HELPER_HELLO};
	struct sf_helper_reply reply = {0};
	int rc = sf_helper_peer_ask(peer, &hello, hello_ms, &reply, err);

	if (rc == 0 && reply.protocol != SF_HELPER_PROTOCOL)
		rc = sf_fail(err, -EPROTO, "it speaks protocol %u, not %d", reply.protocol,
			     SF_HELPER_PROTOCOL);
	if (rc == 0)
		memcpy(peer->version, reply.version, sizeof(peer->version));
	sf_helper_reply_fini(&reply);
	return rc;
}

int sf_helper_peer_start(const struct sf_helper_program *program, int hello_ms, struct sf_helper_peer **ret,
			 struct sf_err *err)
{
	struct sf_helper_peer *peer = calloc(1, sizeof(*peer));
	int rc;

	if (!peer)
		return sf_fail(err, -ENOMEM, "%s helper: out of memory", program->name);
	peer->name = program->name;
	peer->log = -1;
	sf_helper_link_init(&peer->link, -1);
	rc = connect_to(peer, program->path, err);
	if (rc == 0)
		rc = greet(peer, hello_ms, err);
	if (rc < 0) {
		sf_helper_peer_kill(peer);
		return sf_wrap(err, rc, "%s helper %s", program->name, program->path);
	}
	*ret = peer;
	return 0;
}

static void release(struct sf_helper_peer *peer)
{
	sf_proc_drop(&peer->proc);
	sf_helper_link_fini(&peer->link);
	sf_cleanup_fd(&peer->log);
	free(peer);
}

void sf_helper_peer_stop(struct sf_helper_peer *peer, int patience_ms)
{
	struct sf_err why = {0};
	int status;

	sf_helper_peer_hang_up(peer);
	if (peer->proc.pid && sf_proc_wait(&peer->proc, (uint64_t)patience_ms, &status, NULL) == -ETIMEDOUT &&
	    sf_proc_kill(&peer->proc, KILL_MS, &why) < 0)
		sf_log(SF_LOG_WARNING, "%s helper: %s", peer->name, why.text);
}

void sf_helper_peer_end(struct sf_helper_peer *peer, int patience_ms)
{
	if (!peer)
		return;
	sf_helper_peer_stop(peer, patience_ms);
	release(peer);
}

void sf_helper_peer_kill(struct sf_helper_peer *peer)
{
	sf_helper_peer_end(peer, 0);
}

void sf_helper_peer_leave(struct sf_helper_peer *peer, int patience_ms)
{
	int status;

	sf_helper_peer_hang_up(peer);
	if (peer->proc.pid && sf_proc_wait(&peer->proc, (uint64_t)patience_ms, &status, NULL) == -ETIMEDOUT)
		sf_log(SF_LOG_WARNING, "%s helper: process %d continues until its guest runs", peer->name,
		       (int)peer->proc.pid);
	release(peer);
}

void sf_helper_peer_hang_up(struct sf_helper_peer *peer)
{
	atomic_store(&peer->hung_up, true);
	if (peer->link.fd >= 0)
		(void)shutdown(peer->link.fd, SHUT_RDWR); /* fails when the other end is gone */
}

int sf_helper_peer_tell(struct sf_helper_peer *peer, const struct sf_helper_request *request, int fd,
			struct sf_err *err)
{
	size_t len;
	auto_free char *line = sf_helper_request_format(request, &len);

	if (!line)
		return sf_fail(err, -ENOMEM, "%s helper: out of memory", peer->name);
	return sf_helper_link_send(&peer->link, line, len, fd, err);
}

/* The failure when the conversation has ended, with the last output of the process. */
static int explain_end(struct sf_helper_peer *peer, struct sf_err *err)
{
	auto_free char *text = NULL;
	char words[256] = "", how[32];
	size_t len;
	bool by_us = atomic_load(&peer->hung_up);
	int status;

	(void)snprintf(how, sizeof(how), "%s", by_us ? "been given up" : "hung up");
	if (peer->proc.pid && sf_proc_wait(&peer->proc, by_us ? 0 : KILL_MS, &status, NULL) == 0)
		(void)snprintf(how, sizeof(how), "ended with status %d", status);
	if (sf_proc_read(peer->log, LAST_WORDS_MAX, &text, &len, NULL) == 0)
		sf_proc_message(text, words, sizeof(words));
	return sf_fail(err, -EIO, "the %s helper has %s%s%s", peer->name, how, *words ? ": " : "", words);
}

int sf_helper_peer_listen(struct sf_helper_peer *peer, int timeout_ms, struct sf_helper_reply *ret,
			  struct sf_err *err)
{
	size_t len;
	char *line;
	int rc = sf_helper_link_next(&peer->link, timeout_ms, &line, &len, err);

	if (rc == 0 || rc == -EINTR)
		return 0;
	if (rc == 1)
		rc = sf_helper_reply_parse(line, len, ret, err);
	else if (rc == -EPIPE)
		rc = explain_end(peer, err);
	peer->broken = rc < 0;
	return rc < 0 ? rc : 1;
}

static int judge(struct sf_helper_peer *peer, const struct sf_helper_request *request,
		 const struct sf_helper_reply *reply, struct sf_err *err)
{
	if (reply->kind == SF_HELPER_FAILURE)
		return sf_fail(err, reply->error, "%s", reply->text);
	if (reply->kind == SF_HELPER_REPLY)
		return 0;
	peer->broken = true;
	return sf_fail(err, -EPROTO, "the %s helper sent an event instead of the reply to '%s'", peer->name,
		       sf_helper_op_name(request->op));
}

int sf_helper_peer_await(struct sf_helper_peer *peer, const struct sf_helper_request *request, int timeout_ms,
			 struct sf_helper_reply *ret, struct sf_err *err)
{
	uint64_t until = sf_clock_mono_ms() + (uint64_t)timeout_ms, now;
	struct sf_helper_reply reply = {0};
	int rc = 0;

	while (rc == 0 && (now = sf_clock_mono_ms()) < until)
		rc = sf_helper_peer_listen(peer, (int)(until - now), &reply, err);
	if (rc == 0) {
		peer->broken = true;
		return sf_fail(err, -ETIMEDOUT, "the %s helper has not answered '%s' for %d ms", peer->name,
			       sf_helper_op_name(request->op), timeout_ms);
	}
	if (rc == 1)
		rc = judge(peer, request, &reply, err);
	if (rc == 0 && ret)
		*ret = reply;
	else
		sf_helper_reply_fini(&reply);
	return rc;
}

/*
 * A helper that has gone may have sent the reason before, as when it finds no hypervisor. Anything else it
 * sent is not the reply to this request.
 */
int sf_helper_peer_ask(struct sf_helper_peer *peer, const struct sf_helper_request *request, int timeout_ms,
		       struct sf_helper_reply *ret, struct sf_err *err)
{
	struct sf_helper_reply reply = {0};
	int told = sf_helper_peer_tell(peer, request, -1, err);
	int rc = told == 0 || told == -EPIPE ? sf_helper_peer_await(peer, request, timeout_ms, &reply, err)
					     : told;

	if (rc == 0 && told < 0)
		rc = explain_end(peer, err);
	if (told < 0)
		peer->broken = true;
	if (rc == 0 && ret)
		*ret = reply;
	else
		sf_helper_reply_fini(&reply);
	return rc;
}

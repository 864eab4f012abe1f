/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pauses, saves, resumes and stops guests. A session is a VM together with the helper process that brings its
 * guest to rest and stays to resume it:
 *
 *   WORKING  a pause or save runs in the helper; the thread that began it listens
 *   AT_REST  the guest is at rest; the holder of `talking` may talk to the helper
 *   OVER     the helper has resumed the guest, or failed; it may still guard the guest
 *
 * Any thread may resume; the request goes to the session's helper. If there is none, or it fails, a new
 * helper does it: only the domain's state counts. A session is removed when its helper has resumed the guest
 * from rest, or when the guest is stopped. Any other session stays, as OVER, until the VM's next session or
 * the closing of the backend.
 */
#include "session.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/names.h"
#include "core/contract/job.h"
#include "helpers.h"
#include "peer.h"
#include "question.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Interval in which a save checks for cancellation. */
#define POLL_MS 100

enum state { WORKING, AT_REST, OVER };

struct sf_helper_session {
	struct sf_helper_session *next;
	char name[SF_NAME_MAX + 1];
	struct sf_helper_peer *peer;
	pthread_mutex_t talking; /* its holder may talk to the peer, once it is not WORKING */
	enum state state;        /* guarded by the backend's lock, as are the following fields */
	unsigned nusers;
	bool dropped; /* removed from the table; its last user frees it */
};

/* --- the table: at most one session of a VM --- */

static struct sf_helper_session *find(struct sf_helpers *helpers, const char *name)
{
	struct sf_helper_session *session = helpers->sessions;

	while (session && strcmp(session->name, name) != 0)
		session = session->next;
	return session;
}

/*
 * Takes it out of the table, under the lock. NULL is a no-op. True when it has no user; then the caller frees
 * it.
 */
static bool take_out(struct sf_helpers *helpers, struct sf_helper_session *session)
{
	struct sf_helper_session **at = &helpers->sessions;

	if (!session)
		return false;
	while (*at && *at != session)
		at = &(*at)->next;
	if (*at)
		*at = session->next;
	session->dropped = true;
	return session->nusers == 0;
}

/* A helper that is OVER may at most guard a guest; the next operation on that guest takes this over. */
static void free_session(struct sf_helpers *helpers, struct sf_helper_session *session)
{
	if (session->state == OVER)
		sf_helper_peer_kill(session->peer);
	else
		sf_helper_peer_end(session->peer, helpers->limits.give_back);
	pthread_mutex_destroy(&session->talking);
	free(session);
}

static struct sf_helper_session *use(struct sf_helpers *helpers, const char *name)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);
	struct sf_helper_session *session = find(helpers, name);

	if (session)
		session->nusers++;
	return session;
}

static void leave(struct sf_helpers *helpers, struct sf_helper_session *session)
{
	bool last;

	pthread_mutex_lock(&helpers->lock);
	session->nusers--;
	last = session->dropped && session->nusers == 0;
	pthread_mutex_unlock(&helpers->lock);
	if (last)
		free_session(helpers, session);
}

static void drop(struct sf_helpers *helpers, const char *name)
{
	struct sf_helper_session *session;
	bool last;

	pthread_mutex_lock(&helpers->lock);
	session = find(helpers, name);
	last = take_out(helpers, session);
	pthread_mutex_unlock(&helpers->lock);
	if (last)
		free_session(helpers, session);
}

static void set_state(struct sf_helpers *helpers, struct sf_helper_session *session, enum state state)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	session->state = state;
	pthread_cond_broadcast(&helpers->changed);
}

/* Removes a session whose helper has nothing left to do; its last user frees it. */
static void served(struct sf_helpers *helpers, struct sf_helper_session *session)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	session->state = OVER;
	(void)take_out(helpers, session); /* the caller still uses it */
	pthread_cond_broadcast(&helpers->changed);
}

static enum state state_of(struct sf_helpers *helpers, const struct sf_helper_session *session)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	return session->state;
}

/*
 * Sends the first request and enters the session into the table, under the lock. Other threads cannot find
 * the session before, so their requests come after it.
 */
static int publish(struct sf_helpers *helpers, struct sf_helper_session *session,
		   const struct sf_helper_request *request, int fd, struct sf_err *err)
{
	struct sf_helper_session *old;
	bool last = false;
	int rc;

	pthread_mutex_lock(&helpers->lock);
	rc = sf_helper_peer_tell(session->peer, request, fd, err); /* does not block: the socket is empty */
	if (rc == 0) {
		old = find(helpers, session->name);
		last = take_out(helpers, old);
		session->next = helpers->sessions;
		helpers->sessions = session;
	}
	pthread_mutex_unlock(&helpers->lock);
	if (last)
		free_session(helpers, old);
	return rc;
}

/* Starts a session that is WORKING on the request, in place of the VM's last. The caller is a user of it. */
static int open_session(struct sf_helpers *helpers, const struct sf_helper_request *request, int fd,
			struct sf_helper_session **ret, struct sf_err *err)
{
	struct sf_helper_session *session = calloc(1, sizeof(*session));
	int rc;

	if (!session)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_helper_peer_start(&helpers->program, helpers->limits.hello, &session->peer, err);
	if (rc < 0) {
		free(session);
		return rc;
	}
	memcpy(session->name, request->name, sizeof(session->name));
	pthread_mutex_init(&session->talking, NULL);
	session->nusers = 1;
	drop(helpers, session->name); /* before the new one touches the same guest */
	rc = publish(helpers, session, request, fd, err);
	if (rc < 0) {
		session->state = OVER;
		free_session(helpers, session);
		return rc;
	}
	*ret = session;
	return 0;
}

/* Runs the request in a new helper, which stays as the VM's session to guard the guest. */
static int act_anew(struct sf_helpers *helpers, const struct sf_helper_request *request, int timeout_ms,
		    struct sf_err *err)
{
	struct sf_helper_session *session;
	int rc = open_session(helpers, request, -1, &session, err);

	if (rc < 0)
		return rc;
	rc = sf_helper_peer_await(session->peer, request, timeout_ms, NULL, err);
	set_state(helpers, session, OVER);
	leave(helpers, session);
	return rc;
}

/* No session has a user at this point. */
void sf_helper_sessions_end(struct sf_helpers *helpers)
{
	struct sf_helper_session *session;

	for (session = helpers->sessions; session; session = session->next)
		sf_helper_peer_hang_up(session->peer); /* all at once, then wait */
	while ((session = helpers->sessions)) {
		helpers->sessions = session->next;
		sf_helper_peer_leave(session->peer, session->state == OVER ? helpers->limits.linger
									   : helpers->limits.give_back);
		pthread_mutex_destroy(&session->talking);
		free(session);
	}
}

/* --- pause --- */

/* Pauses again with the helper that has the guest at rest. False when there is none, or it fails. */
static bool pause_in(struct sf_helpers *helpers, struct sf_helper_session *session,
		     const struct sf_helper_request *request)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&session->talking);

	if (state_of(helpers, session) != AT_REST)
		return false;
	if (sf_helper_peer_ask(session->peer, request, helpers->limits.act, NULL, NULL) == 0)
		return true;
	if (session->peer->broken)
		set_state(helpers, session, OVER);
	return false;
}

int sf_helper_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	const struct sf_helper_request request = sf_helper_about(SF_HELPER_PAUSE, vm);
	struct sf_helpers *helpers = sf_helpers_of(hv);
	struct sf_helper_session *session = use(helpers, vm->name);
	bool done = session && pause_in(helpers, session, &request);
	int rc;

	if (session)
		leave(helpers, session);
	if (done)
		return 0;
	rc = open_session(helpers, &request, -1, &session, err);
	if (rc < 0)
		return rc;
	rc = sf_helper_peer_await(session->peer, &request, helpers->limits.act, NULL, err);
	if (rc < 0)
		sf_helper_peer_hang_up(session->peer); /* the helper resumes the guest if it had paused it */
	set_state(helpers, session, rc == 0 ? AT_REST : OVER);
	leave(helpers, session);
	return rc;
}

/* --- save --- */

struct saving {
	struct sf_helpers *helpers;
	struct sf_helper_session *session;
	const struct sf_save_hooks *hooks;
	struct sf_job *job;
	int why;             /* errno with which we aborted it; 0: not aborted */
	struct sf_err words; /* the text for why */
	uint64_t aborted_ms;
	const struct sf_vm_desc *vm;
	bool rests;         /* the guest is at rest, and the hook was called */
	uint64_t looked_ms; /* when we last checked that, CLOCK_MONOTONIC */
};

/* Only the first reason is kept. */
static void abort_save(struct saving *saving, int why, const struct sf_err *words)
{
	const struct sf_helper_request request = {.op = SF_HELPER_ABORT};

	if (saving->why)
		return;
	saving->why = why;
	saving->words = *words;
	saving->aborted_ms = sf_clock_mono_ms();
	/* The helper may be gone; listening notices that. */
	(void)sf_helper_peer_tell(saving->session->peer, &request, -1, NULL);
}

static void tell_rest(struct saving *saving)
{
	struct sf_err words = {0};
	int rc = 0;

	if (!saving->rests && saving->hooks->paused)
		rc = saving->hooks->paused(saving->hooks->arg, &words);
	saving->rests = true;
	if (rc < 0)
		abort_save(saving, rc, &words);
}

/* A hanging helper does not report that the guest is at rest, so another helper checks. */
static void look_whether_it_rests(struct saving *saving)
{
	const struct sf_helper_request request = sf_helper_about(SF_HELPER_POWER, saving->vm);
	uint64_t now_ms = sf_clock_mono_ms();
	struct sf_helper_reply reply = {0};

	if (saving->rests || now_ms - saving->looked_ms < (uint64_t)saving->helpers->limits.look)
		return;
	if (sf_helper_question(saving->helpers, &request, &reply, NULL) == 0 &&
	    reply.power == SF_POWER_PAUSED)
		tell_rest(saving);
	sf_helper_reply_fini(&reply);
	saving->looked_ms = sf_clock_mono_ms();
}

/* 1: continue listening. */
static int on_reply(struct saving *saving, const struct sf_helper_reply *reply, struct sf_err *err)
{
	switch (reply->kind) {
	case SF_HELPER_EVENT_PAUSED:
		tell_rest(saving);
		return 1;
	case SF_HELPER_REPLY:
		return 0;
	case SF_HELPER_FAILURE:
		return sf_fail(err, reply->error, "%s", reply->text);
	default:
		saving->session->peer->broken = true;
		return sf_fail(err, -EPROTO, "the %s helper sent an unexpected event during a save",
			       saving->session->peer->name);
	}
}

/* Fails when an aborted save has not ended in time; else 1: continue listening. */
static int check(struct saving *saving, struct sf_err *err)
{
	uint64_t patience_ms = (uint64_t)saving->helpers->limits.abort;

	if (!saving->why || sf_clock_mono_ms() - saving->aborted_ms <= patience_ms)
		return 1;
	saving->session->peer->broken = true;
	return sf_fail(err, -ETIMEDOUT, "the save was aborted but has not ended");
}

static void give_up_if_cancelled(struct saving *saving)
{
	const struct sf_err words = {.code = -EINTR, .text = "cancelled"};

	if (sf_job_cancelled(saving->job))
		abort_save(saving, -EINTR, &words);
}

/* Listens until the stream is complete and the guest at rest, or the save has failed. */
static int follow(struct saving *saving, struct sf_err *err)
{
	int rc = 1;

	while (rc == 1) {
		struct sf_helper_reply reply = {0};

		rc = sf_helper_peer_listen(saving->session->peer, POLL_MS, &reply, err);
		if (rc == 1)
			rc = on_reply(saving, &reply, err);
		else if (rc == 0)
			rc = 1;
		sf_helper_reply_fini(&reply);
		give_up_if_cancelled(saving);
		if (rc == 1)
			look_whether_it_rests(saving);
		if (rc == 1)
			rc = check(saving, err);
	}
	return rc;
}

int sf_helper_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		   const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	struct sf_helper_request request = sf_helper_about(SF_HELPER_SAVE, vm);
	struct sf_helpers *helpers = sf_helpers_of(hv);
	struct saving saving = {
		.helpers = helpers, .hooks = hooks, .job = job, .vm = vm, .looked_ms = sf_clock_mono_ms()};
	int rc;

	request.live = live;
	rc = open_session(helpers, &request, fd, &saving.session, err);
	if (rc < 0)
		return rc;
	rc = follow(&saving, err);
	if (rc < 0 && saving.session->peer->broken)
		/* The reader of the stream waits for its end, and the helper may have a guest to resume. */
		sf_helper_peer_stop(saving.session->peer, helpers->limits.linger);
	set_state(helpers, saving.session, rc == 0 ? AT_REST : OVER);
	if (saving.why)
		rc = sf_fail(err, saving.why, "%s", saving.words.text);
	else if (rc == 0)
		rc = hooks->at_rest(hooks->arg, err);
	leave(helpers, saving.session);
	return rc;
}

/* --- resume --- */

/* Waits for the end of an aborted pause or save. */
static int wait_until_done(struct sf_helpers *helpers, struct sf_helper_session *session, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);
	const struct timespec until = sf_helper_in_ms(helpers->limits.abort);
	int rc = 0;

	while (session->state == WORKING && rc == 0)
		rc = pthread_cond_timedwait(&helpers->changed, &helpers->lock, &until);
	return session->state != WORKING
		       ? 0
		       : sf_fail(err, -ETIMEDOUT, "its operation was aborted but has not ended");
}

static int resume_at_rest(struct sf_helpers *helpers, struct sf_helper_session *session,
			  const struct sf_helper_request *request, struct sf_err *err)
{
	int rc = sf_helper_peer_ask(session->peer, request, helpers->limits.act, NULL, err);

	if (rc == 0)
		served(helpers, session);
	else
		set_state(helpers, session, OVER);
	return rc;
}

/*
 * Resumes with the helper that has the guest at rest, or is bringing it to rest. In the latter case the reply
 * comes after that of the pause or save.
 */
static int resume_in(struct sf_helpers *helpers, struct sf_helper_session *session,
		     const struct sf_helper_request *request, struct sf_err *err)
{
	bool told = state_of(helpers, session) == WORKING;
	int rc = told ? sf_helper_peer_tell(session->peer, request, -1, err) : 0;

	if (told && rc == 0)
		rc = wait_until_done(helpers, session, err);
	if (rc < 0) {
		sf_helper_peer_hang_up(session->peer); /* releases the thread that listens to it, too */
		return rc;
	}
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&session->talking);

		if (!told)
			return state_of(helpers, session) == AT_REST
				       ? resume_at_rest(helpers, session, request, err)
				       : sf_fail(err, -ENOENT, "it has resumed it already, or failed");
		rc = sf_helper_peer_await(session->peer, request, helpers->limits.act, NULL, err);
		set_state(helpers, session, OVER);
		return rc;
	}
}

int sf_helper_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	const struct sf_helper_request request = sf_helper_about(SF_HELPER_RESUME, vm);
	struct sf_helpers *helpers = sf_helpers_of(hv);
	struct sf_helper_session *session = use(helpers, vm->name);
	struct sf_err why = {0};
	int rc = -ENOENT;

	if (session) {
		rc = resume_in(helpers, session, &request, &why);
		leave(helpers, session);
	}
	if (rc < 0 && rc != -ENOENT)
		sf_log(SF_LOG_WARNING, "VM '%s': its %s helper has not resumed it, so another one tries: %s",
		       vm->name, helpers->program.name, why.text);
	return rc == 0 ? 0 : act_anew(helpers, &request, helpers->limits.act, err);
}

/* --- stop --- */

/*
 * Stops with the helper that has the guest at rest, as it would resume the guest at its own end. False when
 * there is none, or it fails.
 */
static bool stop_in(struct sf_helpers *helpers, struct sf_helper_session *session,
		    const struct sf_helper_request *request, int *ret, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&session->talking);

	if (state_of(helpers, session) != AT_REST)
		return false;
	*ret = sf_helper_peer_ask(session->peer, request, helpers->limits.stop, NULL, err);
	if (*ret == 0)
		served(helpers, session);
	else if (session->peer->broken)
		set_state(helpers, session, OVER);
	return *ret == 0 || !session->peer->broken;
}

int sf_helper_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	const struct sf_helper_request request = sf_helper_about(SF_HELPER_STOP, vm);
	struct sf_helpers *helpers = sf_helpers_of(hv);
	struct sf_helper_session *session = use(helpers, vm->name);
	bool done = false;
	int rc = 0;

	if (session) {
		done = stop_in(helpers, session, &request, &rc, err);
		leave(helpers, session);
	}
	return done ? rc : act_anew(helpers, &request, helpers->limits.stop, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the list of VMs. A thread listens to a helper that reports changes, so a lookup is only a copy. When
 * the helper ends, the thread starts another; until that reports, the list is unknown.
 */
#include "list.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "helpers.h"
#include "peer.h"
#include "wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void take_list(struct sf_helpers *helpers, struct sf_helper_reply *reply)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	for (size_t i = 0; i < helpers->nvms; i++)
		sf_vm_desc_fini(&helpers->vms[i].desc);
	free(helpers->vms);
	helpers->vms = sf_take_ptr(&reply->vms);
	helpers->nvms = reply->nvms;
	reply->nvms = 0;
	helpers->listed = true;
	pthread_cond_broadcast(&helpers->changed);
}

static void warn_of_trouble(const char *name, const char *trouble, char *warned, size_t size)
{
	if (strncmp(trouble, warned, size) == 0)
		return;
	if (*trouble)
		sf_log(SF_LOG_WARNING, "%s: %s", name, trouble);
	(void)snprintf(warned, size, "%s", trouble);
}

/* Returns when the helper ends or the backend is closed. */
static int listen_to(struct sf_helpers *helpers, struct sf_helper_peer *peer, struct sf_err *err)
{
	char warned[sizeof(((struct sf_helper_reply *)0)->text)] = "";
	int rc;

	rc = sf_helper_peer_ask(peer, &helpers->watch, helpers->limits.accept, NULL, err);
	while (rc >= 0) {
		struct sf_helper_reply reply = {0};

		rc = sf_helper_peer_listen(peer, -1, &reply, err);
		if (rc == 1 && reply.kind == SF_HELPER_EVENT_VMS) {
			warn_of_trouble(helpers->program.name, reply.text, warned, sizeof(warned));
			take_list(helpers, &reply);
		} else if (rc == 1) {
			rc = reply.kind == SF_HELPER_FAILURE
				     ? sf_fail(err, reply.error, "%s", reply.text)
				     : sf_fail(err, -EPROTO,
					       "the %s helper sent something else than a list of VMs",
					       helpers->program.name);
		}
		sf_helper_reply_fini(&reply);
	}
	return rc;
}

/* Publishes the helper, so that closing the backend can hang up on it. False when it is being closed. */
static bool set_lister(struct sf_helpers *helpers, struct sf_helper_peer *peer)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	helpers->lister = peer;
	return !helpers->stopping;
}

/* Records why there is no list, and waits before the next attempt. False when the backend is being closed. */
static bool pause_after(struct sf_helpers *helpers, const struct sf_err *why)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);
	const struct timespec until = sf_helper_in_ms(helpers->limits.restart);

	if (!helpers->stopping && (helpers->listed || !helpers->trouble.code))
		sf_log(SF_LOG_WARNING, "%s: the VMs cannot be listed; retrying: %s",
		       helpers->program.name, why->text);
	helpers->listed = false;
	helpers->trouble = *why;
	pthread_cond_broadcast(&helpers->changed);
	while (!helpers->stopping && pthread_cond_timedwait(&helpers->changed, &helpers->lock, &until) == 0)
		continue;
	return !helpers->stopping;
}

static void *listening(void *arg)
{
	struct sf_helpers *helpers = arg;
	struct sf_err err = {0};

	do {
		struct sf_helper_peer *peer = NULL;

		if (sf_helper_peer_start(&helpers->program, helpers->limits.hello, &peer, &err) == 0 &&
		    set_lister(helpers, peer))
			(void)listen_to(helpers, peer, &err);
		(void)set_lister(helpers, NULL);
		sf_helper_peer_kill(peer); /* it has no guest at rest */
	} while (pause_after(helpers, &err));
	return NULL;
}

int sf_helper_list_begin(struct sf_helpers *helpers, struct sf_err *err)
{
	const struct timespec until = sf_helper_in_ms(helpers->limits.first);
	int rc = pthread_create(&helpers->listening, NULL, listening, helpers);
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	if (rc != 0)
		return sf_fail(err, -rc, "start a thread: %s", strerror(rc));
	helpers->listening_started = true;
	while (!helpers->listed && !helpers->trouble.code && rc == 0)
		rc = pthread_cond_timedwait(&helpers->changed, &helpers->lock, &until);
	if (helpers->listed)
		return 0;
	if (helpers->trouble.code)
		return sf_fail(err, helpers->trouble.code, "%s", helpers->trouble.text);
	return sf_fail(err, -ETIMEDOUT, "no list of VMs within %d ms", helpers->limits.first);
}

void sf_helper_list_end(struct sf_helpers *helpers)
{
	if (!helpers->listening_started)
		return;
	pthread_mutex_lock(&helpers->lock);
	helpers->stopping = true;
	if (helpers->lister)
		sf_helper_peer_hang_up(helpers->lister);
	pthread_cond_broadcast(&helpers->changed);
	pthread_mutex_unlock(&helpers->lock);
	pthread_join(helpers->listening, NULL);
}

int sf_helper_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	struct sf_helpers *helpers = sf_helpers_of(hv);
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);
	struct sf_vm_list list = {0};

	if (!helpers->listed)
		return sf_fail(err, helpers->trouble.code, "%s", helpers->trouble.text);
	list.vms = calloc(helpers->nvms + 1, sizeof(*list.vms));
	for (; list.vms && list.nvms < helpers->nvms; list.nvms++) {
		if (sf_vm_desc_copy(&helpers->vms[list.nvms].desc, &list.vms[list.nvms]) == 0)
			continue;
		sf_vm_list_fini(&list);
		break;
	}
	if (!list.vms)
		return sf_fail(err, -ENOMEM, "list the VMs: out of memory");
	*ret = list;
	return 0;
}

bool sf_helper_config_of(struct sf_helpers *helpers, const char *name, char ret[static PATH_MAX])
{
	auto_unlock pthread_mutex_t *held = sf_lock(&helpers->lock);

	for (size_t i = 0; i < helpers->nvms; i++) {
		const struct sf_helper_vm *vm = &helpers->vms[i];

		if (strncmp(vm->desc.name, name, sizeof(vm->desc.name)) == 0 && *vm->config) {
			memcpy(ret, vm->config, PATH_MAX);
			return true;
		}
	}
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the list of VMs. A thread listens to a helper that reports changes, so a lookup is only a copy. When
 * the helper ends, the thread starts another; until that reports, the list is unknown.
 */
#include "list.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "backends/xen/internal.h"
#include "peer.h"
#include "wire.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void take_list(struct sf_xen *xen, struct sf_xen_reply *reply)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->lock);

	for (size_t i = 0; i < xen->nvms; i++)
		sf_vm_desc_fini(&xen->vms[i].desc);
	free(xen->vms);
	xen->vms = sf_take_ptr(&reply->vms);
	xen->nvms = reply->nvms;
	reply->nvms = 0;
	xen->listed = true;
	pthread_cond_broadcast(&xen->changed);
}

static void warn_of_trouble(const char *trouble, char *warned, size_t size)
{
	if (strncmp(trouble, warned, size) == 0)
		return;
	if (*trouble)
		sf_log(SF_LOG_WARNING, "Xen: %s", trouble);
	(void)snprintf(warned, size, "%s", trouble);
}

/* Returns when the helper ends or the backend is closed. */
static int listen_to(struct sf_xen *xen, struct sf_xen_peer *peer, struct sf_err *err)
{
	struct sf_xen_request watch = {.op = SF_XEN_WATCH};
	char warned[sizeof(((struct sf_xen_reply *)0)->text)] = "";
	int rc;

	memcpy(watch.configs, xen->configs, sizeof(watch.configs));
	rc = sf_xen_peer_ask(peer, &watch, xen->limits.accept, NULL, err);
	while (rc >= 0) {
		struct sf_xen_reply reply = {0};

		rc = sf_xen_peer_listen(peer, -1, &reply, err);
		if (rc == 1 && reply.kind == SF_XEN_EVENT_VMS) {
			warn_of_trouble(reply.text, warned, sizeof(warned));
			take_list(xen, &reply);
		} else if (rc == 1) {
			rc = reply.kind == SF_XEN_FAILURE
				     ? sf_fail(err, reply.error, "%s", reply.text)
				     : sf_fail(err, -EPROTO,
					       "the Xen helper sent something else than a list of VMs");
		}
		sf_xen_reply_fini(&reply);
	}
	return rc;
}

/* Publishes the helper, so that closing the backend can hang up on it. False when it is being closed. */
static bool set_lister(struct sf_xen *xen, struct sf_xen_peer *peer)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->lock);

	xen->lister = peer;
	return !xen->stopping;
}

/* Records why there is no list, and waits before the next attempt. False when the backend is being closed. */
static bool pause_after(struct sf_xen *xen, const struct sf_err *why)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->lock);
	const struct timespec until = sf_xen_in_ms(xen->limits.restart);

	if (!xen->stopping && (xen->listed || !xen->trouble.code))
		sf_log(SF_LOG_WARNING, "Xen: the domains cannot be listed; retrying: %s", why->text);
	xen->listed = false;
	xen->trouble = *why;
	pthread_cond_broadcast(&xen->changed);
	while (!xen->stopping && pthread_cond_timedwait(&xen->changed, &xen->lock, &until) == 0)
		continue;
	return !xen->stopping;
}

static void *listening(void *arg)
{
	struct sf_xen *xen = arg;
	struct sf_err err = {0};

	do {
		struct sf_xen_peer *peer = NULL;

		if (sf_xen_peer_start(xen->helper, xen->limits.hello, &peer, &err) == 0 &&
		    set_lister(xen, peer))
			(void)listen_to(xen, peer, &err);
		(void)set_lister(xen, NULL);
		sf_xen_peer_kill(peer); /* it has no guest at rest */
	} while (pause_after(xen, &err));
	return NULL;
}

int sf_xen_list_begin(struct sf_xen *xen, struct sf_err *err)
{
	const struct timespec until = sf_xen_in_ms(xen->limits.first);
	int rc = pthread_create(&xen->listening, NULL, listening, xen);
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->lock);

	if (rc != 0)
		return sf_fail(err, -rc, "start a thread: %s", strerror(rc));
	xen->listening_started = true;
	while (!xen->listed && !xen->trouble.code && rc == 0)
		rc = pthread_cond_timedwait(&xen->changed, &xen->lock, &until);
	if (xen->listed)
		return 0;
	if (xen->trouble.code)
		return sf_fail(err, xen->trouble.code, "%s", xen->trouble.text);
	return sf_fail(err, -ETIMEDOUT, "no list of domains within %d ms", xen->limits.first);
}

void sf_xen_list_end(struct sf_xen *xen)
{
	if (!xen->listening_started)
		return;
	pthread_mutex_lock(&xen->lock);
	xen->stopping = true;
	if (xen->lister)
		sf_xen_peer_hang_up(xen->lister);
	pthread_cond_broadcast(&xen->changed);
	pthread_mutex_unlock(&xen->lock);
	pthread_join(xen->listening, NULL);
}

int sf_xen_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	struct sf_xen *xen = sf_xen_of(hv);
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->lock);
	struct sf_vm_list list = {0};

	if (!xen->listed)
		return sf_fail(err, xen->trouble.code, "%s", xen->trouble.text);
	list.vms = calloc(xen->nvms + 1, sizeof(*list.vms));
	for (; list.vms && list.nvms < xen->nvms; list.nvms++) {
		if (sf_vm_desc_copy(&xen->vms[list.nvms].desc, &list.vms[list.nvms]) == 0)
			continue;
		sf_vm_list_fini(&list);
		break;
	}
	if (!list.vms)
		return sf_fail(err, -ENOMEM, "list the domains: out of memory");
	*ret = list;
	return 0;
}

int sf_xen_config_of(struct sf_xen *xen, const char *name, char ret[static PATH_MAX], struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&xen->lock);

	for (size_t i = 0; i < xen->nvms; i++) {
		const struct sf_xen_vm *vm = &xen->vms[i];

		if (strncmp(vm->desc.name, name, sizeof(vm->desc.name)) == 0 && *vm->config) {
			memcpy(ret, vm->config, PATH_MAX);
			return 0;
		}
	}
	return sf_fail(err, -ENOENT, "no xl.cfg file in %s names VM '%s', so it cannot be booted",
		       xen->configs, name);
}

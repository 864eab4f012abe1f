/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guards a guest after a failed save, because of the suspend handshake of PV guests
 * (xen/include/public/io/xs_wire, and libxl's use of it): the toolstack writes "suspend" to control/shutdown;
 * the guest clears the node, and suspends later. In between, a pending suspension is invisible. Linux gives
 * up freezing its tasks after 20 s.
 */
#include "helper.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#define GUARD_MS 25000
#define SUSPEND  "suspend"
#define NODE_MAX 64

static void node_of(uint32_t domid, char node[static NODE_MAX])
{
	(void)snprintf(node, NODE_MAX, "/local/domain/%u/control/shutdown", domid);
}

static bool asks_to_suspend(struct xs_handle *store, xs_transaction_t transaction, const char *node)
{
	unsigned len = 0;
	char *value = xs_read(store, transaction, node, &len);
	bool asks = value && strcmp(value, SUSPEND) == 0;

	free(value);
	return asks;
}

/* The request is ours: every other save of this guest ended before ours began. */
static void take_back(struct xs_handle *store, const char *node)
{
	bool again = true;

	while (again) {
		xs_transaction_t transaction = xs_transaction_start(store);

		again = false;
		if (transaction == XBT_NULL)
			return;
		if (asks_to_suspend(store, transaction, node))
			(void)xs_write(store, transaction, node, "", 0);
		if (!xs_transaction_end(store, transaction, false))
			again = errno == EAGAIN;
	}
}

static void end(struct helper *helper)
{
	if (helper->guard_store)
		xs_close(helper->guard_store);
	helper->guard_store = NULL;
	helper->guard_until_ms = 0;
}

void helper_guard_begin(struct helper *helper, uint32_t domid)
{
	char node[NODE_MAX];

	end(helper);
	node_of(domid, node);
	helper->guard_store = xs_open(0);
	if (!helper->guard_store)
		return; /* without xenstore, nobody can ask a guest to suspend */
	take_back(helper->guard_store, node);
	(void)xs_watch(helper->guard_store, node, "node");
	helper->guard_events = 0;
	helper->guarded = domid;
	helper->guard_until_ms = sf_clock_mono_ms() + GUARD_MS;
}

/*
 * Whether another program asked the guest to suspend. Any change of the node is foreign: our request was
 * withdrawn or accepted before we began to watch. The first event comes from setting the watch. The node's
 * content shows nothing, as the guest clears it at once.
 */
static bool others_ask(struct helper *helper)
{
	char **event;

	while ((event = xs_check_watch(helper->guard_store))) {
		helper->guard_events++;
		free(event);
	}
	return helper->guard_events > 1;
}

/* Checks the guest before the node: whoever suspended it has written to the node before. */
void helper_guard_step(struct helper *helper)
{
	libxl_dominfo info;
	bool suspended;

	if (!helper->guard_until_ms)
		return;
	if (helper_info(helper, helper->guarded, &info, NULL) < 0) {
		end(helper);
		return;
	}
	suspended = helper_suspended(&info);
	libxl_dominfo_dispose(&info);
	if (others_ask(helper) || sf_clock_mono_ms() >= helper->guard_until_ms ||
	    (suspended && helper_resume_domain(helper, helper->guarded, 0, NULL) == 0))
		end(helper);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor that only helper processes talk to: one that answers questions, one that lists the VMs, and
 * one for each guest at rest. The backend embeds this first in its own struct.
 *
 * Locks: `lock` guards the list and the sessions, and is never held while waiting for a helper. `asking`
 * guards the helper that answers questions, and is held while it answers. Neither is taken under the other. A
 * session's `talking` is taken before `lock`; a link's `sending` is a leaf.
 */
#ifndef SF_BACKENDS_COMMON_HELPER_HELPERS_H
#define SF_BACKENDS_COMMON_HELPER_HELPERS_H

#include "peer.h"
#include "wire.h"

#include "base/clock.h"
#include "base/err.h"
#include "core/contract/hypervisor.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct sf_helper_session;

/* Time limits in ms; tests set shorter ones. */
struct sf_helper_limits {
	int hello;     /* for a helper's greeting */
	int question;  /* for a call or two to the toolstack; beyond this it hangs */
	int accept;    /* for the listing helper to accept its task */
	int first;     /* for the first list */
	int restart;   /* between two listing helpers */
	int act;       /* for pause and resume */
	int stop;      /* for stopping a guest at once, which waits for what serves its disks and networks */
	int look;      /* without news of a guest during a save, until it is examined */
	int abort;     /* for a save that was aborted to end */
	int give_back; /* for resuming a guest that nobody else will resume */
	int linger;    /* at the end, for a helper that may have a guest to resume, or has nothing to do */
};

struct sf_helpers {
	struct sf_hypervisor base; /* first */
	struct sf_helper_program program;
	struct sf_helper_limits limits;
	struct sf_helper_request watch; /* for the listing helper */

	pthread_mutex_t asking;
	struct sf_helper_peer *oracle; /* answers questions; NULL until needed, and after it failed */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* on CLOCK_MONOTONIC */
	struct sf_helper_session *sessions;
	struct sf_helper_vm *vms; /* the last list received */
	size_t nvms;
	bool listed; /* that list is current */
	struct sf_err trouble;
	struct sf_helper_peer *lister;
	pthread_t listening;
	bool listening_started;
	bool stopping;
};

static inline struct sf_helpers *sf_helpers_of(struct sf_hypervisor *hv)
{
	return (struct sf_helpers *)hv;
}

/* The time ms milliseconds from now, for pthread_cond_timedwait() with `changed`. */
static inline struct timespec sf_helper_in_ms(int ms)
{
	uint64_t at = sf_clock_mono_ms() + (uint64_t)ms;

	return (struct timespec){.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000};
}

/* For zeroed helpers, before anything else. */
void sf_helpers_init(struct sf_helpers *helpers, const struct sf_hypervisor_ops *ops,
		     const struct sf_helper_limits *limits);
/* Ends all helpers and sessions, and frees what the struct owns. */
void sf_helpers_fini(struct sf_helpers *helpers);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One open Xen backend, shared by the files of this room.
 *
 * Locks: `lock` guards the list and the sessions, and is never held while waiting for a helper. `asking`
 * guards the helper that answers questions, and is held while it answers. Neither is taken under the other. A
 * session's `talking` is taken before `lock`; a link's `sending` is a leaf.
 */
#ifndef SF_BACKENDS_XEN_INTERNAL_H
#define SF_BACKENDS_XEN_INTERNAL_H

#include "xen.h"
#include "backends/common/helper/peer.h"

#include "base/clock.h"
#include "base/err.h"
#include "core/contract/hypervisor.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct sf_xen_session;

/* Time limits in ms; tests set shorter ones. */
struct sf_xen_limits {
	int hello;     /* for a helper's greeting */
	int question;  /* for a hypercall or two; beyond this the toolstack hangs */
	int accept;    /* for the listing helper to accept its task */
	int first;     /* for the first list */
	int restart;   /* between two listing helpers */
	int act;       /* for pause and resume: hypercalls and a handshake with xenstore */
	int stop;      /* for destroying a domain, which waits for the backends of its disks and networks */
	int look;      /* without news of a guest during a save, until it is examined */
	int abort;     /* for libxl to end a save that was aborted */
	int give_back; /* for resuming a guest that nobody else will resume */
	int linger;    /* at the end, for a helper that may have a guest to resume, or has nothing to do */
};

struct sf_xen {
	struct sf_hypervisor base; /* first */
	char helper[PATH_MAX];
	char configs[PATH_MAX];
	char xl[PATH_MAX];
	uint64_t deadline_ms;
	struct sf_xen_limits limits;
	char host[SF_HOST_MAX];

	pthread_mutex_t asking;
	struct sf_xen_peer *oracle; /* answers questions; NULL until needed, and after it failed */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* on CLOCK_MONOTONIC */
	struct sf_xen_session *sessions;
	struct sf_xen_vm *vms; /* the last list received */
	size_t nvms;
	bool listed; /* that list is current */
	struct sf_err trouble;
	struct sf_xen_peer *lister;
	pthread_t listening;
	bool listening_started;
	bool stopping;
};

static inline struct sf_xen *sf_xen_of(struct sf_hypervisor *hv)
{
	return (struct sf_xen *)hv;
}

/* The time ms milliseconds from now, for pthread_cond_timedwait() with `changed`. */
static inline struct timespec sf_xen_in_ms(int ms)
{
	uint64_t at = sf_clock_mono_ms() + (uint64_t)ms;

	return (struct timespec){.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000};
}

/* sf_xen_open() with other limits, for tests. */
int sf_xen_open_within(const struct sf_xen_options *options, const struct sf_xen_limits *limits,
		       struct sf_hypervisor **ret, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the Xen backend, shared by xen.c (the contract's slots), xen_list.c (which VMs there are),
 * xen_session.c (guests at rest) and xen_xl.c (xl, which brings domains up and stays with them).
 *
 * Locks: `lock` guards the list and the sessions and is not held while a helper is waited for; `asking` goes
 * with the helper for questions and is held while it answers. Neither is taken under the other. A session's
 * `talking` comes before `lock`; a link's `sending` is a leaf.
 */
#ifndef SF_HYPERVISOR_XEN_IMPL_H
#define SF_HYPERVISOR_XEN_IMPL_H

#include "xen.h"
#include "peer.h"

#include "base/clock.h"
#include "base/err.h"
#include "core/contract/hypervisor.h"

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct sf_xen_session;

/* For how long what is waited for, in ms; tests have less patience. */
struct sf_xen_limits {
	int hello;     /* a helper's greeting */
	int question;  /* a hypercall or two; more means that the toolstack hangs */
	int accept;    /* the watch of what there is */
	int first;     /* the first list */
	int restart;   /* between two helpers that watch */
	int act;       /* pause and resume: hypercalls and a handshake with xenstore */
	int stop;      /* destroying waits for the disks' and networks' backends */
	int look;      /* until a guest is looked at whose helper says nothing of it during a save */
	int abort;     /* what libxl may need to end a save that it was told to abort */
	int give_back; /* to resume a guest that nobody else will resume */
	int linger;    /* at the end, for a helper that may look after a guest, or has nothing to do */
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
	struct sf_xen_peer *oracle; /* answers questions; NULL until it is needed, and after it failed */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sf_xen_session *sessions;
	struct sf_xen_vm *vms; /* as last heard */
	size_t nvms;
	bool listed; /* what was heard is the present state */
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

/* That much from now on, for pthread_cond_timedwait() with `changed`. */
static inline struct timespec sf_xen_in_ms(int ms)
{
	uint64_t at = sf_clock_mono_ms() + (uint64_t)ms;

	return (struct timespec){.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000};
}

/* A request about a VM. */
struct sf_xen_request sf_xen_about(enum sf_xen_op op, const struct sf_vm_desc *vm);

/* --- xen.c --- */
/* sf_xen_open() with other limits. */
int sf_xen_open_within(const struct sf_xen_options *options, const struct sf_xen_limits *limits,
		       struct sf_hypervisor **ret, struct sf_err *err);
/* Asks the helper for questions, starting it where there is none. */
int sf_xen_question(struct sf_xen *xen, const struct sf_xen_request *request, struct sf_xen_reply *ret,
		    struct sf_err *err);

/* --- xen_list.c --- */
/* Starts to listen and waits for the first list. */
int sf_xen_list_begin(struct sf_xen *xen, struct sf_err *err);
void sf_xen_list_end(struct sf_xen *xen);
int sf_xen_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
/* The xl.cfg file of the VM; -ENOENT when there is none. */
int sf_xen_config_of(struct sf_xen *xen, const char *name, char ret[static PATH_MAX], struct sf_err *err);

/* --- xen_session.c: as the contract's slots --- */
int sf_xen_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_xen_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_xen_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
int sf_xen_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
/* Every guest at rest is resumed: by its helper, which is waited for, and goes on when that takes long. */
void sf_xen_sessions_end(struct sf_xen *xen);

/* --- xen_xl.c: as the contract's slots --- */
int sf_xen_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);
int sf_xen_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_xen_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err);

#endif

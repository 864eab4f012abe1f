/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the checked wrappers end one call into a backend: the same way for storages and hypervisors. */
#ifndef SF_CORE_CONTRACT_CALL_H
#define SF_CORE_CONTRACT_CALL_H

#include "base/err.h"

/*
 * One call under way. The backend reports into err, so that the caller's error is written once, and never
 * left empty.
 */
struct sf_call {
	const char *room; /* "storage" or "hypervisor" */
	const char *backend;
	const char *slot;
	const char *what; /* the disk, origin or VM it is about */
	struct sf_err err;
};

/*
 * Logs the call under SNAPFS_DEBUG, hands its error to err and returns rc. A positive rc becomes -EPROTO; a
 * failure without a sentence gets one.
 */
int sf_call_end(const struct sf_call *call, int rc, struct sf_err *err);

/* The backend broke the contract: -EPROTO, with a sentence that names backend, slot and what is wrong. */
int sf_call_broken(struct sf_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

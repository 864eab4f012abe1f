/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Common ending of every checked call into a storage or hypervisor backend: error message, debug log,
 * contract violations.
 */
#ifndef SF_CORE_CONTRACT_CALL_H
#define SF_CORE_CONTRACT_CALL_H

#include "base/err.h"

/*
 * One call in progress. The backend writes to this err, so that the caller's is written only once, and never
 * without a message.
 */
struct sf_call {
	const char *room; /* "storage" or "hypervisor" */
	const char *backend;
	const char *slot;
	const char *what; /* the disk, origin or VM the call concerns */
	struct sf_err err;
};

/*
 * Logs the call under SNAPFS_DEBUG, passes its error to err and returns rc. A positive rc becomes -EPROTO; a
 * failure without a message gets one.
 */
int sf_call_end(const struct sf_call *call, int rc, struct sf_err *err);

/*
 * Records that the backend broke the contract: -EPROTO, with a message that names the backend, the slot and
 * the violation.
 */
int sf_call_broken(struct sf_call *call, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

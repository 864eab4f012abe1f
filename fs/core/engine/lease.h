/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases limit how long a guest is at rest. Code that may bring a guest to rest takes a lease first, after
 * noting that in a record for the case of a crash. At the deadline a watchdog resumes the guest, no matter
 * what the owner is doing or how long another guest's resume takes. It retries every second until a resume
 * succeeds. The owner of an expired lease learns of it at the end and must discard its work.
 *
 * Thread-safe. One leaf lock, which is not held across calls into the hypervisor.
 */
#ifndef SF_CORE_ENGINE_LEASE_H
#define SF_CORE_ENGINE_LEASE_H

#include "core/contract/hypervisor.h"

#include <stdbool.h>
#include <stdint.h>

struct sf_err;
struct sf_health;
struct sf_lease;
struct sf_leases;

struct sf_lease_stats {
	uint64_t npauses;
	uint64_t nexpired;
	uint64_t total_ms;
	uint64_t longest_ms;
};

/* Starts the watchdog. hv and health must outlive it. */
int sf_leases_new(struct sf_hypervisor *hv, struct sf_health *health, struct sf_leases **ret,
		  struct sf_err *err);
/* Stops the watchdog. Tries once more to resume guests that are still at rest. Accepts NULL. */
void sf_leases_free(struct sf_leases *leases);

/*
 * Takes a lease. Its time starts at sf_lease_arm(). -EBUSY while the guest of an earlier lease is not
 * resumed.
 */
int sf_lease_begin(struct sf_leases *leases, const struct sf_vm_desc *vm, uint64_t deadline_ms,
		   struct sf_lease **ret, struct sf_err *err);
/* Starts the clock: the guest is at rest or about to be. Idempotent. */
void sf_lease_arm(struct sf_lease *lease);
/*
 * The hypervisor reports that the guest is at rest. From now on one successful resume by the watchdog is
 * enough. -ETIMEDOUT as with sf_lease_check().
 */
int sf_lease_rests(struct sf_lease *lease, struct sf_err *err);
/*
 * -ETIMEDOUT if the lease expired: the watchdog resumed the guest, and what was taken is not from one
 * instant.
 */
int sf_lease_check(struct sf_lease *lease, struct sf_err *err);
/*
 * Resumes the guest and ends the lease, which is invalid afterwards in every case. Only *ret_resumed says
 * whether the guest is known to have been resumed: -ETIMEDOUT may be as above, or the hypervisor's own. If it
 * is false, the watchdog keeps trying. On success *ret_rest_ms is how long the lease was armed, 0 if never;
 * may be NULL.
 */
int sf_lease_end(struct sf_lease *lease, bool *ret_resumed, uint64_t *ret_rest_ms, struct sf_err *err);
/* Ends the lease of a guest that has been stopped and needs no resume. -ETIMEDOUT as above. */
int sf_lease_drop(struct sf_lease *lease, struct sf_err *err);

/* The guest has been resumed by other means: cancels the watchdog's pending retries for it. */
void sf_leases_settle(struct sf_leases *leases, const struct sf_vm_desc *vm);

struct sf_lease_stats sf_leases_stats(struct sf_leases *leases);

#endif

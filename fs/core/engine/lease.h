/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pause is a lease. Whoever may bring a guest to rest takes one first (having written so in a record, for
 * the case of a crash); a watchdog resumes the guest at the deadline, whatever the owner is doing and however
 * long another guest's resume takes, and goes on trying every second while a resume fails. An owner whose
 * lease ran out learns it at the end and must throw its work away.
 *
 * Thread-safe. One lock, a leaf; it is not held across calls into the hypervisor.
 */
#ifndef SF_CORE_ENGINE_LEASE_H
#define SF_CORE_ENGINE_LEASE_H

#include "core/contract/hypervisor.h"

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

/* Starts the watchdog; hv and health outlive it. */
int sf_leases_new(struct sf_hypervisor *hv, struct sf_health *health, struct sf_leases **ret,
		  struct sf_err *err);
/* Ends the watchdog; a guest that still could not be resumed is tried once more. Accepts NULL. */
void sf_leases_free(struct sf_leases *leases);

/*
 * Takes a lease; its time runs from sf_lease_arm() on. -EBUSY while an earlier one's guest is not resumed
 * yet.
 */
int sf_lease_begin(struct sf_leases *leases, const struct sf_vm_desc *vm, uint64_t deadline_ms,
		   struct sf_lease **ret, struct sf_err *err);
/* The guest is at rest, or is about to be. Again is harmless. */
void sf_lease_arm(struct sf_lease *lease);
/*
 * The hypervisor says that the guest is at rest: once the watchdog has resumed it, it leaves it alone.
 * -ETIMEDOUT as with sf_lease_check().
 */
int sf_lease_rests(struct sf_lease *lease, struct sf_err *err);
/* -ETIMEDOUT when the watchdog has resumed the guest: what was taken is not of one instant. */
int sf_lease_check(struct sf_lease *lease, struct sf_err *err);
/*
 * Resumes the guest and ends the lease. -ETIMEDOUT as above; any other failure is the hypervisor's, and the
 * watchdog goes on trying. The lease is gone in every case. ret_rest_ms: on success, how long it was armed, 0
 * when it never was; NULL when nobody wants to know.
 */
int sf_lease_end(struct sf_lease *lease, uint64_t *ret_rest_ms, struct sf_err *err);
/* Ends the lease of a guest that has been stopped: there is nobody to resume. -ETIMEDOUT as above. */
int sf_lease_drop(struct sf_lease *lease, struct sf_err *err);

/* The guest has been resumed by other means: what the watchdog still meant to do for it is done. */
void sf_leases_settle(struct sf_leases *leases, const struct sf_vm_desc *vm);

struct sf_lease_stats sf_leases_stats(struct sf_leases *leases);

#endif

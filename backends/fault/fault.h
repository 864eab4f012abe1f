/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `fault` backend: wraps any storage or hypervisor and fails, delays, holds or dies at a named call
 * and count.
 *
 * A plan is text: CALL@COUNT=ACTION[,CALL@COUNT=ACTION…]
 *   CALL    storage.SLOT or hypervisor.SLOT, as the slots are named in the contracts ("storage.create")
 *   COUNT   1 for the first such call, '*' for every one
 *   ACTION  an errno's name ("EIO": the call is not made), delay:MS (then the call is made),
 *           hold:FIFO (the call waits until a writer has opened the FIFO and closed it; without the file
 *           it goes on), die (the process ends at once with SF_FAULT_EXIT, before the call), die-after
 *           (after the call)
 *
 * Calls that cannot fail (storage.claims and whatever closes or releases) take no errno.
 */
#ifndef SF_BACKENDS_FAULT_FAULT_H
#define SF_BACKENDS_FAULT_FAULT_H

/* The status of a process that a plan ended: none that a shell or a sanitizer uses. */
#define SF_FAULT_EXIT 86
/* Longest delay; a plan that says more means something else. */
#define SF_FAULT_DELAY_MAX_MS 60000

struct sf_err;
struct sf_fault_plan;
struct sf_hypervisor;
struct sf_storage;

/*
 * -EINVAL names the part of text that is wrong. Thread-safe once made; outlives what it is wrapped
 * around.
 */
int sf_fault_plan_new(const char *text, struct sf_fault_plan **ret, struct sf_err *err);
void sf_fault_plan_free(struct sf_fault_plan *plan);

/*
 * Calls fn before every call that goes through ("storage.create"); for tests that count or stop. fn may
 * wait or replace itself; NULL: nobody.
 */
void sf_fault_plan_observe(struct sf_fault_plan *plan, void (*fn)(void *arg, const char *call), void *arg);

/* Wraps inner, which is owned from then on; inner itself is untouched on failure (-ENOMEM). */
int sf_fault_storage(struct sf_fault_plan *plan, struct sf_storage *inner, struct sf_storage **ret,
		     struct sf_err *err);
int sf_fault_hypervisor(struct sf_fault_plan *plan, struct sf_hypervisor *inner, struct sf_hypervisor **ret,
			struct sf_err *err);

#endif

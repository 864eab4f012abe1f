/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `fault` backend, for tests. It wraps any storage or hypervisor, and makes calls fail or wait, or ends
 * the process, at a named call and count.
 *
 * A plan is text: CALL@COUNT=ACTION[,CALL@COUNT=ACTION…]
 *   CALL    storage.SLOT or hypervisor.SLOT, as the slots are named in the contracts ("storage.create")
 *   COUNT   1 for the first such call, '*' for every one
 *   ACTION  an errno's name ("EIO": the call is not made), delay:MS (then the call is made),
 *           hold:FIFO (the call waits until a writer has opened and closed the FIFO, unless the file is
 *           missing), die (the process ends with SF_FAULT_EXIT before the call), die-after (the same after
 *           the call)
 *
 * Calls that cannot fail (those that close or release) take no errno.
 */
#ifndef SF_BACKENDS_FAULT_FAULT_H
#define SF_BACKENDS_FAULT_FAULT_H

/* Exit status when a plan ends the process; neither shells nor sanitizers use it. */
#define SF_FAULT_EXIT 86
/* Longest delay. A larger number is probably a mistake. */
#define SF_FAULT_DELAY_MAX_MS 60000

struct sf_err;
struct sf_fault_plan;
struct sf_hypervisor;
struct sf_storage;

/*
 * Parses a plan. The plan is thread-safe, and must outlive every backend wrapped with it. -EINVAL: the text
 * names the part that is wrong. -ENOMEM.
 */
int sf_fault_plan_new(const char *text, struct sf_fault_plan **ret, struct sf_err *err);
void sf_fault_plan_free(struct sf_fault_plan *plan);

/*
 * Makes fn observe every call ("storage.create") just before it is made; for tests that count or block. fn
 * may wait, and may call this function. NULL: no observer.
 */
void sf_fault_plan_observe(struct sf_fault_plan *plan, void (*fn)(void *arg, const char *call), void *arg);

/* Wraps inner and takes ownership of it. On failure (-ENOMEM) inner remains the caller's. */
int sf_fault_storage(struct sf_fault_plan *plan, struct sf_storage *inner, struct sf_storage **ret,
		     struct sf_err *err);
int sf_fault_hypervisor(struct sf_fault_plan *plan, struct sf_hypervisor *inner, struct sf_hypervisor **ret,
			struct sf_err *err);

#endif

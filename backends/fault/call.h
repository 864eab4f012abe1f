/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the two wrapping backends ask the plan about one call. */
#ifndef SF_BACKENDS_FAULT_CALL_H
#define SF_BACKENDS_FAULT_CALL_H

#include <stdbool.h>

struct sf_err;
struct sf_fault_plan;

struct sf_fault_call {
	const char *name; /* "storage.create" */
	bool die_after;
};

/* Before the call is made: delays, dies, or fails with a negative errno, in which case it is not made. */
int sf_fault_before(struct sf_fault_plan *plan, struct sf_fault_call *call, struct sf_err *err);
/* After it was made; hands rc through. */
int sf_fault_after(const struct sf_fault_call *call, int rc);

#endif

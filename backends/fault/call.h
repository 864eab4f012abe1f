/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Consults the fault plan before and after one call; for the two wrapping backends. */
#ifndef SF_BACKENDS_FAULT_CALL_H
#define SF_BACKENDS_FAULT_CALL_H

#include <stdbool.h>

struct sf_err;
struct sf_fault_plan;

struct sf_fault_call {
	const char *name; /* "storage.create" */
	bool die_after;
};

/* Applies the plan before the call: delays, ends the process or fails, in which case the call is not made. */
int sf_fault_before(struct sf_fault_plan *plan, struct sf_fault_call *call, struct sf_err *err);
/* Applies the plan after the call; returns rc. */
int sf_fault_after(const struct sf_fault_call *call, int rc);

#endif

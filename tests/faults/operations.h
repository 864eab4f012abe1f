/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is swept: each operation with what has to be there before it. */
#ifndef TESTS_FAULTS_OPERATIONS_H
#define TESTS_FAULTS_OPERATIONS_H

#include "stage.h"

struct sf_err;

struct operation {
	const char *name;
	unsigned ndisks;
	/*
	 * Brings the stage about and notes the facts; not armed. NULL: the operation is the first start
	 * itself.
	 */
	void (*prepare)(struct house *house);
	/* The call under test, and all that follows from it. */
	int (*run)(struct house *house, struct sf_err *err);
};

/* Ends with an entry without a name. */
extern const struct operation operations[];

#endif

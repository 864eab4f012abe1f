/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations that the crash sweep covers, each with what must exist before it. */
#ifndef TESTS_FAULTS_OPERATIONS_H
#define TESTS_FAULTS_OPERATIONS_H

#include "stage.h"

struct sf_err;

struct operation {
	const char *name;
	unsigned ndisks;
	/*
	 * Prepares the stage and records the facts, unarmed. NULL: the operation is the first start itself.
	 */
	void (*prepare)(struct house *house);
	/* Makes the call under test, and all calls that follow from it. */
	int (*run)(struct house *house, struct sf_err *err);
};

/* Ends with an entry whose name is NULL. */
extern const struct operation operations[];

#endif

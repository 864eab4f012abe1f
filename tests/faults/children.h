/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processes that work on a stage, one after the other, and what is said when one of them finds something.
 */
#ifndef TESTS_FAULTS_CHILDREN_H
#define TESTS_FAULTS_CHILDREN_H

#include "stage.h"

/*
 * Runs fn in a process of its own. want: its exit status, or minus the signal that is to end it; anything
 * else is a complaint.
 */
void children_run(struct stage *stage, void (*fn)(struct stage *stage, const void *arg), const void *arg,
		  int want, const char *what);

/* The complaints, and what the processes have logged, as TAP comments. */
void children_tell(const struct stage *stage);

#endif

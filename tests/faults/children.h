/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the processes that work on a stage, one at a time, and prints what they found. */
#ifndef TESTS_FAULTS_CHILDREN_H
#define TESTS_FAULTS_CHILDREN_H

#include "stage.h"

/*
 * Runs fn in a child process. want: the exit status expected, or minus the signal expected to end it.
 * Complains about any other outcome.
 */
void children_run(struct stage *stage, void (*fn)(struct stage *stage, const void *arg), const void *arg,
		  int want, const char *what);

/* Prints the complaints, and what the processes have logged, as TAP comments. */
void children_tell(const struct stage *stage);

#endif

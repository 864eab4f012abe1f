/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handles SIGINT, SIGTERM and SIGHUP: the first is noted, the second ends the process. A signal that is
 * ignored at start (nohup) stays ignored.
 */
#ifndef SF_SNAPFSCTL_TREE_INTERRUPT_H
#define SF_SNAPFSCTL_TREE_INTERRUPT_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* From now on the first interrupt is noted, and makes a blocked call fail with EINTR. */
void sf_interrupt_catch(void);
/* Blocks all other signals in this thread and in those that it starts. *ret_before: the mask to restore. */
void sf_interrupt_block_others(sigset_t *ret_before);
/*
 * After an interrupt: makes the blocked call of another thread fail with EINTR, too. Sends it the signal that
 * was noted, because snapfs cancels an operation only for a signal that asks its caller to end.
 */
void sf_interrupt_pass_on(pthread_t thread);
/* Whether an interrupt was noted. The caller then starts no further work. */
bool sf_interrupted(void);
/* Forgets the noted interrupt, before work that must be done regardless. */
void sf_interrupt_forget(void);

#endif

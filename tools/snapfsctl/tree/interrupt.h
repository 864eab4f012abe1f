/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGINT, SIGTERM and SIGHUP: the first is noted, the second ends the process. Signals that are ignored when
 * the process starts (nohup) stay ignored.
 */
#ifndef SF_SNAPFSCTL_TREE_INTERRUPT_H
#define SF_SNAPFSCTL_TREE_INTERRUPT_H

#include <stdbool.h>

/* From now on the first interrupt is only noted. SIGUSR1 interrupts a blocked call and does nothing else. */
void sf_interrupt_catch(void);
/* Whether an interrupt was noted: the caller begins nothing more. */
bool sf_interrupted(void);
/* Forgets the interrupt that was noted, for work that must be done all the same. */
void sf_interrupt_forget(void);

#endif

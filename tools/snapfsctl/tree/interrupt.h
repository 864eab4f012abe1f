/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handles SIGINT, SIGTERM and SIGHUP: the first is noted, the second ends the process. A signal that is
 * ignored at start (nohup) stays ignored.
 */
#ifndef SF_SNAPFSCTL_TREE_INTERRUPT_H
#define SF_SNAPFSCTL_TREE_INTERRUPT_H

#include <stdbool.h>

/*
 * From now on the first interrupt is noted, and makes a blocked call fail with EINTR. SIGUSR1 only does the
 * latter.
 */
void sf_interrupt_catch(void);
/* Whether an interrupt was noted. The caller then starts no further work. */
bool sf_interrupted(void);
/* Forgets the noted interrupt, before work that must be done regardless. */
void sf_interrupt_forget(void);

#endif

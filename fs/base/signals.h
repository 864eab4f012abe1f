/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether another thread has a pending signal that asks it to end. Reads proc(5), because nothing tells the
 * server of a system call which signal has interrupted its caller.
 */
#ifndef SF_BASE_SIGNALS_H
#define SF_BASE_SIGNALS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Decides from the text of /proc/TID/status. A pending signal asks the thread to end if the thread neither
 * blocks nor ignores it, and
 *   - its default action, which is in effect, ends the process (signal(7)), or
 *   - it is SIGHUP, SIGINT, SIGQUIT or SIGTERM. A process may catch these (a shell catches SIGINT), but
 * whoever sends them wants its work to end. Others only have a handler run, stop the process or let a
 * debugger in; the call goes on after that.
 */
bool sf_signals_ask_to_end(FILE *status);

/* The same of a thread that exists. False when proc(5) does not show it, as in another PID namespace. */
bool sf_thread_asked_to_end(pid_t tid);

#endif

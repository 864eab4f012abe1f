/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A schedule's hook: a program of the administrator's, run without a shell and with a deadline. */
#ifndef SF_SNAPFSCTL_COMMANDS_HOOK_H
#define SF_SNAPFSCTL_COMMANDS_HOOK_H

#include <stdint.h>

struct sf_err;

/*
 * Runs argv to its end; env is "NAME=value" and NULL at the end. What it prints goes to standard error.
 * -EPROTO when it exits with another status than 0 or a signal ends it, -ETIMEDOUT after deadline_ms, -EINTR
 * for an interrupt of ours that comes meanwhile: it and what it started, as far as that stayed in its process
 * group, get SIGTERM then and SIGKILL some seconds later. -ENOENT, -EACCES.
 */
int sf_hook_run(const char *const *argv, const char *const *env, uint64_t deadline_ms, struct sf_err *err);

#endif

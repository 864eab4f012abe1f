/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a schedule's hook: the administrator's program, started without a shell and with a deadline. */
#ifndef SF_SNAPFSCTL_COMMANDS_HOOK_H
#define SF_SNAPFSCTL_COMMANDS_HOOK_H

#include <stdint.h>

struct sf_err;

/*
 * Runs argv and waits until it exits. env holds "NAME=value" strings and ends with NULL. The hook's output
 * goes to standard error.
 * After the deadline or an interrupt the hook and its process group get SIGTERM, and SIGKILL a few seconds
 * later.
 * -EPROTO: the exit status is not 0, or a signal ended the hook
 * -ETIMEDOUT: the hook ran longer than deadline_ms
 * -EINTR: snapfsctl was interrupted
 * -ENOENT, -EACCES: the hook cannot be started
 */
int sf_hook_run(const char *const *argv, const char *const *env, uint64_t deadline_ms, struct sf_err *err);

#endif

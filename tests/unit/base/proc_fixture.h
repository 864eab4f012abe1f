/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers that start a child process and wait for its end. Both must succeed. */
#ifndef TESTS_UNIT_PROC_FIXTURE_H
#define TESTS_UNIT_PROC_FIXTURE_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DEADLINE_MS 20000
#define TEXT_MAX    4096
#define nitems(a)   (sizeof(a) / sizeof((a)[0]))

static inline struct sf_proc start(const char *const *argv, int out, int err_fd)
{
	struct sf_proc_spec spec = {.argv = argv, .stdout_fd = out, .stderr_fd = err_fd};
	struct sf_proc proc = {0};
	struct sf_err err = {0};

	if (sf_proc_start(&spec, &proc, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(proc.pid > 0);
	return proc;
}

static inline int finish(struct sf_proc *proc)
{
	struct sf_err err = {0};
	int status = -1;

	if (sf_proc_wait(proc, DEADLINE_MS, &status, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(proc->pid, 0);
	return status;
}

#endif

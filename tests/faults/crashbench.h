/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of the simulator: runs work in a child process until its power is cut, and looks at what is
 * left.
 */
#ifndef TESTS_FAULTS_CRASHBENCH_H
#define TESTS_FAULTS_CRASHBENCH_H

#include "crashsim.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough for every kind of outcome to occur. */
#define BENCH_SEEDS 64

/* The directory of the work, the graveyard beside it, and the report of the last cut. */
struct bench {
	char path[PATH_MAX];
	int top, work, graveyard;
	struct crashsim_report *report;
};
extern struct bench bench;

/* For cmocka groups. */
int bench_setup(void **state);
int bench_teardown(void **state);

typedef void bench_fn(int dir);

/*
 * Starts a child process in an empty directory. It runs before() unarmed, then work() armed, until point k or
 * the end of work().
 */
void bench_cut(bench_fn *before, bench_fn *work, uint64_t k, enum crashsim_mode mode, uint64_t seed);

/* --- In the child process. A failure ends it. --- */
void bench_must(bool ok);
/* Writes text to dir/name, creating it if needed. flags: further flags of open(2). */
void bench_put(int dir, const char *name, int flags, const char *text, bool synced);
/* Makes the file "file" with the content "old content". */
void bench_old_file(int dir);

/* --- Afterwards --- */
/* The file's content, or "-" if there is no such file. Static memory. */
const char *bench_content(const char *name);
/* 0 if there is no such file. */
mode_t bench_mode(const char *name);
/* Seconds since the epoch, or 0 if there is no such file. */
time_t bench_mtime(const char *name);
/*
 * Prints that a test is skipped. Replaces cmocka's skip(), whose TAP output of version 1.1 counts as a
 * failure.
 */
void bench_pass_by(const char *what);

#endif

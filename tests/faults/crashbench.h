/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the tests of the simulator: where a process works until its power is cut, and a look at what is left.
 */
#ifndef TESTS_FAULTS_CRASHBENCH_H
#define TESTS_FAULTS_CRASHBENCH_H

#include "crashsim.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Enough for every kind of outcome to turn up. */
#define BENCH_SEEDS 64

/* The work's directory, the graveyard beside it, and how the last cut went. */
struct bench {
	char path[PATH_MAX];
	int top, work, graveyard;
	struct crashsim_report *report;
};
extern struct bench bench;

/* Of a cmocka group. */
int bench_setup(void **state);
int bench_teardown(void **state);

typedef void bench_fn(int dir);

/*
 * before runs unarmed in an empty directory; work runs armed, in a process of its own, until point k or its
 * end.
 */
void bench_cut(bench_fn *before, bench_fn *work, uint64_t k, enum crashsim_mode mode, uint64_t seed);

/* --- In that process; what fails ends it. --- */
void bench_must(bool ok);
/* Writes text to dir/name, made if need be; flags: more of open(2). */
void bench_put(int dir, const char *name, int flags, const char *text, bool synced);
/* "file" with "old content". */
void bench_old_file(int dir);

/* --- Afterwards. --- */
/* "-" when it is not there; static memory. */
const char *bench_content(const char *name);
/* 0 when it is not there. */
mode_t bench_mode(const char *name);
/* Seconds since the epoch of its last change; 0 when it is not there. */
time_t bench_mtime(const char *name);
/* Not cmocka's skip(): what version 1.1 prints for that in TAP reads as a failure. */
void bench_pass_by(const char *what);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Points at which a process is killed with SIGKILL: before each change it makes to its state directory or a
 * disk (killcalls.c), before each call of the hypervisor (tests/faults/stage.c), and before and during each
 * LVM command (lvm_killer.c, which runs in place of lvm). A stop after a step equals a stop before the next,
 * and queries change nothing, so neither is a point.
 */
#ifndef TESTS_VM_PROGRAMS_KILLPOINTS_H
#define TESTS_VM_PROGRAMS_KILLPOINTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Lies in a file, so that child processes share it. */
struct killpoints {
	atomic_bool armed;
	bool with_storage_calls;
	uint64_t k;               /* the point to stop at, from 1; 0: none */
	_Atomic uint64_t reached; /* points reached since arming */
	char call[160];           /* the call at which it was killed; empty: not yet */
};

#define KILLPOINTS_FILE "points"
#define KILLPOINTS_LVM  "lvm"

/* Maps directory/KILLPOINTS_FILE, creating it if needed. Ends the program on failure. */
struct killpoints *killpoints_map(const char *directory);
/* Counts a point. True if it is the one to stop at. */
bool killpoints_reach(struct killpoints *points, const char *call);

/* --- killcalls.c --- */
/* Arms this process and the LVM commands that it starts from now on. */
void killpoints_arm(struct killpoints *points, uint64_t k);
_Noreturn void killpoints_die(void);

#endif

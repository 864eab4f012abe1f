/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a process is killed with SIGKILL: before what it does in its state directory and to a disk
 * (killcalls.c), before calls of the hypervisor (tests/faults/stage.c), and before and during its LVM
 * commands (lvm_killer.c, in its stead). A stop after something is the same as one before what follows, and
 * queries change nothing: neither is a point.
 */
#ifndef TESTS_VM_PROGRAMS_KILLPOINTS_H
#define TESTS_VM_PROGRAMS_KILLPOINTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* In a file, so that the programs that a process starts see it too. */
struct killpoints {
	atomic_bool armed;
	bool with_storage_calls;
	uint64_t k;               /* from 1; 0: none */
	_Atomic uint64_t reached; /* since it was armed */
	char call[160];           /* at which it was killed; empty: not yet */
};

#define KILLPOINTS_FILE "points"
#define KILLPOINTS_LVM  "lvm"

/* Maps directory/KILLPOINTS_FILE, made if need be. Ends the program when it cannot. */
struct killpoints *killpoints_map(const char *directory);
/* Counts a point; true when it is the one. */
bool killpoints_reach(struct killpoints *points, const char *call);

/* --- killcalls.c --- */
/* This process, and the LVM commands it starts, from here on. */
void killpoints_arm(struct killpoints *points, uint64_t k);
_Noreturn void killpoints_die(void);

#endif

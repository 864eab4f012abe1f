/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simulates a power cut under unmodified code. The program is linked with -Wl,--wrap for every libc call that
 * changes files (meson.build has the list). Once armed, each such call on a regular file or a directory is a
 * *point*. At the chosen point the process stops, changes that are not durable are kept, dropped or torn, and
 * the process ends.
 *
 * What a cut can lose: changes to a file's data and attributes since its last fsync (fdatasync: data only),
 * and changes to directories since the last fsync of that directory. Directory changes are lost in order, as
 * in a journalling file system: syncing one directory makes all earlier changes on the same disk durable. Any
 * thread may reach a point; one mutex orders all changes.
 */
#ifndef TESTS_FAULTS_CRASHSIM_H
#define TESTS_FAULTS_CRASHSIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit status after a power cut. */
#define CRASHSIM_EXIT 99
/* Exit status when the model cannot undo a change; the reason is on standard error. */
#define CRASHSIM_EXIT_UNMODELLED 97
/* A number that no point has. */
#define CRASHSIM_NEVER UINT64_MAX

enum crashsim_mode {
	CRASHSIM_KEEP, /* everything reached the disk: the process was merely killed */
	CRASHSIM_DROP, /* only what was synced reached the disk */
	CRASHSIM_TORN, /* the seed selects what reached the disk, and what of it in part */
	/*
	 * Only fsyncs of directories are points, and point k fails with EIO and syncs nothing. The process
	 * continues; the seed selects how many calls later the power is cut, and what reaches the disk:
	 * everything (even seeds) or only what was synced (odd ones).
	 */
	CRASHSIM_FAIL,
};

/* How a process ended. The report lies in shared memory, so it survives the process. */
struct crashsim_report {
	_Atomic uint64_t points; /* points reached since arming */
	atomic_bool cut;         /* point k was reached and the power cut */
	char call[160];          /* the call at the last point */
};

/*
 * Declares that path lies on a disk of its own, so syncing elsewhere makes nothing below it durable. Call it
 * before crashsim_arm(). path is absolute, has no symbolic links, and must stay valid.
 */
void crashsim_own_disk(const char *path);

/*
 * Makes the k-th point from now on, counted from 1, end the process, or fail (CRASHSIM_FAIL). Call it once
 * per process. graveyard: descriptor of an empty directory that takes unlinked files. It is on the same file
 * system as everything that will change, and must stay open.
 */
void crashsim_arm(uint64_t k, enum crashsim_mode mode, uint64_t seed, int graveyard,
		  struct crashsim_report *report);

/* Counts a point that is not a libc call. A no-op unless armed. */
void crashsim_point(const char *call);

/* Cuts the power now, whatever k is. */
_Noreturn void crashsim_cut(void);

#endif

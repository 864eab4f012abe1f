/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A power cut under unmodified code. The program is linked with -Wl,--wrap for every libc call that changes
 * files (the list is in meson.build); once armed, each such call on a regular file or a directory is one
 * *point*, and at the chosen point the process stops: what was not made durable is kept, dropped or torn,
 * then it ends.
 *
 * What may be lost: data and attributes of a file since its last fsync (fdatasync: data only), and directory
 * changes since the last fsync of that directory, in order, as a journalling file system loses them: when one
 * directory is synced, all earlier changes on the same disk are durable with it. Any thread may reach a
 * point; one mutex orders all changes.
 */
#ifndef TESTS_FAULTS_CRASHSIM_H
#define TESTS_FAULTS_CRASHSIM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* How a process ends whose power was cut. */
#define CRASHSIM_EXIT 99
/* How it ends when this model cannot undo what it did; the reason is on standard error. */
#define CRASHSIM_EXIT_UNMODELLED 97
/* No point has this number. */
#define CRASHSIM_NEVER UINT64_MAX

enum crashsim_mode {
	CRASHSIM_KEEP, /* everything reached the disk: the process was killed */
	CRASHSIM_DROP, /* nothing did that was not synced */
	CRASHSIM_TORN, /* by seed: some did, and some of it in part */
};

/* Lives in memory that outlives the process, so that others can read how it ended. */
struct crashsim_report {
	_Atomic uint64_t points; /* reached since it was armed */
	atomic_bool cut;         /* point k was reached */
	char call[160];          /* the last point */
};

/*
 * What is below path lies on a disk of its own: what is synced elsewhere says nothing about it. path:
 * absolute, without symbolic links, kept. Before crashsim_arm().
 */
void crashsim_own_disk(const char *path);

/*
 * From here on the k-th point (from 1) ends the process. graveyard: an empty directory on the same file
 * system as everything that is going to change, for files that are unlinked; stays open. Once per process.
 */
void crashsim_arm(uint64_t k, enum crashsim_mode mode, uint64_t seed, int graveyard,
		  struct crashsim_report *report);

/* A point that is not a libc call; does nothing unless armed. */
void crashsim_point(const char *call);

/* The power fails now, whatever k was. */
_Noreturn void crashsim_cut(void);

#endif

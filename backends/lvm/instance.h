/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of struct sf_lvm, for lvm.c and lvm_report.c only. */
#ifndef SF_BACKENDS_STORAGE_LVM_IMPL_H
#define SF_BACKENDS_STORAGE_LVM_IMPL_H

#include "lvm.h"

#include "base/proc.h"

#include <pthread.h>

/* Arguments of one command: a create with all its tags has about 40. */
#define SF_LVM_ARGS_MAX 64
/* Commands past their deadline that are still watched for; each holds the lock, so there is rarely a second.
 */
#define SF_LVM_LATE 4
/* VGs whose reports are remembered. */
#define SF_LVM_VGS 64

struct sf_lvm_known {
	char vg[SF_LVM_NAME];
	struct sf_lvm_report *report; /* NULL: none yet */
	uint64_t asked_ms;            /* CLOCK_MONOTONIC, when the question was put */
	uint64_t asked_at;            /* and how many changes there had been */
	uint64_t changed_at;          /* which of all changes of ours was the last one here; 0: none */
	uint64_t changed_ms;
};

struct sf_lvm {
	_Atomic unsigned refs;
	char *program;
	char run_dir[1024];
	char state_dir[SF_ORIGIN_MAX];
	const struct sf_lvm_config *config;
	struct sf_id state_id;

	struct sf_proc late[SF_LVM_LATE]; /* touched by the thread that runs a command, and no other */

	pthread_mutex_t lock; /* guards what follows; a leaf */
	bool running;         /* a thread runs a command: one at a time */
	pthread_cond_t idle;  /* running has become false */
	uint64_t changes;     /* by commands of ours so far, in any VG */
	struct sf_lvm_known known[SF_LVM_VGS];
	size_t nknown;
};

void sf_lvm_forget_reports(struct sf_lvm *lvm);

#endif

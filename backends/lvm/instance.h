/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instance behind lvm.h, for the files of this room. */
#ifndef SF_BACKENDS_LVM_INSTANCE_H
#define SF_BACKENDS_LVM_INSTANCE_H

#include "known.h"
#include "lvm.h"

#include "base/proc.h"
#include "core/config/config.h"

#include <pthread.h>

/* Commands past their deadline that are still waited for. Each holds the host's lock: a second is rare. */
#define SF_LVM_LATE 4

struct sf_lvm {
	_Atomic unsigned refs;
	char *program;
	char run_dir[1024];
	char state_dir[SF_ORIGIN_MAX];
	const struct sf_lvm_config *config;
	struct sf_id state_id;

	struct sf_proc late[SF_LVM_LATE]; /* used only by the thread that runs a command */

	pthread_mutex_t lock; /* guards what follows; a leaf */
	bool running;         /* a thread runs a command: one at a time */
	pthread_cond_t idle;  /* running has become false; on CLOCK_MONOTONIC */
	uint64_t changes;     /* by commands of ours so far, in any VG */
	struct sf_lvm_known known[SF_LVM_VGS];
	size_t nknown;
};

#endif

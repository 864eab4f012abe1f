/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exclusion that allows one operation at a time on a VM, and access to the VM's state directory while it
 * is held.
 */
#ifndef SF_CORE_ENGINE_OPERATION_H
#define SF_CORE_ENGINE_OPERATION_H

#include "internal.h"

#include "core/contract/hypervisor.h"
#include "core/state/jobs.h"

struct sf_engine_vm;
struct sf_present;

/* An operation on a VM that holds the VM's exclusion. */
struct sf_vm_op {
	struct sf_engine *engine;
	struct sf_engine_vm *vm;
	struct sf_vm_desc desc; /* desc, name and present are copies that do not change */
	char name[SF_NAME_MAX + 1];
	bool present;
	int dir; /* the VM's directory in the state directory; -1 while it has none */
	struct sf_job *job;
	enum sf_operation kind;
	char snapshot[SF_NAME_MAX + 1]; /* for reports */
	uint64_t number;                /* of the job */
	uint64_t begun_ms;
	uint64_t bytes; /* what the snapshot held when the operation began, RAM included; 0: no snapshot */
	struct sf_present *present_disks; /* relocate.c; NULL: not looked at yet */
	bool timed_out; /* a storage was too slow: recovery queries none again in this operation */
};

/*
 * Takes the VM's exclusion and fills in op, which is zeroed or holds what the caller knows of the job. kept:
 * an internal operation; users' operations wait for it instead of failing. -EBUSY if another operation is
 * running, -ENOMEM.
 */
int sf_op_enter(struct sf_engine *engine, struct sf_engine_vm *vm, bool kept, struct sf_vm_op *op,
		struct sf_err *err);
/* Releases the exclusion and what op owns. */
void sf_op_leave(struct sf_vm_op *op);
/*
 * Marks the VM as unsettled because something is left half done. Recovery runs before the next operation or
 * at the keeper's next retry.
 */
void sf_op_unsettle(struct sf_vm_op *op);
/*
 * Opens op->dir. With create, names and creates the directory if needed; otherwise -ENOENT if there is none.
 * -EBUSY on creation for a contested VM.
 */
int sf_op_dir(struct sf_vm_op *op, bool create, struct sf_err *err);

#endif

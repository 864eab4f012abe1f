/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One operation on one VM at a time: the exclusion, and the VM's state directory while it is held. */
#ifndef SF_CORE_ENGINE_OPERATION_H
#define SF_CORE_ENGINE_OPERATION_H

#include "internal.h"

#include "core/contract/hypervisor.h"
#include "core/state/jobs.h"

struct sf_engine_vm;

/* One operation on one VM, holding its exclusion. */
struct sf_vm_op {
	struct sf_engine *engine;
	struct sf_engine_vm *vm;
	struct sf_vm_desc desc; /* copies, which do not change meanwhile */
	char name[SF_NAME_MAX + 1];
	bool present;
	int dir; /* the VM's state directory; -1 while it has none */
	struct sf_job *job;
	enum sf_operation kind;
	char snapshot[SF_NAME_MAX + 1]; /* for reports */
	uint64_t number;                /* of the job */
	uint64_t begun_ms;
};

/*
 * Takes the VM's exclusion and fills in the rest of op, which is zeroed or holds what the caller knows of the
 * job. kept: operations of users wait until it is left, instead of failing. -EBUSY when another operation
 * runs, -ENOMEM.
 */
int sf_op_enter(struct sf_engine *engine, struct sf_engine_vm *vm, bool kept, struct sf_vm_op *op,
		struct sf_err *err);
/* --- op.c --- */
void sf_op_leave(struct sf_vm_op *op);
/* Something half-done stays behind: recovery goes before the next operation, and the keeper sees to it. */
void sf_op_unsettle(struct sf_vm_op *op);
/* Opens op->dir, making and naming the directory when create says so. -ENOENT when there is none. */
int sf_op_dir(struct sf_vm_op *op, bool create, struct sf_err *err);

#endif

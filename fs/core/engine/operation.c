/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exclusion of operations on a VM, and the VM's directory. */
#include "operation.h"

#include "internal.h"
#include "relocate.h"
#include "vms.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int sf_op_enter(struct sf_engine *engine, struct sf_engine_vm *vm, bool kept, struct sf_vm_op *op,
		struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&engine->lock);

	while (vm->kept)
		pthread_cond_wait(&engine->changed, &engine->lock);
	if (vm->busy)
		return sf_fail(err, -EBUSY, "another operation on VM '%s' is running", vm->name);
	if (sf_vm_desc_copy(&vm->desc, &op->desc) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	vm->busy = true;
	vm->kept = kept;
	op->engine = engine;
	op->vm = vm;
	memcpy(op->name, vm->name, sizeof(op->name));
	op->present = vm->present;
	op->dir = -1;
	return 0;
}

/*
 * Call with the lock held. A VM without snapshots has no directory; keep it if an operation may be about to
 * use it.
 */
static void remove_empty_dir(struct sf_engine *engine, const struct sf_engine_vm *vm)
{
	if (*vm->dir)
		(void)unlinkat(sf_state_fd(engine->state), vm->dir, AT_REMOVEDIR); /* fails if not empty */
}

void sf_op_leave(struct sf_vm_op *op)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

	op->vm->busy = false;
	op->vm->kept = false;
	remove_empty_dir(op->engine, op->vm);
	sf_cleanup_fd(&op->dir);
	sf_vm_desc_fini(&op->desc);
	sf_present_free(op->present_disks);
	op->engine->nchanges++;
	pthread_cond_broadcast(&op->engine->changed);
}

void sf_op_unsettle(struct sf_vm_op *op)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

	op->vm->unsettled = true;
}

static void choose_dir(struct sf_engine *engine, struct sf_engine_vm *vm)
{
	bool taken = sf_state_is_reserved(vm->name);

	for (size_t i = 0; i < engine->nvms; i++)
		taken = taken || strcmp(engine->vms[i]->dir, vm->name) == 0;
	if (taken)
		(void)snprintf(vm->dir, sizeof(vm->dir), "%s~%08llx", vm->name,
			       (unsigned long long)(vm->id >> 32));
	else
		(void)snprintf(vm->dir, sizeof(vm->dir), "%s", vm->name);
}

int sf_op_dir(struct sf_vm_op *op, bool create, struct sf_err *err)
{
	char dir[SF_VM_DIR];
	int fd;

	if (op->dir >= 0)
		return 0;
	if (op->vm->contested)
		return sf_fail(err, create ? -EBUSY : -ENOENT,
			       "several directories of the state directory belong to VM '%s': see "
			       ".snapfs/health.json",
			       op->name);
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

		if (!*op->vm->dir && create)
			choose_dir(op->engine, op->vm);
		memcpy(dir, op->vm->dir, sizeof(dir));
	}
	if (!*dir)
		return sf_fail(err, -ENOENT, "VM '%s' has no snapshots", op->name);
	fd = sf_state_vm_dir(op->engine->state, dir, create, err);
	if (fd < 0)
		return fd;
	op->dir = fd;
	return 0;
}

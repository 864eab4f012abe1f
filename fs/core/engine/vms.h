/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's table of VMs: those that the hypervisor lists and those that only the state directory knows.
 */
#ifndef SF_CORE_ENGINE_VMS_H
#define SF_CORE_ENGINE_VMS_H

#include "internal.h"

/* Size of a VM's directory name: its name, followed by "~" and 8 hex digits if another VM uses that name. */
#define SF_VM_DIR (SF_NAME_MAX + 16)

struct sf_engine_vm {
	uint64_t id;
	char name[SF_NAME_MAX + 1]; /* shown in the tree */
	struct sf_vm_desc desc;     /* as last listed */
	char dir[SF_VM_DIR];        /* empty until the first snapshot */
	bool present;
	bool was_present; /* in the list before the last one */
	bool busy;        /* an operation is running on it */
	bool kept;        /* the operation is internal: others wait for it */
	bool unsettled;   /* something is half done: recovery runs before the next operation */
	bool told_slow;   /* the log has the warning that its disks can only be copied */
	bool contested;   /* several directories claim to be this VM's: it has none */
	bool unsure;      /* it may own volumes that no published record names */
	bool resume_due;  /* a record that recovery cannot change says that its guest is at rest: resume it
			     once */
};

/* Finds the VM with that identity; if it is unknown, registers it as gone. -ENOMEM. */
int sf_engine_vm_of(struct sf_engine *engine, const char *uuid, const char *name, struct sf_engine_vm **ret);
/* Gives the VM the directory of that name in the state directory. Call at start. */
void sf_engine_give_dir(struct sf_engine *engine, struct sf_engine_vm *vm, const char *dir);
/* Finds the VM with that identity and copies the name of its directory, "" if it has none. NULL if unknown.
 */
const struct sf_engine_vm *sf_engine_home(struct sf_engine *engine, const char *uuid, const char *name,
					  char dir[static SF_VM_DIR]);
/* Opens the VM's directory in the state directory and returns the descriptor. Needs no exclusion. -ENOENT. */
int sf_engine_vm_dir(struct sf_engine *engine, uint64_t vm_id, struct sf_err *err);
/* NULL if there is no such VM. */
struct sf_engine_vm *sf_engine_vm_by_id(struct sf_engine *engine, uint64_t id);
/* Asks the hypervisor for its VMs now and updates the catalog. */
void sf_engine_list(struct sf_engine *engine);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs that the hypervisor lists or the state directory knows. */
#ifndef SF_CORE_ENGINE_VMS_H
#define SF_CORE_ENGINE_VMS_H

#include "internal.h"

/* A VM's directory in the state directory: its name, with "~" and 8 hex digits when that is another VM's. */
#define SF_VM_DIR (SF_NAME_MAX + 16)

struct sf_engine_vm {
	uint64_t id;
	char name[SF_NAME_MAX + 1]; /* shown in the tree */
	struct sf_vm_desc desc;     /* as last listed */
	char dir[SF_VM_DIR];        /* empty until the first snapshot */
	bool present;
	bool busy;      /* an operation runs on it */
	bool kept;      /* and it is the keeper's, which is waited for */
	bool unsettled; /* something half-done waits: recovery goes before the next operation */
};

/* Registers a VM that only the state directory knows. Called at start. */
int sf_engine_add_gone(struct sf_engine *engine, const char *uuid, const char *name, const char *dir,
		       struct sf_engine_vm **ret);
/* The VM with that identity, registered as gone when it is not known. -ENOMEM. */
int sf_engine_vm_of(struct sf_engine *engine, const char *uuid, const char *name, struct sf_engine_vm **ret);
/* The VM's directory in the state directory, opened; -ENOENT. Needs no exclusion. */
int sf_engine_vm_dir(struct sf_engine *engine, uint64_t vm_id, struct sf_err *err);
/* --- vms.c --- */
struct sf_engine_vm *sf_engine_vm_by_id(struct sf_engine *engine, uint64_t id);
/* Asks the hypervisor now. */
void sf_engine_list(struct sf_engine *engine);

#endif

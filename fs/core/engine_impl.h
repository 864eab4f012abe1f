/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the engine, shared by its files: engine.c (opening, VMs, exclusion), volumes.c, create.c, delete.c,
 * edit.c, revert.c, recover.c, orphans.c, files.c, report.c. Nobody else includes this.
 */
#ifndef SF_CORE_ENGINE_IMPL_H
#define SF_CORE_ENGINE_IMPL_H

#include "engine.h"
#include "health.h"
#include "jobs.h"
#include "lease.h"
#include "lifecycle.h"
#include "plan.h"
#include "state.h"

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A VM's directory in the state directory: its name, with "~" and 8 hex digits when that is another VM's. */
#define SF_VM_DIR (SF_NAME_MAX + 16)

struct sf_engine_vm {
	uint64_t id;
	char name[SF_NAME_MAX + 1]; /* shown in the tree */
	struct sf_vm_desc desc;     /* as last listed; without disks when the VM is gone */
	char dir[SF_VM_DIR];        /* empty until the first snapshot */
	bool present;
	bool busy;      /* an operation runs on it */
	bool unsettled; /* something half-done waits: recovery goes before the next operation */
};

struct sf_reaper;

struct sf_engine {
	struct sf_state *state;
	const struct sf_config *config;
	struct sf_storages *storages;
	struct sf_hypervisor *hv;
	struct sf_catalog *catalog;
	struct sf_health *health;
	struct sf_jobs *jobs;
	struct sf_leases *leases;
	struct sf_reaper *reaper;

	pthread_mutex_t lock; /* guards what follows; taken before every other lock */
	struct sf_engine_vm **vms;
	size_t nvms;
	bool refreshing;
	uint64_t refreshed_ms;
	struct sf_err last_error;
	uint64_t last_error_ns;
};

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
	uint64_t number; /* of the job */
};

/* Live disks, opened together. */
struct sf_volumes {
	struct sf_volume *list[SF_VM_DISKS_MAX];
	bool held[SF_VM_DISKS_MAX];
	size_t n;
};

/* --- engine.c --- */
/* -ENOENT no such VM, -EBUSY another operation. Finishes what an earlier failure left on this VM. */
int sf_op_begin(struct sf_engine *engine, enum sf_operation kind, const char *vm, const char *snapshot,
		struct sf_job *job, struct sf_vm_op *ret, struct sf_err *err);
/* Reports rc (log, last error, job), gives up the exclusion, returns rc. */
int sf_op_end(struct sf_vm_op *op, int rc, struct sf_err *err);
/* Opens op->dir, making and naming the directory when create says so. -ENOENT when there is none. */
int sf_op_dir(struct sf_vm_op *op, bool create, struct sf_err *err);
/* Takes and gives up a VM's exclusion without a job: for recovery. */
int sf_op_enter(struct sf_engine *engine, struct sf_engine_vm *vm, struct sf_vm_op *ret, struct sf_err *err);
void sf_op_leave(struct sf_vm_op *op);
void sf_op_unsettle(struct sf_vm_op *op);
/* Registers a VM that only the state directory knows. Called at start. */
int sf_engine_add_gone(struct sf_engine *engine, const char *uuid, const char *name, const char *dir,
		       struct sf_engine_vm **ret);
/* Removes the VM's directory if nothing is in it. */
void sf_engine_tidy(struct sf_engine *engine, uint64_t vm_id);
/* The VM's directory in the state directory, opened; -ENOENT. Needs no exclusion. */
int sf_engine_vm_dir(struct sf_engine *engine, uint64_t vm_id, struct sf_err *err);
struct sf_engine_vm *sf_engine_vm_by_id(struct sf_engine *engine, uint64_t id);
/* Asks the hypervisor now. */
void sf_engine_list(struct sf_engine *engine);

/* --- volumes.c --- */
/*
 * Opens the VM's disks named in wanted (NULL: all), in the VM's order. -EINVAL for a disk the VM does not
 * have.
 */
int sf_volumes_open(struct sf_vm_op *op, char (*wanted)[SF_VDEV_MAX + 1], size_t nwanted,
		    struct sf_volumes *ret, const struct sf_disk *ret_disks[static SF_VM_DISKS_MAX],
		    struct sf_err *err);
/* Claims them all, or none of them. */
int sf_volumes_hold(struct sf_volumes *volumes, struct sf_err *err);
int sf_volumes_check(struct sf_volumes *volumes, struct sf_err *err);
void sf_volumes_close(struct sf_volumes *volumes);

/* Adds up what is needed of each pool and compares it with what is free. */
struct sf_budget {
	struct {
		struct sf_space space;
		uint64_t need_bytes;
	} pools[SF_VM_DISKS_MAX + 1];
	size_t npools;
};
void sf_budget_add(struct sf_budget *budget, const struct sf_space *space, uint64_t need_bytes);
/* -ENOSPC with the figures. */
int sf_budget_check(const struct sf_budget *budget, struct sf_err *err);

/* --- create.c --- */
struct sf_take_options {
	const struct sf_create_request *request;
	const char *name;
	struct sf_id uuid;
	bool leave_at_rest;       /* hand the lease over instead of resuming the guest */
	struct sf_budget *budget; /* further needs to be counted in; NULL: none */
};
/*
 * Takes one snapshot or leaves nothing behind. *ret_lease: NULL when the guest was not brought to rest by us.
 */
int sf_take(struct sf_vm_op *op, const struct sf_take_options *options, struct sf_lease **ret_lease,
	    struct sf_err *err);
/* Undoes a half-made snapshot; failure leaves the record standing. */
int sf_untake(struct sf_vm_op *op, const struct sf_record *record, const char *dir_name, struct sf_err *err);

/* --- delete.c --- */
/* Ready -> deleting -> gone, the last part when nobody reads it. */
int sf_delete_snapshot(struct sf_vm_op *op, struct sf_snapshot *snapshot, struct sf_err *err);
/* Removes volumes, then the record's directory (of that name in the VM's). */
int sf_drop_snapshot(struct sf_engine *engine, int vm_dir, const struct sf_record *record,
		     const char *dir_name, struct sf_err *err);
/* Has the storage of a hidden snapshot removed by the reaper's thread. */
void sf_reaper_push(struct sf_engine *engine, uint64_t snapshot_id);
int sf_reaper_new(struct sf_engine *engine, struct sf_err *err);
void sf_reaper_free(struct sf_reaper *reaper);

/* --- revert.c --- */
/* Finishes or undoes the revert whose plan was found. */
int sf_revert_found(struct sf_vm_op *op, const struct sf_plan *plan, struct sf_err *err);

/* --- recover.c --- */
/* At start: every VM, guests first. */
void sf_recover_all(struct sf_engine *engine);
/* Resumes a guest that a dead process may have left at rest; while that fails the watchdog goes on trying. */
void sf_resume_forgotten(struct sf_engine *engine, const struct sf_vm_desc *vm);
/*
 * One VM, under its exclusion: records, then the plan. Fails only when the plan could not be walked to its
 * end: then nothing new may begin. Other leftovers are reported and tried again with the next operation.
 */
int sf_recover_vm(struct sf_vm_op *op, struct sf_err *err);

/* --- orphans.c --- */
/* Only at start, when no operation runs: a volume in the making has a record, but not yet in the catalog. */
void sf_find_orphans(struct sf_engine *engine);

#endif

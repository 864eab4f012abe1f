/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the engine, shared by its files: engine.c (opening, closing), vms.c, op.c, volumes.c, create.c,
 * delete.c, edit.c, revert*.c, recover.c, orphans.c, rescan.c, files.c, watch.c, report.c, metrics.c. Nobody
 * else includes this.
 */
#ifndef SF_CORE_ENGINE_IMPL_H
#define SF_CORE_ENGINE_IMPL_H

#include "engine.h"
#include "core/state/health.h"
#include "core/state/jobs.h"
#include "lease.h"
#include "core/state/lifecycle.h"
#include "core/state/revert_plan.h"
#include "core/state/schedules.h"
#include "core/state/state.h"

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
	struct sf_vm_desc desc;     /* as last listed */
	char dir[SF_VM_DIR];        /* empty until the first snapshot */
	bool present;
	bool busy;      /* an operation runs on it */
	bool kept;      /* and it is the keeper's, which is waited for */
	bool unsettled; /* something half-done waits: recovery goes before the next operation */
};

struct sf_keeper;
struct sf_watchers;

struct sf_engine {
	struct sf_state *state;
	const struct sf_config *config;
	struct sf_storages *storages;
	struct sf_hypervisor *hv;
	struct sf_catalog *catalog;
	struct sf_health *health;
	struct sf_jobs *jobs;
	struct sf_runs *runs;
	struct sf_leases *leases;
	struct sf_keeper *keeper;
	struct sf_watchers *watchers; /* NULL: no storage wants it */

	pthread_mutex_t lock; /* guards what follows; taken before every other lock */
	struct sf_engine_vm **vms;
	size_t nvms;
	pthread_cond_t idle; /* an operation has ended */
	bool starting;       /* the recovery at start is under way */
	bool refreshing;
	bool listed; /* the last question to the hypervisor was answered */
	struct sf_err list_error;
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
	char snapshot[SF_NAME_MAX + 1]; /* for reports */
	uint64_t number;                /* of the job */
	uint64_t begun_ms;
};

/* Live disks, opened together. */
struct sf_volumes {
	struct sf_volume *list[SF_VM_DISKS_MAX];
	bool held[SF_VM_DISKS_MAX];
	size_t n;
};

/* --- op.c --- */
/* -ENOENT no such VM, -EBUSY another operation. Finishes what an earlier failure left on this VM. */
int sf_op_begin(struct sf_engine *engine, enum sf_operation kind, uint64_t vm_id, const char *snapshot,
		struct sf_job *job, struct sf_vm_op *ret, struct sf_err *err);
/* Reports rc (log, last error, job), gives up the exclusion, returns rc. */
int sf_op_end(struct sf_vm_op *op, int rc, struct sf_err *err);
/* Opens op->dir, making and naming the directory when create says so. -ENOENT when there is none. */
int sf_op_dir(struct sf_vm_op *op, bool create, struct sf_err *err);
/* Takes a VM's exclusion without a job: for recovery and the keeper, whom others wait for. */
int sf_op_enter(struct sf_engine *engine, struct sf_engine_vm *vm, struct sf_vm_op *ret, struct sf_err *err);
void sf_op_leave(struct sf_vm_op *op);
/* Something half-done stays behind: recovery goes before the next operation, and the keeper sees to it. */
void sf_op_unsettle(struct sf_vm_op *op);
/* Finishes what was left behind, if anything was. */
int sf_op_settle(struct sf_vm_op *op, struct sf_err *err);

/* --- vms.c --- */
/* Registers a VM that only the state directory knows. Called at start. */
int sf_engine_add_gone(struct sf_engine *engine, const char *uuid, const char *name, const char *dir,
		       struct sf_engine_vm **ret);
/* The VM with that identity, registered as gone when it is not known. -ENOMEM. */
int sf_engine_vm_of(struct sf_engine *engine, const char *uuid, const char *name, struct sf_engine_vm **ret);
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
	const struct sf_id *left_for; /* of the state that a revert to this snapshot leaves; NULL: of none */
	bool leave_at_rest;           /* hand the lease over instead of resuming the guest */
	struct sf_budget *budget;     /* further needs to be counted in; NULL: none */
};
/*
 * Takes one snapshot or leaves nothing behind. *ret_lease: NULL when the guest was not brought to rest by us.
 */
int sf_take(struct sf_vm_op *op, const struct sf_take_options *options, struct sf_lease **ret_lease,
	    struct sf_err *err);

/* --- lead.c --- */
/* Performs the row's actions on a record, whose directory has that name. The first failure ends it. */
int sf_lead(struct sf_vm_op *op, const struct sf_record *record, const char *dir_name, enum sf_life state,
	    enum sf_event event, struct sf_err *err);
/*
 * Resumes a guest that a dead process may have left at rest. Whatever says that it may be must be kept while
 * this fails. Success without a guest: when the hypervisor has answered and does not know the VM.
 */
int sf_resume_forgotten(struct sf_vm_op *op, struct sf_err *err);
/* Shows the record's snapshot, or shows it anew. Takes over record. */
int sf_publish_record(struct sf_vm_op *op, struct sf_record *record, bool broken, struct sf_err *err);

/* --- edit.c --- */
/* The record's name has changed; so do the labels in its storages, as far as they can. */
void sf_relabel_disks(struct sf_vm_op *op, const struct sf_record *record);

/* --- delete.c --- */
/* Ready -> deleting -> gone, the last part when nobody reads it. */
int sf_delete_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err);
/* The directory's name goes over to its deleting one. */
int sf_hide_snapshot(struct sf_vm_op *op, const struct sf_record *record, struct sf_err *err);
/* Deleting -> absent, for a snapshot that nobody can open any more. */
int sf_reap_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err);

/* --- keeper.c: a thread for what no user waits for --- */
/* Has the storage of a hidden snapshot removed. */
void sf_keeper_push(struct sf_engine *engine, uint64_t snapshot_id);
/* There may be something to do: an operation has ended, or has left something behind. */
void sf_keeper_wake(struct sf_engine *engine);
int sf_keeper_new(struct sf_engine *engine, struct sf_err *err);
void sf_keeper_free(struct sf_keeper *keeper);

/* --- watch.c --- */
/* Begins to watch the storages that want it, in engine->watchers. */
int sf_watchers_new(struct sf_engine *engine, struct sf_err *err);
/* Waits for the threads. Accepts NULL. */
void sf_watchers_free(struct sf_watchers *watchers);
/* Everything that can run full, as the last rounds saw it; fn is called under their lock. Accepts NULL. */
void sf_watchers_each(struct sf_watchers *watchers, sf_usage_fn *fn, void *arg);

/* --- revert_found.c --- */
/* Finishes or undoes the revert whose plan was found. */
int sf_revert_found(struct sf_vm_op *op, const struct sf_plan *plan, struct sf_err *err);

/* --- recover.c --- */
/* At start: every VM, guests first. */
void sf_recover_all(struct sf_engine *engine);
/*
 * One VM, under its exclusion: records, then the plan. What cannot be finished is reported in health.json and
 * leaves the VM unsettled, to be tried again. Fails only when that is the plan: then nothing new may be built
 * on the VM's disks.
 */
int sf_recover_vm(struct sf_vm_op *op, struct sf_err *err);

/* --- orphans.c --- */
/* A volume with our mark that no record owns. */
struct sf_orphan {
	struct sf_storage *storage;
	char *origin, *where;

	/* As in struct sf_object; checked. ndisks is 0 when there are none, or none that make sense. */
	struct sf_id token, uuid;
	unsigned index, ndisks;
	uint64_t taken_ns;
	char vdev[SF_VDEV_MAX + 1];
	char vm[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	char snapshot[SF_NAME_MAX + 1];
};
/*
 * Only at start, when no operation runs: a volume in the making has a record, but not yet in the catalog.
 * Rebuilds records where the configuration says so; all_known: every record has been read or set aside.
 */
void sf_find_orphans(struct sf_engine *engine, bool all_known);

/* --- rescan.c --- */
/* Makes a record, durable and shown, of volumes that are all the disks of one snapshot, in their order. */
int sf_rebuild(struct sf_engine *engine, const struct sf_orphan *group, size_t n, struct sf_err *err);

#endif

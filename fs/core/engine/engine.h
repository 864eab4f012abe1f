/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations: create, delete, rename, revert, edit; their exclusion, jobs, recovery and reports. It knows
 * nothing of FUSE and nothing of any one backend.
 *
 * All functions are thread-safe. One operation runs on a VM at a time; a second one fails with -EBUSY at
 * once. Lock order: engine, then jobs or health, then catalog; none is held across a call into a backend. The
 * locks of schedules (runs.h) stand beside these: only that of health is taken under them.
 * Each failure of an operation is logged once here and kept for .snapfs/last-error.
 */
#ifndef SF_CORE_ENGINE_ENGINE_H
#define SF_CORE_ENGINE_ENGINE_H

#include "requests.h"

#include "core/config/config.h"
#include "core/contract/hypervisor.h"
#include "core/contract/image.h"
#include "core/contract/job.h"
#include "core/contract/storage.h"
#include "core/state/catalog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_engine;
struct sf_err;
struct sf_manifest;
struct sf_runs;
struct sf_state;

/*
 * Loads the records, recovers what a crash left half-done, reconciles with the storages, and watches these
 * from then on. Takes ownership of state when it succeeds; the rest stays the caller's and outlives the
 * engine. Trouble with single records or VMs is reported in health.json, not as failure.
 */
int sf_engine_open(struct sf_engine **ret, struct sf_state *state, const struct sf_config *config,
		   struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_err *err);
/* Waits for the keeper and the watchers; no operation may be running. Accepts NULL. */
void sf_engine_close(struct sf_engine *engine);

struct sf_catalog *sf_engine_catalog(struct sf_engine *engine);
struct sf_runs *sf_engine_runs(struct sf_engine *engine);

/* Asks the hypervisor which VMs there are, at most once a second, and brings the catalog up to date. */
void sf_engine_refresh(struct sf_engine *engine);

/*
 * Takes a snapshot; durable when it returns 0. ret_name: what it is called. job may be cancelled from another
 * thread.
 */
int sf_engine_create(struct sf_engine *engine, uint64_t vm_id, const struct sf_create_request *request,
		     struct sf_job *job, char ret_name[static SF_NAME_MAX + 1], struct sf_err *err);

/*
 * The name goes at once; volumes, RAM and record go now or, when the snapshot is being read, at its last
 * close.
 */
int sf_engine_delete(struct sf_engine *engine, uint64_t vm_id, const char *name, struct sf_job *job,
		     struct sf_err *err);

/*
 * The same of one snapshot, whatever it is called by now. forget: without the volumes, which stay as they
 * are, with our marks, and are orphans from the next start on: for storage that cannot be reached any more.
 */
int sf_engine_delete_one(struct sf_engine *engine, uint64_t snapshot_id, bool forget, struct sf_job *job,
			 struct sf_err *err);

int sf_engine_rename(struct sf_engine *engine, uint64_t vm_id, const char *from, const char *to,
		     struct sf_err *err);

int sf_engine_revert(struct sf_engine *engine, uint64_t vm_id, const char *name,
		     const struct sf_revert_request *request, struct sf_job *job, struct sf_err *err);

/* Sets the description; valid UTF-8 without control characters other than newline and tab; "" removes it. */
int sf_engine_describe(struct sf_engine *engine, uint64_t snapshot_id, const char *text, struct sf_err *err);
int sf_engine_hold(struct sf_engine *engine, uint64_t snapshot_id, bool held, struct sf_err *err);

/*
 * Keeps a manifest.json beside the snapshot's record, durably, instead of the one that may be there. -EINVAL
 * when it is of other files, -EIO when it contradicts the record or the snapshot is broken, -ESTALE when its
 * content is gone.
 */
int sf_engine_set_manifest(struct sf_engine *engine, uint64_t snapshot_id, const struct sf_manifest *manifest,
			   struct sf_err *err);
/* The text of manifest.json as it is now, allocated. -ENOENT when there is none. */
int sf_engine_manifest(struct sf_engine *engine, const struct sf_snapshot *snapshot, char **ret,
		       struct sf_err *err);

/* Opens a file of a snapshot and keeps the snapshot's storage until sf_engine_image_close(). */
int sf_engine_image_open(struct sf_engine *engine, struct sf_snapshot *snapshot, size_t file,
			 struct sf_image **ret, struct sf_err *err);
void sf_engine_image_close(struct sf_engine *engine, uint64_t snapshot_id, struct sf_image *image);

/*
 * The fullest pool behind a VM's disks (vm_id 0: behind any VM's; the state directory's file system when
 * there is none).
 */
int sf_engine_space(struct sf_engine *engine, uint64_t vm_id, struct sf_space *ret, struct sf_err *err);

/* A refusal that never became an operation (a bad word in a control file): logged and kept like any other. */
void sf_engine_note_failure(struct sf_engine *engine, const char *what, const struct sf_err *err);

/* Documents for the tree, allocated text; NULL when out of memory. */
char *sf_engine_vm_json(struct sf_engine *engine, uint64_t vm_id);
/* All of a VM's snapshots at one moment: {"snapshots": [what each meta.json says], "broken": [names]}. */
char *sf_engine_snapshots_json(struct sf_engine *engine, uint64_t vm_id);
char *sf_engine_jobs_json(struct sf_engine *engine);
char *sf_engine_health_json(struct sf_engine *engine);
char *sf_engine_schedules_json(struct sf_engine *engine);
char *sf_engine_metrics(struct sf_engine *engine);
char *sf_engine_last_error(struct sf_engine *engine);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine runs the operations on snapshots: create, delete, rename, revert, edit. It handles exclusion,
 * jobs, recovery and reports. It is independent of FUSE and of any particular backend.
 *
 * All functions are thread-safe. One operation runs on a VM at a time. Another user's fails with -EBUSY
 * meanwhile; it waits for an internal one, of recovery or the keeper. Lock order: engine, then jobs or
 * health, then catalog; none is held across a call into a backend. The locks of core/state/schedules.h are
 * outside this order: only that of health is taken under them.
 *
 * Every failed operation is logged once here and kept for .snapfs/last-error.
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
 * Loads the records, recovers what a crash left half done, reconciles with the storages and starts watching
 * them. Takes ownership of state on success; the caller keeps the rest, which must outlive the engine.
 * Problems with single records or VMs do not fail the call; health.json reports them.
 */
int sf_engine_open(struct sf_engine **ret, struct sf_state *state, const struct sf_config *config,
		   struct sf_storages *storages, struct sf_hypervisor *hv, struct sf_err *err);
/* Waits for the keeper and the watchers. No operation may be running. Accepts NULL. */
void sf_engine_close(struct sf_engine *engine);

struct sf_catalog *sf_engine_catalog(struct sf_engine *engine);
struct sf_runs *sf_engine_runs(struct sf_engine *engine);

/*
 * Asks the hypervisor for its VMs, at most once a second, and updates the catalog. Does nothing while another
 * thread asks.
 */
void sf_engine_refresh(struct sf_engine *engine);
/* Whether sf_engine_refresh() would ask now, and wait for the answer. */
bool sf_engine_is_stale(struct sf_engine *engine);

/* Takes a snapshot, which is durable on success. ret_name is its name. Another thread may cancel job. */
int sf_engine_create(struct sf_engine *engine, uint64_t vm_id, const struct sf_create_request *request,
		     struct sf_job *job, char ret_name[static SF_NAME_MAX + 1], struct sf_err *err);

/*
 * Deletes a snapshot. The name disappears at once. Volumes, RAM and record are removed now or, if the
 * snapshot is being read, at its last close.
 */
int sf_engine_delete(struct sf_engine *engine, uint64_t vm_id, const char *name, struct sf_job *job,
		     struct sf_err *err);

/*
 * Deletes one snapshot by id, whatever its current name. forget is for storage that is unreachable for good:
 * leaves the volumes, with our marks, as they are; from the next start on they are orphans.
 */
int sf_engine_delete_one(struct sf_engine *engine, uint64_t snapshot_id, bool forget, struct sf_job *job,
			 struct sf_err *err);

int sf_engine_rename(struct sf_engine *engine, uint64_t vm_id, const char *from, const char *to,
		     struct sf_err *err);

int sf_engine_revert(struct sf_engine *engine, uint64_t vm_id, const char *name,
		     const struct sf_revert_request *request, struct sf_job *job, struct sf_err *err);

/* Sets the description: valid UTF-8 without control characters other than newline and tab; "" removes it. */
int sf_engine_describe(struct sf_engine *engine, uint64_t snapshot_id, const char *text, struct sf_err *err);
int sf_engine_hold(struct sf_engine *engine, uint64_t snapshot_id, bool held, struct sf_err *err);

/*
 * Stores a manifest.json beside the snapshot's record, durably, and replaces an earlier one.
 *   -EINVAL  it describes other files
 *   -EIO     it contradicts the record, or the snapshot is broken
 *   -ESTALE  the snapshot's content is gone
 */
int sf_engine_set_manifest(struct sf_engine *engine, uint64_t snapshot_id, const struct sf_manifest *manifest,
			   struct sf_err *err);
/* The current text of manifest.json, allocated. -ENOENT if there is none. */
int sf_engine_manifest(struct sf_engine *engine, const struct sf_snapshot *snapshot, char **ret,
		       struct sf_err *err);

/* Opens a file of a snapshot. The snapshot's storage stays until sf_engine_image_close(). */
int sf_engine_image_open(struct sf_engine *engine, struct sf_snapshot *snapshot, size_t file,
			 struct sf_image **ret, struct sf_err *err);
void sf_engine_image_close(struct sf_engine *engine, uint64_t snapshot_id, struct sf_image *image);

/*
 * Measures the fullest pool that holds a VM's disks. vm_id 0: of any VM, or the state directory's file system
 * if there is none. Waits for storages.
 */
int sf_engine_space(struct sf_engine *engine, uint64_t vm_id, struct sf_space *ret, struct sf_err *err);

/*
 * Logs and keeps a request that was refused before it became an operation (a bad word in a control file),
 * like any other failure.
 */
void sf_engine_note_failure(struct sf_engine *engine, const char *what, const struct sf_err *err);

/* Documents for the tree as allocated text; NULL if out of memory. */
char *sf_engine_vm_json(struct sf_engine *engine, uint64_t vm_id);
/* All of a VM's snapshots at one instant: {"snapshots": [what each meta.json says], "broken": [names]}. */
char *sf_engine_snapshots_json(struct sf_engine *engine, uint64_t vm_id);
char *sf_engine_jobs_json(struct sf_engine *engine);
char *sf_engine_health_json(struct sf_engine *engine);
char *sf_engine_schedules_json(struct sf_engine *engine);
char *sf_engine_metrics(struct sf_engine *engine);
char *sf_engine_last_error(struct sf_engine *engine);

#endif

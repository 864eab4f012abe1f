/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory: who owns it, and the durable files in it.
 *
 *   id                       this directory's identity, carried by every volume that is created
 *   lock                     flock: one daemon at a time
 *   VM/NAME/meta.json        a record; memory.sav beside it, what storages told of holes:
 *                            disk-VDEV.extents, and what a client made of the files: manifest.json
 *   VM/.UUID/                a snapshot being deleted: its name is free already
 *   VM/.aside-NAME           a record that could not be read, set aside for a person to look at
 *   VM/revert.json           the plan of a revert that is under way
 *   .schedules.json          what is known of schedules (runs.h); .aside-schedules.json when it made no
 *                            sense
 *
 * All access is by openat under descriptors; symbolic links are refused. The engine serialises changes
 * per VM.
 */
#ifndef SF_CORE_STATE_STATE_H
#define SF_CORE_STATE_STATE_H

#include "base/id.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_state;

#define SF_STATE_META     "meta.json"
#define SF_STATE_MEMORY   "memory.sav"
#define SF_STATE_MANIFEST "manifest.json"
#define SF_STATE_PLAN     "revert.json"

/*
 * Opens the directory, making it (mode 0700) when it is missing and its parent is there. -ENOTDIR or -ELOOP
 * for a symbolic link or a file, -EPERM when it belongs to someone else or others may write to it,
 * -ENOTEMPTY
 * when it holds other things and no id, -EBUSY when another daemon holds it.
 */
int sf_state_open(const char *path, struct sf_state **ret, struct sf_err *err);
void sf_state_close(struct sf_state *state);
struct sf_id sf_state_id(const struct sf_state *state);
int sf_state_fd(const struct sf_state *state);
/* Whether it has no VM's directory, nor anything else but its own files. */
int sf_state_is_blank(const struct sf_state *state, bool *ret, struct sf_err *err);
/*
 * Takes over, durably, the identity of a state directory that was lost, and with it what it owned.
 * -ENOTEMPTY unless blank; the identity that it has already is success in any case.
 */
int sf_state_adopt(struct sf_state *state, const struct sf_id *id, struct sf_err *err);

/* Names in the state directory that no VM's directory can have. */
bool sf_state_is_reserved(const char *name);

/*
 * Opens the VM's directory under the state directory. Returns the descriptor; -ENOENT when it is not there.
 */
int sf_state_vm_dir(struct sf_state *state, const char *vm_dir, bool create, struct sf_err *err);

/* Writes dir/meta.json. */
int sf_state_write_record(int snapshot_dir, const struct sf_record *record, struct sf_err *err);
int sf_state_read_record(int snapshot_dir, struct sf_record *ret, struct sf_err *err);

/*
 * Whether a snapshot has a manifest.json, by a look at the directory: its size, 0 when there is none
 * that can be one, and its mtime, nanoseconds since the epoch, which is when it was made.
 */
void sf_state_find_manifest(int vm_dir, const char *snapshot, uint32_t *ret_bytes, uint64_t *ret_made_ns);

/* "disk-" + vdev + ".extents" and its NUL: where the map of a disk's holes is kept. */
#define SF_STATE_MAP_NAME (SF_VDEV_MAX + 14)
void sf_state_map_name(const char *vdev, char name[static SF_STATE_MAP_NAME]);

/*
 * Removes a snapshot's directory with what snapfs puts there: memory.sav, manifest.json, maps, temporary
 * files, meta.json last.
 * -ENOTEMPTY when someone else put things there. One that is gone is success.
 */
int sf_state_remove_snapshot(int vm_dir, const char *name, struct sf_err *err);

/* "." + the uuid: the name of a snapshot that is being deleted. */
void sf_state_deleting_name(const struct sf_id *uuid, char name[static SF_ID_TEXT + 1]);

/*
 * Bytes free for root and in all on the state directory's file system, as a pool. ret_for_root: of the free
 * ones, those that nobody else gets; may be NULL.
 */
int sf_state_space(const struct sf_state *state, struct sf_space *ret, uint64_t *ret_for_root,
		   struct sf_err *err);

#endif

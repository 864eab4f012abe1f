/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state directory: its ownership, and the durable files in it.
 *
 *   id                       this directory's identity; every volume created is labelled with it
 *   lock                     flock: one daemon at a time
 *   VM/NAME/meta.json        a record. Beside it memory.sav, disk-VDEV.extents (hole maps from the
 *                            storages) and manifest.json (from a client)
 *   VM/.UUID/                a snapshot being deleted: its name is already free
 *   VM/.aside-NAME           an unreadable record, set aside for inspection
 *   VM/revert.json           the plan of a revert in progress
 *   .schedules.json          run history of schedules (schedules.h); an invalid one is set aside as
 *                            .aside-schedules.json
 *
 * A file of a newer schema stays where it is: a newer version of snapfs wrote it and will read it again.
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
 * Opens and locks the directory. Creates it (mode 0700) if it is missing and its parent exists. Errors:
 * -ENOTDIR, -ELOOP  path is a file or a symbolic link
 * -EPERM            someone else owns it or may write to it
 * -ENOTEMPTY        it has other content and no id
 * -EBUSY            another daemon holds it
 */
int sf_state_open(const char *path, struct sf_state **ret, struct sf_err *err);
void sf_state_close(struct sf_state *state);
struct sf_id sf_state_id(const struct sf_state *state);
int sf_state_fd(const struct sf_state *state);
/* Whether it holds nothing but its own files: no VM's directory, nothing foreign. */
int sf_state_is_blank(const struct sf_state *state, bool *ret, struct sf_err *err);
/*
 * Durably takes over the identity of a lost state directory, and with it the volumes of that directory. A
 * no-op when id is the identity already; otherwise -ENOTEMPTY unless blank.
 */
int sf_state_adopt(struct sf_state *state, const struct sf_id *id, struct sf_err *err);

/* Whether no VM's directory can have this name. */
bool sf_state_is_reserved(const char *name);

/* Opens a VM's directory, after making it if create is set. Returns the descriptor; -ENOENT. */
int sf_state_vm_dir(struct sf_state *state, const char *vm_dir, bool create, struct sf_err *err);

/* Writes dir/meta.json. */
int sf_state_write_record(int snapshot_dir, const struct sf_record *record, struct sf_err *err);
int sf_state_read_record(int snapshot_dir, struct sf_record *ret, struct sf_err *err);
/* Reads what is known of a record for which sf_state_read_record() gives -EOPNOTSUPP. */
int sf_state_read_newer(int snapshot_dir, struct sf_newer_record *ret, struct sf_err *err);

/*
 * Looks for a snapshot's manifest.json without reading it. *ret_bytes: its size, 0 when there is none or it
 * is too large. *ret_made_ns: its mtime in ns since the epoch, which is when it was made.
 */
void sf_state_find_manifest(int vm_dir, const char *snapshot, uint32_t *ret_bytes, uint64_t *ret_made_ns);

/* "disk-" + vdev + ".extents" and its NUL: the file that keeps a disk's hole map. */
#define SF_STATE_MAP_NAME (SF_VDEV_MAX + 14)
void sf_state_map_name(const char *vdev, char name[static SF_STATE_MAP_NAME]);

/*
 * Removes a snapshot's directory and the files that snapfs puts there: memory.sav, manifest.json, hole maps,
 * temporary files, and last meta.json. -ENOTEMPTY when it holds anything else. Idempotent.
 */
int sf_state_remove_snapshot(int vm_dir, const char *name, struct sf_err *err);

/* "." + the uuid: the directory of a snapshot that is being deleted. */
void sf_state_deleting_name(const struct sf_id *uuid, char name[static SF_ID_TEXT + 1]);

/*
 * The state directory's file system as a pool: total bytes and bytes free for root. *ret_for_root, unless
 * NULL: the part of the free bytes that is reserved for root.
 */
int sf_state_space(const struct sf_state *state, struct sf_space *ret, uint64_t *ret_for_root,
		   struct sf_err *err);

#endif

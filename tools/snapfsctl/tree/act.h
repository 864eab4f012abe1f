/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes VMs and snapshots through the mounted tree: create, delete, revert, rename, edit.
 *
 * The blocking call runs in a thread of its own, so that progress can be shown and an interrupt (SIGINT,
 * SIGTERM, SIGHUP) can cancel it. The daemon undoes a snapshot or a revert in flight, and the call returns
 * -EINTR; any other operation completes. A second interrupt ends the process as soon as the daemon has
 * answered. Errors carry the daemon's own text if the caller may read it.
 */
#ifndef SF_SNAPFSCTL_TREE_ACT_H
#define SF_SNAPFSCTL_TREE_ACT_H

#include "snaps.h"

#include <stdbool.h>

/*
 * Takes a snapshot. quiet: show no progress. request: the JSON document that .create accepts. ret_name
 * receives the snapshot's name, ret_note (note_size bytes) the daemon's note or "".
 */
int sf_act_create(const struct sf_mount *mount, bool quiet, const char *vm, const json_t *request,
		  char ret_name[static SF_NAME_MAX + 1], char *ret_note, size_t note_size,
		  struct sf_err *err);
/*
 * These three act on exactly the snapshot that snap was loaded from: -ESTALE if another one has its name by
 * now. The exception is a deletion by a user who may not open control files: it is an rmdir of the name.
 * words: what the control file accepts ("yes", "forget").
 */
int sf_act_delete(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *words,
		  struct sf_err *err);
int sf_act_revert(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *words,
		  struct sf_err *err);
/* Stores text as the snapshot's manifest. */
int sf_act_manifest(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *text,
		    struct sf_err *err);
int sf_act_rename(const struct sf_mount *mount, bool quiet, const char *vm, const char *name,
		  const char *new_name, struct sf_err *err);
/* Sets an attribute ("user.snapfs.hold"). value NULL removes it; removing a missing attribute is a no-op. */
int sf_act_attribute(const struct sf_mount *mount, bool quiet, const char *vm, const char *name,
		     const char *attribute, const char *value, struct sf_err *err);

#endif

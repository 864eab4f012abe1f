/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to VMs and snapshots, through the tree: the call itself waits in a thread of its own, so that
 * progress can be shown and an interrupt (SIGINT, SIGTERM, SIGHUP) cancels it: the daemon then undoes a
 * snapshot or a revert that was begun, and the call ends with -EINTR; everything else comes to its end. A
 * second interrupt ends the process as soon as the daemon has answered. Failures carry the daemon's own text,
 * where the caller may read it.
 */
#ifndef SF_SNAPFSCTL_TREE_ACT_H
#define SF_SNAPFSCTL_TREE_ACT_H

#include "snaps.h"

#include <stdbool.h>

/*
 * mount is where it is done; quiet shows no progress.
 * request: what .create takes; name and note are for the outcome.
 */
int sf_act_create(const struct sf_mount *mount, bool quiet, const char *vm, const json_t *request,
		  char ret_name[static SF_NAME_MAX + 1], char *ret_note, size_t note_size,
		  struct sf_err *err);
/*
 * The following act on the very snapshot that was loaded: -ESTALE when another one has its name by now.
 * words: what the control file takes ("yes", "forget").
 */
int sf_act_delete(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *words,
		  struct sf_err *err);
int sf_act_revert(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *words,
		  struct sf_err *err);
/* text: of its manifest. */
int sf_act_manifest(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *text,
		    struct sf_err *err);
int sf_act_rename(const struct sf_mount *mount, bool quiet, const char *vm, const char *name,
		  const char *new_name, struct sf_err *err);
/* attribute: "user.snapfs.hold"; value NULL removes it, which is no failure when it is not there. */
int sf_act_attribute(const struct sf_mount *mount, bool quiet, const char *vm, const char *name,
		     const char *attribute, const char *value, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deletes snapshots, and removes their storage after the last reader. */
#ifndef SF_CORE_ENGINE_DELETE_H
#define SF_CORE_ENGINE_DELETE_H

#include "operation.h"

/* Ready -> deleting, and on to absent if nobody is reading the snapshot. */
int sf_delete_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err);
/* Deleting -> absent, for a snapshot that nobody can open any more. */
int sf_reap_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err);
/*
 * Deletes the snapshot with that name and that id (0: any id). forget: keeps its volumes. -ENOENT; -EBUSY if
 * it is held or a revert needs it.
 */
int sf_delete_named(struct sf_vm_op *op, const char *name, uint64_t id, bool forget, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deleting a snapshot, and removing its storage after its last reader. */
#ifndef SF_CORE_ENGINE_DELETE_H
#define SF_CORE_ENGINE_DELETE_H

#include "operation.h"

/* Ready -> deleting -> gone, the last part when nobody reads it. */
int sf_delete_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err);
/* Deleting -> absent, for a snapshot that nobody can open any more. */
int sf_reap_snapshot(struct sf_vm_op *op, const struct sf_snapshot *snapshot, struct sf_err *err);
/*
 * Deletes the snapshot with that name; id: only if it is this one (0: whichever it is). forget: its volumes
 * stay. -ENOENT, -EBUSY when it is held or needed by a revert.
 */
int sf_delete_named(struct sf_vm_op *op, const char *name, uint64_t id, bool forget, struct sf_err *err);

#endif

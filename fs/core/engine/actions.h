/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the actions of one lifecycle transition on one snapshot record. */
#ifndef SF_CORE_ENGINE_ACTIONS_H
#define SF_CORE_ENGINE_ACTIONS_H

#include "operation.h"

#include "core/state/catalog.h"
#include "core/state/lifecycle.h"
#include "core/state/record.h"

/* Runs the actions for event in state on the record in directory dir_name. Stops at the first failure. */
int sf_lead(struct sf_vm_op *op, const struct sf_record *record, const char *dir_name, enum sf_life state,
	    enum sf_event event, struct sf_err *err);
/*
 * Resumes a guest that a dead process may have left at rest. The caller keeps the record or plan that says so
 * while this fails. Succeeds as a no-op if the hypervisor has answered and does not know the VM.
 */
int sf_resume_forgotten(struct sf_vm_op *op, struct sf_err *err);
/*
 * Checks the content of a published snapshot again, and publishes it anew if it is lost, no longer lost, or
 * moved. Replaces the caller's reference by one to what is published now.
 */
int sf_verify_snapshot(struct sf_vm_op *op, struct sf_snapshot **snapshot, struct sf_err *err);
/* Publishes the record's snapshot in the catalog, or replaces it there. Takes ownership of record. */
int sf_publish_record(struct sf_vm_op *op, struct sf_record *record, bool broken, struct sf_err *err);
/* Updates the labels in the storages after the record's name has changed. Best effort. */
void sf_relabel_disks(struct sf_vm_op *op, const struct sf_record *record);

#endif

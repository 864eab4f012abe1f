/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The actions of one row of the lifecycle on one record. */
#ifndef SF_CORE_ENGINE_ACTIONS_H
#define SF_CORE_ENGINE_ACTIONS_H

#include "operation.h"

#include "core/state/lifecycle.h"
#include "core/state/record.h"

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
/* The record's name has changed; so do the labels in its storages, as far as they can. */
void sf_relabel_disks(struct sf_vm_op *op, const struct sf_record *record);

#endif

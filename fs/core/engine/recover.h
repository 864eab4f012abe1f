/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovers from crashes and from operations that were left half done. */
#ifndef SF_CORE_ENGINE_RECOVER_H
#define SF_CORE_ENGINE_RECOVER_H

#include "operation.h"

/* Recovers every VM at start: resumes guests, settles records and plans, looks for orphans. */
void sf_recover_all(struct sf_engine *engine);
/*
 * Recovers one VM under its exclusion: records, then the plan of a revert. Work that cannot be finished is
 * reported in health.json and leaves the VM unsettled, so that it is retried. Fails only if the plan cannot
 * be finished or the records cannot be listed: nothing new may then be built on the VM's disks.
 */
int sf_recover_vm(struct sf_vm_op *op, struct sf_err *err);
/* Runs sf_recover_vm() if the VM is unsettled. */
int sf_op_settle(struct sf_vm_op *op, struct sf_err *err);

#endif

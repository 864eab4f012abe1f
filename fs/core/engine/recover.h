/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovery after a crash, and of what an operation left half done. */
#ifndef SF_CORE_ENGINE_RECOVER_H
#define SF_CORE_ENGINE_RECOVER_H

#include "operation.h"

/* At start: every VM, guests first. */
void sf_recover_all(struct sf_engine *engine);
/*
 * One VM, under its exclusion: records, then the plan. What cannot be finished is reported in health.json and
 * leaves the VM unsettled, to be tried again. Fails only when that is the plan: then nothing new may be built
 * on the VM's disks.
 */
int sf_recover_vm(struct sf_vm_op *op, struct sf_err *err);
/* Finishes what was left behind, if anything was. */
int sf_op_settle(struct sf_vm_op *op, struct sf_err *err);

#endif

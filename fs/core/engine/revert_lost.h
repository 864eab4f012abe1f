/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes lost disks of a VM again before it is reverted. */
#ifndef SF_CORE_ENGINE_REVERT_LOST_H
#define SF_CORE_ENGINE_REVERT_LOST_H

#include "reverting.h"

/*
 * Makes each of the VM's disks that does not exist again, if the target has a snapshot of it. The others stay
 * lost, which is no error here. -EBUSY while the guest is not off: it may still write to what was deleted.
 */
int sf_revert_make_lost(struct sf_reverting *r, struct sf_err *err);

#endif

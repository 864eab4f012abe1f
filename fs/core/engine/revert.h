/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverts a VM to a snapshot. */
#ifndef SF_CORE_ENGINE_REVERT_H
#define SF_CORE_ENGINE_REVERT_H

#include "operation.h"

/*
 * -ENOENT if no snapshot has that name, or if its id is not request->snapshot. For other errors see
 * sf_revert_prepare() and sf_revert_recover().
 */
int sf_revert_named(struct sf_vm_op *op, const char *name, const struct sf_revert_request *request,
		    struct sf_err *err);

#endif

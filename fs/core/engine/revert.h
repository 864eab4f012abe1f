/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rolling a VM back. */
#ifndef SF_CORE_ENGINE_REVERT_H
#define SF_CORE_ENGINE_REVERT_H

#include "operation.h"

/* -ENOENT when no snapshot has that name, or another one has it than request->snapshot. */
int sf_revert_named(struct sf_vm_op *op, const char *name, const struct sf_revert_request *request,
		    struct sf_err *err);

#endif

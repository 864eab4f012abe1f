/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes that leave a snapshot's storage alone: name, description, hold, manifest. */
#ifndef SF_CORE_ENGINE_EDIT_H
#define SF_CORE_ENGINE_EDIT_H

#include "operation.h"

#include "core/state/manifest.h"

struct sf_edit {
	const struct sf_manifest *manifest; /* NULL: no change; else nothing else changes */
	const char *description;            /* NULL: no change */
	bool change_hold;
	bool held;
};

/* -ENOENT when the snapshot is gone or being deleted. */
int sf_edit_by_id(struct sf_vm_op *op, uint64_t id, const struct sf_edit *edit, struct sf_err *err);
/* -ENOENT, -EEXIST, -EINVAL for a bad name. */
int sf_rename_named(struct sf_vm_op *op, const char *from, const char *to, struct sf_err *err);

#endif

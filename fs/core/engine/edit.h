/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits that do not touch a snapshot's storage: name, description, hold, manifest. */
#ifndef SF_CORE_ENGINE_EDIT_H
#define SF_CORE_ENGINE_EDIT_H

#include "operation.h"

#include "core/state/manifest.h"

struct sf_edit {
	const struct sf_manifest *manifest; /* NULL: no change; if set, nothing else is changed */
	const char *description;            /* NULL: no change */
	bool change_hold;
	bool held;
};

/* -ENOENT if the snapshot is gone or being deleted. */
int sf_edit_by_id(struct sf_vm_op *op, uint64_t id, const struct sf_edit *edit, struct sf_err *err);
/* -ENOENT, -EEXIST; -EINVAL or -ENAMETOOLONG for a bad name. */
int sf_rename_named(struct sf_vm_op *op, const char *from, const char *to, struct sf_err *err);

#endif

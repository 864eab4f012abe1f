/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the door to the storages: storage.c and storage_tell.c. Nobody else includes this. */
#ifndef SF_CORE_STORAGE_IMPL_H
#define SF_CORE_STORAGE_IMPL_H

#include "call.h"
#include "storage.h"

#include <string.h>

static inline struct sf_call sf_storage_call(const struct sf_storage *storage, const char *slot,
					     const char *what)
{
	return (struct sf_call){.room = "storage", .backend = storage->ops->name, .slot = slot, .what = what};
}

static inline bool sf_text_ok(const char *text, size_t max)
{
	return text[0] && memchr(text, '\0', max);
}

#endif

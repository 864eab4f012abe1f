/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Helpers of the checked calls into storages. Only storage.c and storage_listing.c include this header. */
#ifndef SF_CORE_CONTRACT_STORAGE_CALL_H
#define SF_CORE_CONTRACT_STORAGE_CALL_H

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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads optional members of the daemon's JSON documents: one that is missing or has another type reads as ""
 * or 0.
 */
#ifndef SF_SNAPFSCTL_TREE_MEMBERS_H
#define SF_SNAPFSCTL_TREE_MEMBERS_H

#include "base/json.h"

static inline const char *sf_member_string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline uint64_t sf_member_number(const json_t *object, const char *key)
{
	uint64_t value;

	return sf_json_u64(object, key, &value, NULL) == 0 ? value : 0;
}

#endif

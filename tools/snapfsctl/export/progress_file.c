/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "progress_file.h"

#include "target.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA    1
#define STATE_MAX (256 * 1024)

json_t *sf_export_state_new(const char *uuid)
{
	return json_pack("{s:i, s:s, s:{}}", "schema", SCHEMA, "snapshot", uuid, "durable_bytes");
}

int sf_export_state_load(const struct sf_target *target, json_t **ret, struct sf_err *err)
{
	auto_free char *text = NULL;
	auto_json json_t *state = NULL;
	uint64_t schema;
	size_t len;
	int rc = sf_target_get(target, SF_EXPORT_STATE, STATE_MAX, &text, &len, err);

	*ret = NULL;
	if (rc == -ENOENT || rc == -ELOOP || rc == -EINVAL || rc == -EFBIG)
		return 0; /* no file, or not written by an export */
	if (rc < 0)
		return rc;
	state = sf_json_parse_object(text, len, SF_EXPORT_STATE, NULL);
	if (state && sf_json_u64(state, "schema", &schema, NULL) == 0 && schema == SCHEMA &&
	    json_is_string(json_object_get(state, "snapshot")) &&
	    json_is_object(json_object_get(state, "durable_bytes")))
		*ret = json_incref(state);
	return 0;
}

int sf_export_state_store(struct sf_target *target, const json_t *state, struct sf_err *err)
{
	size_t len;
	auto_free char *text = sf_json_text(state, &len);

	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	return sf_target_put(target, SF_EXPORT_STATE, text, len, NULL, err);
}

const char *sf_export_state_snapshot(const json_t *state)
{
	return json_string_value(json_object_get(state, "snapshot"));
}

uint64_t sf_export_state_durable(const json_t *state, const char *file)
{
	uint64_t bytes;

	return sf_json_u64(json_object_get(state, "durable_bytes"), file, &bytes, NULL) == 0 ? bytes : 0;
}

void sf_export_state_set_durable(json_t *state, const char *file, uint64_t bytes)
{
	/* Out of memory: the next export copies this file from its beginning. */
	(void)json_object_set_new(json_object_get(state, "durable_bytes"), file,
				  json_integer((json_int_t)bytes));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include "cleanup.h"
#include "clock.h"
#include "err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *sf_json_parse_object(const char *text, size_t len, const char *what, struct sf_err *err)
{
	json_error_t why;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

	if (!root && json_error_code(&why) == json_error_out_of_memory) {
		sf_fail(err, -ENOMEM, "%s: out of memory", what);
		return NULL;
	}
	if (!root) {
		sf_fail(err, -EINVAL, "%s is not valid JSON: %s (line %d)", what, why.text, why.line);
		return NULL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		sf_fail(err, -EINVAL, "%s is not a JSON object", what);
		return NULL;
	}
	return root;
}

char *sf_json_text(const json_t *root, size_t *ret_len)
{
	size_t len = root ? json_dumpb(root, NULL, 0, JSON_INDENT(2)) : 0;
	char *text = len ? malloc(len + 2) : NULL;

	if (!text || json_dumpb(root, text, len, JSON_INDENT(2)) != len) {
		free(text);
		return NULL;
	}
	text[len] = '\n';
	text[len + 1] = '\0';
	if (ret_len)
		*ret_len = len + 1;
	return text;
}

static int find_string(const json_t *object, const char *key, size_t size, const char **ret,
		       struct sf_err *err)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		return sf_fail(err, -EINVAL, "\"%s\" is missing or not a string", key);
	if (strlen(text) >= size)
		return sf_fail(err, -EINVAL, "\"%s\" is longer than %zu bytes", key, size - 1);
	*ret = text;
	return 0;
}

int sf_json_string(const json_t *object, const char *key, char *buf, size_t size, struct sf_err *err)
{
	const char *text;
	int rc = find_string(object, key, size, &text, err);

	if (rc == 0)
		memcpy(buf, text, strlen(text) + 1);
	return rc;
}

int sf_json_strdup(const json_t *object, const char *key, size_t size, char **ret, struct sf_err *err)
{
	const char *text;
	int rc = find_string(object, key, size, &text, err);
	char *copy;

	if (rc < 0)
		return rc;
	copy = strdup(text);
	if (!copy)
		return sf_fail(err, -ENOMEM, "out of memory");
	*ret = copy;
	return 0;
}

int sf_json_u64(const json_t *object, const char *key, uint64_t *ret, struct sf_err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return sf_fail(err, -EINVAL, "\"%s\" is missing or not a non-negative integer", key);
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

int sf_json_bool(const json_t *object, const char *key, bool *ret, struct sf_err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_boolean(value))
		return sf_fail(err, -EINVAL, "\"%s\" is missing or neither true nor false", key);
	*ret = json_is_true(value);
	return 0;
}

int sf_json_id(const json_t *object, const char *key, struct sf_id *ret, struct sf_err *err)
{
	char text[SF_ID_TEXT];
	int rc = sf_json_string(object, key, text, sizeof(text), err);

	if (rc == 0 && sf_id_parse(text, ret) < 0)
		rc = sf_fail(err, -EINVAL, "\"%s\" is not 32 hex digits", key);
	return rc;
}

int sf_json_schema(const json_t *object, unsigned known, struct sf_err *err)
{
	uint64_t schema;
	int rc = sf_json_u64(object, "schema", &schema, err);

	if (rc < 0 || schema == known)
		return rc;
	return sf_fail(err, schema > known ? -EOPNOTSUPP : -EINVAL,
		       "\"schema\" is %llu, this version reads %u", (unsigned long long)schema, known);
}

int sf_json_time(const json_t *object, const char *key, uint64_t *ret_real_ns, struct sf_err *err)
{
	char text[SF_TIME_TEXT];
	int rc = sf_json_string(object, key, text, sizeof(text), err);

	if (rc == 0 && sf_time_parse(text, ret_real_ns) < 0)
		rc = sf_fail(err, -EINVAL, "\"%s\" is not a time in UTC (RFC 3339)", key);
	return rc;
}

json_t *sf_json_lossy(const char *text)
{
	json_t *value = json_string(text);
	auto_free char *plain = NULL;

	if (value)
		return value;
	plain = strdup(text);
	if (!plain)
		return NULL;
	for (char *at = plain; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return json_string(plain);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading untrusted JSON member by member with jansson; each refusal names the member. */
#ifndef SF_BASE_JSON_H
#define SF_BASE_JSON_H

#include "id.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;

#define auto_json __attribute__((cleanup(sf_cleanup_json)))

static inline void sf_cleanup_json(json_t **json)
{
	json_decref(*json);
}

/*
 * Parses one object; what names it in errors. Duplicate keys and trailing text are refused. NULL on failure
 * (-EINVAL).
 */
json_t *sf_json_parse_object(const char *text, size_t len, const char *what, struct sf_err *err);

/* Pretty text with a final newline, allocated; NULL when out of memory (a NULL root included). */
char *sf_json_text(const json_t *root, size_t *ret_len);

/* Each: 0, or -EINVAL when the member is missing, of another type, or out of bounds. */
int sf_json_string(const json_t *object, const char *key, char *buf, size_t size, struct sf_err *err);
/* As sf_json_string() into a buffer of that size, but *ret is allocated; also -ENOMEM. */
int sf_json_strdup(const json_t *object, const char *key, size_t size, char **ret, struct sf_err *err);
int sf_json_u64(const json_t *object, const char *key, uint64_t *ret, struct sf_err *err);
int sf_json_bool(const json_t *object, const char *key, bool *ret, struct sf_err *err);
int sf_json_id(const json_t *object, const char *key, struct sf_id *ret, struct sf_err *err);
int sf_json_time(const json_t *object, const char *key, uint64_t *ret_real_ns, struct sf_err *err);

/* A string value for text that may not be UTF-8 (paths, peers' messages): bytes that are not become '?'. */
json_t *sf_json_lossy(const char *text);

#endif

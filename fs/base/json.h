/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads untrusted JSON member by member with jansson. Each error names the offending member. */
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
 * Parses one JSON object; `what` names it in errors. Refuses duplicate keys and trailing text. Returns NULL
 * on failure, with -EINVAL or -ENOMEM in err.
 */
json_t *sf_json_parse_object(const char *text, size_t len, const char *what, struct sf_err *err);

/*
 * Formats root as indented text with a final newline; the caller frees it. NULL if out of memory or if root
 * is NULL.
 */
char *sf_json_text(const json_t *root, size_t *ret_len);

/* Each returns 0, or -EINVAL if the member is missing, has another type or is out of bounds. */
int sf_json_string(const json_t *object, const char *key, char *buf, size_t size, struct sf_err *err);
/*
 * As sf_json_string() with a buffer of `size` bytes, but allocates *ret, which the caller frees. Also
 * -ENOMEM.
 */
int sf_json_strdup(const json_t *object, const char *key, size_t size, char **ret, struct sf_err *err);
int sf_json_u64(const json_t *object, const char *key, uint64_t *ret, struct sf_err *err);
int sf_json_bool(const json_t *object, const char *key, bool *ret, struct sf_err *err);
int sf_json_id(const json_t *object, const char *key, struct sf_id *ret, struct sf_err *err);
/*
 * Compares the member "schema" with the one that this version reads. -EOPNOTSUPP if it is a newer one, which
 * a newer version of snapfs wrote: leave the file as it is. -EINVAL as above or if it is an unknown older
 * one.
 */
int sf_json_schema(const json_t *object, unsigned known, struct sf_err *err);
int sf_json_time(const json_t *object, const char *key, uint64_t *ret_real_ns, struct sf_err *err);

/*
 * A JSON string from text that may not be UTF-8 (paths, messages of peers). If it is not, every byte above
 * 0x7f becomes '?'.
 */
json_t *sf_json_lossy(const char *text);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XXH3-128, seed 0, of a file's whole content, as meta.json and manifest.json write it: canonical
 * (big-endian). */
#ifndef SF_SNAPFSCTL_CONTENT_DIGEST_H
#define SF_SNAPFSCTL_CONTENT_DIGEST_H

#include "base/id.h"

#include <stddef.h>
#include <stdint.h>

/* The hash has the form of an id: 16 bytes, written as 32 hex digits with sf_id_format(). */
struct sf_digest;

/* NULL when out of memory. sf_digest_free() accepts NULL. */
struct sf_digest *sf_digest_new(void);
void sf_digest_free(struct sf_digest *digest);

/* From the beginning. */
void sf_digest_reset(struct sf_digest *digest);
/* What a reader found (reader.h): data NULL is a hole, len zeros that need not be fetched from memory. */
void sf_digest_add_piece(struct sf_digest *digest, const void *data, uint64_t len);
struct sf_id sf_digest_get(const struct sf_digest *digest);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Computes the hash of a file's whole content as meta.json and manifest.json record it: XXH3-128, seed 0,
 * canonical (big-endian).
 */
#ifndef SF_SNAPFSCTL_CONTENT_DIGEST_H
#define SF_SNAPFSCTL_CONTENT_DIGEST_H

#include "base/id.h"

#include <stddef.h>
#include <stdint.h>

/* The hash has the form of an id: 16 bytes, which sf_id_format() writes as 32 hex digits. */
struct sf_digest;

/* NULL if out of memory. sf_digest_free() accepts NULL. */
struct sf_digest *sf_digest_new(void);
void sf_digest_free(struct sf_digest *digest);

/* Starts a new hash. */
void sf_digest_reset(struct sf_digest *digest);
/* Adds a piece from a reader (reader.h). data NULL is a hole: len zeros, hashed without reading memory. */
void sf_digest_add_piece(struct sf_digest *digest, const void *data, uint64_t len);
struct sf_id sf_digest_get(const struct sf_digest *digest);

#endif

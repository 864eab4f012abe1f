/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Includes the implementation of XXH3 from its header: hashing long runs of zeros needs the hash's internal
 * state, whose layout no shared library guarantees.
 */
#include "digest.h"

#include <endian.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/*
 * The first ZEROS zeros of a hole are hashed as ordinary data, so that the state's buffer holds nothing else.
 */
#define ZEROS        16384
#define STRIPE_LANES 8
#define PRIME32_1    0x9E3779B1U

struct sf_digest *sf_digest_new(void)
{
	XXH3_state_t *state = XXH3_createState();

	if (state)
		sf_digest_reset((struct sf_digest *)state);
	return (struct sf_digest *)state;
}

static XXH3_state_t *state_of(struct sf_digest *digest)
{
	return (XXH3_state_t *)digest;
}

void sf_digest_free(struct sf_digest *digest)
{
	(void)XXH3_freeState(state_of(digest)); /* cannot fail */
}

void sf_digest_reset(struct sf_digest *digest)
{
	(void)XXH3_128bits_reset(state_of(digest)); /* fails only for NULL, like the update */
}

/* --- zeros --- */

static uint64_t word(const unsigned char *secret, size_t i)
{
	uint64_t value;

	memcpy(&value, secret + 8 * i, sizeof(value));
	return le64toh(value);
}

/* Sums up what the stripes [from, to) of a block of zeros add to each lane. */
static void add_stripes(const unsigned char *secret, size_t from, size_t to, uint64_t sum[STRIPE_LANES])
{
	memset(sum, 0, STRIPE_LANES * sizeof(*sum));
	for (size_t stripe = from; stripe < to; stripe++) {
		for (size_t lane = 0; lane < STRIPE_LANES; lane++) {
			uint64_t key = word(secret, stripe + lane);

			sum[lane] += (key & UINT32_MAX) * (key >> 32);
		}
	}
}

/*
 * Hashes whole blocks of zeros after zeros: each adds the same values to the accumulators and scrambles them
 * once (XXH3 specification, "long inputs", doc/xxhash_spec.md of xxHash). This costs a fraction of hashing
 * the zeros themselves.
 */
static uint64_t skip_blocks(XXH3_state_t *state, uint64_t len)
{
	const unsigned char *secret = state->extSecret ? state->extSecret : state->customSecret;
	uint64_t block_bytes = 64 * (uint64_t)state->nbStripesPerBlock, n = len / block_bytes;
	uint64_t before[STRIPE_LANES], after[STRIPE_LANES], keys[STRIPE_LANES], acc[STRIPE_LANES];

	add_stripes(secret, state->nbStripesSoFar, state->nbStripesPerBlock, before);
	add_stripes(secret, 0, state->nbStripesSoFar, after);
	for (size_t lane = 0; lane < STRIPE_LANES; lane++)
		keys[lane] = word(secret + state->secretLimit, lane);
	memcpy(acc, state->acc, sizeof(acc));
	for (uint64_t i = 0; i < n; i++) {
#pragma GCC unroll 8
		for (size_t lane = 0; lane < STRIPE_LANES; lane++) {
			uint64_t value = acc[lane] + before[lane];

			acc[lane] = (value ^ value >> 47 ^ keys[lane]) * PRIME32_1 + after[lane];
		}
	}
	memcpy(state->acc, acc, sizeof(acc));
	state->totalLen += n * block_bytes;
	return n * block_bytes;
}

static void add_zeros(XXH3_state_t *state, uint64_t len)
{
	static const char zeros[ZEROS];

	if (len > sizeof(zeros)) {
		(void)XXH3_128bits_update(state, zeros, sizeof(zeros));
		len -= sizeof(zeros);
		len -= skip_blocks(state, len);
	}
	(void)XXH3_128bits_update(state, zeros, (size_t)len); /* less than a block, or a short hole */
}

void sf_digest_add_piece(struct sf_digest *digest, const void *data, uint64_t len)
{
	if (data)
		(void)XXH3_128bits_update(state_of(digest), data, (size_t)len);
	else
		add_zeros(state_of(digest), len);
}

struct sf_id sf_digest_get(const struct sf_digest *digest)
{
	XXH128_canonical_t canonical;
	struct sf_id hash;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest((const XXH3_state_t *)digest));
	_Static_assert(sizeof(hash) == sizeof(canonical), "an id and the hash have the same form");
	memcpy(&hash, &canonical, sizeof(hash));
	return hash;
}

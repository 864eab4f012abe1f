/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random lists of ranges, and a byte map as the model to compare them with. */
#ifndef TESTS_UNIT_EXTENTS_FIXTURE_H
#define TESTS_UNIT_EXTENTS_FIXTURE_H

#include "base/err.h"
#include "core/contract/extents.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SIZE ((uint64_t)20000)

static unsigned seed;

static inline void take_seed(void)
{
	const char *given = getenv("SNAPFS_TEST_SEED");

	seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	printf("# SNAPFS_TEST_SEED=%u\n", seed);
}

static inline uint64_t below(uint64_t n)
{
	return ((uint64_t)rand_r(&seed) << 31 ^ (uint64_t)rand_r(&seed)) % n;
}

static inline void failed(int rc, int want, const struct sf_err *err, const char *text)
{
	if (rc != want || err->code != want || !strstr(err->text, text))
		fail_msg("got %d and \"%s\" instead of %d and \"%s\"", rc, err->text, want, text);
}

static inline void add(struct sf_extents *extents, uint64_t off, uint64_t len)
{
	struct sf_err err = {0};

	if (sf_extents_add(extents, off, len, &err) < 0)
		fail_msg("%s", err.text);
}

/* Fills extents with random ranges in ascending order, and map with the same, one byte for each byte. */
static inline void fill(struct sf_extents *extents, unsigned char *map)
{
	uint64_t off = below(200), n = below(200);

	memset(map, 0, SIZE);
	*extents = (struct sf_extents){.size_bytes = SIZE};
	for (uint64_t i = 0; i < n; i++) {
		uint64_t len = below(150);

		add(extents, off, len);
		for (uint64_t at = off; at < off + len && at < SIZE; at++)
			map[at] = 1;
		off += below(4) ? below(250) : len; /* often overlapping, often touching exactly */
	}
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts of a disk hold data, and what two snapshots of it have in common, block by block. What fills it
 * reads; here is only counted. Pure.
 */
#ifndef SF_SNAPFSCTL_SHOW_MAP_H
#define SF_SNAPFSCTL_SHOW_MAP_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks are this large, or larger where a disk would have more than SF_MAP_BLOCKS_MAX of them (one byte
 * each). */
#define SF_MAP_BLOCK_BYTES 65536
#define SF_MAP_BLOCKS_MAX  (16 * 1024 * 1024)

/* In the order of what is more worth showing when there is only one colour for several blocks. */
enum sf_map_state {
	SF_MAP_HOLE,    /* in all snapshots that were looked at */
	SF_MAP_DATA,    /* of one snapshot; the same in both of two */
	SF_MAP_ONLY_A,  /* the second has only zeros there */
	SF_MAP_ONLY_B,  /* the first has only zeros there */
	SF_MAP_CHANGED, /* both have something else */
	SF_MAP_NSTATES
};

/* All zeros is none. */
struct sf_map {
	bool compared; /* two snapshots, A and B */
	uint64_t size_bytes, block_bytes;
	size_t nblocks;
	unsigned char *flags; /* of each block, from map.c */
};

/* How many bytes of a stretch are in each state. */
struct sf_map_sum {
	uint64_t bytes[SF_MAP_NSTATES];
};

/* A disk of size_bytes of which nothing is known: holes. -ENOMEM. */
int sf_map_init(struct sf_map *map, uint64_t size_bytes, bool compared);
void sf_map_fini(struct sf_map *map);

/* Of one snapshot: there is data. The range is in the disk. */
void sf_map_mark(struct sf_map *map, uint64_t off, uint64_t len);
/* Of two: what they have there; NULL for a hole. */
void sf_map_compare(struct sf_map *map, uint64_t off, uint64_t len, const char *a, const char *b);

/* What is in the range, whole blocks at its ends counted by the part that is in it. It may go beyond the
 * disk. */
struct sf_map_sum sf_map_sum(const struct sf_map *map, uint64_t off, uint64_t len);
/* The one state to show for several: what was changed before what is the same, the same before holes. */
enum sf_map_state sf_map_shown(const struct sf_map_sum *sum);

/* The smallest power of two, of at least a block, of which per_row * rows cover the disk: for pictures with
 * round numbers. */
uint64_t sf_map_cell_bytes(const struct sf_map *map, unsigned per_row, unsigned rows);

/* "hole", "data" or "unchanged", "changed", "only_in_a", "only_in_b". */
const char *sf_map_state_name(const struct sf_map *map, enum sf_map_state state);

/* Neighbours of one state as one {"off", "len", "state"}; at most max of them. *ret_left: how many are
 * missing. New; NULL: out of memory. */
json_t *sf_map_ranges(const struct sf_map *map, size_t max, uint64_t *ret_left);

bool sf_map_is_zero(const char *data, size_t len);

#endif

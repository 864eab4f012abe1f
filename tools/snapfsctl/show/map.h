/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps a disk block by block: which blocks hold data, and which differ between two snapshots. Pure: the
 * caller reads the disks.
 */
#ifndef SF_SNAPFSCTL_SHOW_MAP_H
#define SF_SNAPFSCTL_SHOW_MAP_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The size of a block. It doubles until a disk has at most SF_MAP_BLOCKS_MAX blocks (one byte of memory
 * each).
 */
#define SF_MAP_BLOCK_BYTES 65536
#define SF_MAP_BLOCKS_MAX  (16 * 1024 * 1024)

/* In ascending priority for the case that several blocks share one colour. */
enum sf_map_state {
	SF_MAP_HOLE,    /* in every snapshot compared */
	SF_MAP_DATA,    /* data of the one snapshot; or the same in both */
	SF_MAP_ONLY_A,  /* the second has only zeros there */
	SF_MAP_ONLY_B,  /* the first has only zeros there */
	SF_MAP_CHANGED, /* both hold data, and it differs */
	SF_MAP_NSTATES
};

/* All zeros is an empty map. */
struct sf_map {
	bool compared; /* compares two snapshots, A and B */
	uint64_t size_bytes, block_bytes;
	size_t nblocks;
	unsigned char *flags; /* one byte a block, see map.c */
};

/* How many bytes of a range are in each state. */
struct sf_map_sum {
	uint64_t bytes[SF_MAP_NSTATES];
};

/* Creates a map of size_bytes that is all holes. -ENOMEM. */
int sf_map_init(struct sf_map *map, uint64_t size_bytes, bool compared);
void sf_map_fini(struct sf_map *map);

/* Marks a range as data, in a map of one snapshot. The range must lie in the disk. */
void sf_map_mark(struct sf_map *map, uint64_t off, uint64_t len);
/* Records what both snapshots hold in a range, in a map of two. NULL is a hole. */
void sf_map_compare(struct sf_map *map, uint64_t off, uint64_t len, const char *a, const char *b);

/* Sums up a range, which may extend beyond the disk. Blocks at its ends count with the part inside it. */
struct sf_map_sum sf_map_sum(const struct sf_map *map, uint64_t off, uint64_t len);
/* The one state to show for a range: changes before unchanged data, data before holes. */
enum sf_map_state sf_map_shown(const struct sf_map_sum *sum);

/*
 * Returns how many bytes one cell of a picture covers: the smallest power-of-two multiple of a block with
 * which per_row * rows cells cover the disk. Rows then begin at round offsets.
 */
uint64_t sf_map_cell_bytes(const struct sf_map *map, unsigned per_row, unsigned rows);

/* "hole", "data" or "unchanged", "changed", "only_in_a", "only_in_b". */
const char *sf_map_state_name(const struct sf_map *map, enum sf_map_state state);

/*
 * Lists adjacent blocks of one state as {"off", "len", "state"}, at most max entries. *ret_left: how many are
 * left out. New reference; NULL: out of memory.
 */
json_t *sf_map_ranges(const struct sf_map *map, size_t max, uint64_t *ret_left);

bool sf_map_is_zero(const char *data, size_t len);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is known about a block so far. */
enum {
	F_DATA = 1,     /* not a hole in at least one snapshot */
	F_A = 2,        /* A has bytes other than zero */
	F_B = 4,        /* B has */
	F_DIFFERENT = 8 /* A and B differ */
};

bool sf_map_is_zero(const char *data, size_t len)
{
	return len == 0 || (*data == 0 && memcmp(data, data + 1, len - 1) == 0);
}

int sf_map_init(struct sf_map *map, uint64_t size_bytes, bool compared)
{
	struct sf_map made = {
		.compared = compared, .size_bytes = size_bytes, .block_bytes = SF_MAP_BLOCK_BYTES};

	while (size_bytes > 0 && (size_bytes - 1) / made.block_bytes >= SF_MAP_BLOCKS_MAX)
		made.block_bytes *= 2;
	made.nblocks = (size_t)(size_bytes / made.block_bytes + (size_bytes % made.block_bytes > 0));
	made.flags = calloc(made.nblocks + 1, 1);
	if (!made.flags)
		return -ENOMEM;
	*map = made;
	return 0;
}

void sf_map_fini(struct sf_map *map)
{
	free(map->flags);
	*map = (struct sf_map){0};
}

void sf_map_mark(struct sf_map *map, uint64_t off, uint64_t len)
{
	for (uint64_t i = off / map->block_bytes; len > 0 && i <= (off + len - 1) / map->block_bytes; i++)
		map->flags[i] |= F_DATA;
}

static unsigned char compare_block(const char *a, const char *b, size_t len)
{
	bool zero_a = !a || sf_map_is_zero(a, len), zero_b = !b || sf_map_is_zero(b, len),
	     same = (zero_a && zero_b) || (a && b && memcmp(a, b, len) == 0);

	return (unsigned char)(F_DATA | (zero_a ? 0 : F_A) | (zero_b ? 0 : F_B) | (same ? 0 : F_DIFFERENT));
}

void sf_map_compare(struct sf_map *map, uint64_t off, uint64_t len, const char *a, const char *b)
{
	while (len > 0 && (a || b)) {
		uint64_t n = map->block_bytes - off % map->block_bytes;

		n = n < len ? n : len;
		map->flags[off / map->block_bytes] |= compare_block(a, b, (size_t)n);
		a = a ? a + n : NULL;
		b = b ? b + n : NULL;
		off += n;
		len -= n;
	}
}

static enum sf_map_state state_of(unsigned char flags)
{
	if (!(flags & F_DATA))
		return SF_MAP_HOLE;
	if (!(flags & F_DIFFERENT))
		return SF_MAP_DATA;
	if (!(flags & F_B))
		return SF_MAP_ONLY_A;
	return flags & F_A ? SF_MAP_CHANGED : SF_MAP_ONLY_B;
}

struct sf_map_sum sf_map_sum(const struct sf_map *map, uint64_t off, uint64_t len)
{
	uint64_t end = off < map->size_bytes && len < map->size_bytes - off ? off + len : map->size_bytes;
	struct sf_map_sum sum = {0};

	while (off < end) {
		uint64_t block = off / map->block_bytes, n = (block + 1) * map->block_bytes - off;

		n = n < end - off ? n : end - off;
		sum.bytes[state_of(map->flags[block])] += n;
		off += n;
	}
	return sum;
}

enum sf_map_state sf_map_shown(const struct sf_map_sum *sum)
{
	if (sum->bytes[SF_MAP_ONLY_A] && sum->bytes[SF_MAP_ONLY_B])
		return SF_MAP_CHANGED;
	for (int state = SF_MAP_NSTATES - 1; state > SF_MAP_HOLE; state--)
		if (sum->bytes[state])
			return (enum sf_map_state)state;
	return SF_MAP_HOLE;
}

uint64_t sf_map_cell_bytes(const struct sf_map *map, unsigned per_row, unsigned rows)
{
	uint64_t cell = map->block_bytes;

	while (map->size_bytes > 0 && (map->size_bytes - 1) / cell >= (uint64_t)per_row * rows)
		cell *= 2;
	return cell;
}

const char *sf_map_state_name(const struct sf_map *map, enum sf_map_state state)
{
	static const char *const names[SF_MAP_NSTATES] = {"hole", "unchanged", "only_in_a", "only_in_b",
							  "changed"};

	return state == SF_MAP_DATA && !map->compared ? "data" : names[state];
}

json_t *sf_map_ranges(const struct sf_map *map, size_t max, uint64_t *ret_left)
{
	json_t *list = json_array();

	*ret_left = 0;
	for (size_t i = 0, next; i < map->nblocks; i = next) {
		enum sf_map_state state = state_of(map->flags[i]);
		uint64_t off = i * map->block_bytes, end;

		for (next = i + 1; next < map->nblocks && state_of(map->flags[next]) == state;)
			next++;
		end = next < map->nblocks ? next * map->block_bytes : map->size_bytes;
		if (json_array_size(list) == max)
			(*ret_left)++;
		else if (json_array_append_new(list, json_pack("{s:I, s:I, s:s}", "off", (json_int_t)off,
							       "len", (json_int_t)(end - off), "state",
							       sf_map_state_name(map, state))) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

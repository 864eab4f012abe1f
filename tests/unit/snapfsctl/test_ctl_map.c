/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/snapfsctl/show/map.h"
#include "tools/snapfsctl/show/map_draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KIB 1024ULL
#define MIB (1024 * KIB)
#define TIB (1024 * 1024 * MIB)
#define B   ((uint64_t)SF_MAP_BLOCK_BYTES)

static void is_at(const struct sf_map *map, uint64_t off, enum sf_map_state state)
{
	struct sf_map_sum sum = sf_map_sum(map, off, 1);

	assert_int_equal(sum.bytes[state], 1);
}

static void holes_and_data_of_one(void **state)
{
	struct sf_map map;
	struct sf_map_sum sum;

	(void)state;
	assert_int_equal(sf_map_init(&map, 10 * B + 100, false), 0);
	assert_int_equal(map.nblocks, 11);
	sf_map_mark(&map, 0, 1);
	sf_map_mark(&map, 3 * B - 1, 2); /* both blocks that it touches */
	sf_map_mark(&map, 10 * B + 99, 1);
	sf_map_mark(&map, 5 * B, 0);
	is_at(&map, B - 1, SF_MAP_DATA);
	is_at(&map, B, SF_MAP_HOLE);
	is_at(&map, 2 * B, SF_MAP_DATA);
	is_at(&map, 3 * B, SF_MAP_DATA);
	is_at(&map, 5 * B, SF_MAP_HOLE);
	sum = sf_map_sum(&map, 0, UINT64_MAX);
	assert_int_equal(sum.bytes[SF_MAP_DATA], 3 * B + 100); /* the last block is short */
	assert_int_equal(sum.bytes[SF_MAP_HOLE], 7 * B);
	assert_string_equal(sf_map_state_name(&map, SF_MAP_DATA), "data");
	sf_map_fini(&map);
}

static void two_are_compared_block_by_block(void **state)
{
	char *a = calloc(8, B), *b = calloc(8, B);
	struct sf_map map;

	(void)state;
	assert_int_equal(sf_map_init(&map, 8 * B, true), 0);
	/* Block 0 is equal, 1 changed, 2 only in a, 3 only in b, 4 zeros in both. */
	memset(a, 'a', 3 * B);
	memset(b, 'a', B);
	memset(b + B, 'a', B);
	b[2 * B - 1] = 'b';
	b[3 * B] = 'b';
	sf_map_compare(&map, 0, 5 * B, a, b);
	is_at(&map, 0, SF_MAP_DATA);
	is_at(&map, B, SF_MAP_CHANGED);
	is_at(&map, 2 * B, SF_MAP_ONLY_A);
	is_at(&map, 3 * B, SF_MAP_ONLY_B);
	is_at(&map, 4 * B, SF_MAP_DATA);
	sf_map_compare(&map, 5 * B, B, a + 5 * B, NULL); /* zeros in one and a hole in the other are equal */
	is_at(&map, 5 * B, SF_MAP_DATA);
	a[5 * B + 7] = 1;
	sf_map_compare(&map, 5 * B, B, a + 5 * B, NULL);
	sf_map_compare(&map, 6 * B, B, NULL, NULL);
	sf_map_compare(&map, 7 * B, B, NULL, b + 7 * B);
	is_at(&map, 5 * B, SF_MAP_ONLY_A);
	is_at(&map, 6 * B, SF_MAP_HOLE);
	is_at(&map, 7 * B, SF_MAP_DATA);
	assert_string_equal(sf_map_state_name(&map, SF_MAP_DATA), "unchanged");
	sf_map_fini(&map);
	free(a);
	free(b);
}

/*
 * A block that is compared in parts still counts as one: new at its beginning and removed at its end is
 * changed.
 */
static void parts_of_a_block_add_up(void **state)
{
	static const char zeros[4096], ones[4096] = {1};
	struct sf_map map;

	(void)state;
	assert_int_equal(sf_map_init(&map, 4 * B, true), 0);
	sf_map_compare(&map, 0, 4096, zeros, ones);
	sf_map_compare(&map, 4096, 4096, zeros, zeros);
	is_at(&map, 0, SF_MAP_ONLY_B);
	sf_map_compare(&map, 8192, 4096, ones, NULL);
	is_at(&map, 0, SF_MAP_CHANGED);
	sf_map_compare(&map, B, 4096, ones, ones);
	sf_map_compare(&map, B + 4096, 4096, zeros, ones);
	is_at(&map, B, SF_MAP_CHANGED); /* neither disk has data in the block */
	sf_map_compare(&map, 2 * B - 100, 200, ones, ones);
	is_at(&map, 2 * B, SF_MAP_DATA);
	sf_map_fini(&map);
}

static void large_disks_have_large_blocks(void **state)
{
	struct sf_map map;

	(void)state;
	assert_int_equal(sf_map_init(&map, TIB, false), 0);
	assert_int_equal(map.block_bytes, B);
	assert_int_equal(map.nblocks, SF_MAP_BLOCKS_MAX);
	sf_map_fini(&map);
	assert_int_equal(sf_map_init(&map, TIB + 1, false), 0);
	assert_int_equal(map.block_bytes, 2 * B);
	sf_map_fini(&map);
	assert_int_equal(sf_map_init(&map, INT64_MAX, false), 0);
	assert_true(map.nblocks <= SF_MAP_BLOCKS_MAX);
	sf_map_mark(&map, INT64_MAX - 1, 1);
	is_at(&map, INT64_MAX - 1, SF_MAP_DATA);
	sf_map_fini(&map);
	assert_int_equal(sf_map_init(&map, 0, false), 0);
	assert_int_equal(map.nblocks, 0);
	sf_map_fini(&map);
}

static void ranges_join_neighbours_and_are_capped(void **state)
{
	struct sf_map map;
	uint64_t left;
	json_t *ranges, *last;

	(void)state;
	assert_int_equal(sf_map_init(&map, 6 * B - 5, false), 0);
	sf_map_mark(&map, B, 2 * B);
	sf_map_mark(&map, 5 * B, 1);
	ranges = sf_map_ranges(&map, 100, &left);
	assert_int_equal(json_array_size(ranges), 4);
	assert_int_equal(left, 0);
	last = json_array_get(ranges, 3);
	assert_int_equal(json_integer_value(json_object_get(last, "off")), 5 * B);
	assert_int_equal(json_integer_value(json_object_get(last, "len")), B - 5);
	assert_string_equal(json_string_value(json_object_get(last, "state")), "data");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(ranges, 1), "len")), 2 * B);
	json_decref(ranges);
	ranges = sf_map_ranges(&map, 3, &left);
	assert_int_equal(json_array_size(ranges), 3);
	assert_int_equal(left, 1);
	json_decref(ranges);
	sf_map_fini(&map);
}

static void changes_are_shown_before_all_else(void **state)
{
	struct sf_map_sum sum = {{[SF_MAP_HOLE] = 1000}};

	(void)state;
	assert_int_equal(sf_map_shown(&sum), SF_MAP_HOLE);
	sum.bytes[SF_MAP_DATA] = 1;
	assert_int_equal(sf_map_shown(&sum), SF_MAP_DATA);
	sum.bytes[SF_MAP_ONLY_A] = 1;
	assert_int_equal(sf_map_shown(&sum), SF_MAP_ONLY_A);
	sum.bytes[SF_MAP_ONLY_B] = 1;
	assert_int_equal(sf_map_shown(&sum), SF_MAP_CHANGED);
	sum.bytes[SF_MAP_ONLY_A] = 0;
	assert_int_equal(sf_map_shown(&sum), SF_MAP_ONLY_B);
	sum.bytes[SF_MAP_CHANGED] = 1;
	assert_int_equal(sf_map_shown(&sum), SF_MAP_CHANGED);
}

static void cells_are_powers_of_two_that_cover_the_disk(void **state)
{
	static const uint64_t sizes[] = {0, 1, B, 64 * B, 64 * B + 1, 1000 * MIB, 3 * TIB, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct sf_map map = {.size_bytes = sizes[i], .block_bytes = B};
		uint64_t cell = sf_map_cell_bytes(&map, 64, 16);

		assert_int_equal(cell & (cell - 1), 0);
		assert_true(cell >= B && (sizes[i] == 0 || (sizes[i] - 1) / cell < 64 * 16));
		assert_true(cell == B || (sizes[i] - 1) / (cell / 2) >= 64 * 16);
	}
}

static void offsets_and_percents_read_well(void **state)
{
	static const struct {
		uint64_t off;
		const char *text;
	} offsets[] = {{0, "0"}, {65536, "64K"}, {1280 * MIB, "1280M"}, {2 * TIB, "2T"}, {1025, "1025"}};
	static const struct {
		uint64_t part;
		const char *text;
	} percents[] = {{0, "0.0%"}, {1, "<0.1%"}, {1000, "0.1%"}, {500000, "50.0%"}, {1000000, "100.0%"}};
	char text[SF_MAP_OFFSET], percent[SF_MAP_PERCENT];

	(void)state;
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		sf_map_offset(offsets[i].off, text);
		assert_string_equal(text, offsets[i].text);
	}
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		sf_map_percent(percents[i].part, 1000000, percent);
		assert_string_equal(percent, percents[i].text);
	}
	sf_map_percent(0, 0, percent);
	assert_string_equal(percent, "0.0%");
}

/* Draws into a string that the caller frees. */
static char *drawn(const struct sf_map *map, const struct sf_map_subject *subject, unsigned columns,
		   bool colours)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	sf_map_print(out, map, subject, columns, colours);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void text_fits_its_width(void **state)
{
	const struct sf_map_subject subject = {"web/a", "web/b", "disk.img"};
	static const char ones[65536] = {1}, twos[65536] = {2};
	struct sf_map map;
	char *text;

	(void)state;
	assert_int_equal(sf_map_init(&map, 40 * B, true), 0);
	sf_map_compare(&map, 0, B, ones, ones);
	sf_map_compare(&map, B, B, ones, twos);
	sf_map_compare(&map, 3 * B, B, NULL, twos);
	sf_map_compare(&map, 39 * B, B, ones, NULL);
	text = drawn(&map, &subject, 80, false);
	assert_non_null(strstr(text, "web/a -> web/b  disk.img, 2.5M, 64K each\n"));
	assert_non_null(strstr(text, "\n      0  #*.+...................................-\n"));
	assert_non_null(strstr(text, "  +      64K    2.5%  only in web/b\n"));
	free(text);
	text = drawn(&map, &subject, 56, false);
	assert_non_null(strstr(text, "\n      0  #*.+............................\n     2M  .......-\n"));
	free(text);
	text = drawn(&map, &subject, 80, true);
	assert_non_null(strstr(text, "\033[0;33m*"));
	free(text);
	sf_map_fini(&map);
}

static void picture_is_well_formed_whatever_the_names(void **state)
{
	char a[140], *text = NULL;
	struct sf_map_subject subject = {a, "web/<b> & \"more\"", "disk.img"};
	struct sf_map_picture picture;
	struct sf_map map;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	(void)snprintf(a, sizeof(a), "web/");
	for (int i = 0; i < 60; i++)
		strcat(a, "ä");
	assert_int_equal(sf_map_init(&map, 300 * MIB, true), 0);
	sf_map_compare(&map, 0, 1, "x", "y");
	assert_int_equal(sf_map_picture_begin(&picture), 0);
	sf_map_picture_add(&picture, &map, &subject);
	sf_map_picture_add(&picture, &map, &subject);
	assert_int_equal(sf_map_picture_end(&picture, out, "web/<b> & more", "taken <then> \xc2\x9b\x9b"), 0);
	assert_int_equal(fclose(out), 0);
	assert_non_null(strstr(text, "<title>web/&lt;b&gt; &amp; more</title>"));
	assert_non_null(strstr(text, "only in ääääääääääääääääääääääääääääääää… "));
	assert_non_null(strstr(text, "taken &lt;then&gt; \?\?<"));
	assert_null(strstr(text, "<b>"));
	assert_null(strstr(text, "<script"));
	assert_string_equal(text + len - 7, "</svg>\n");
	free(text);
	sf_map_fini(&map);
	assert_int_equal(sf_map_picture_begin(&picture), 0);
	sf_map_picture_drop(&picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes_and_data_of_one),
		cmocka_unit_test(two_are_compared_block_by_block),
		cmocka_unit_test(parts_of_a_block_add_up),
		cmocka_unit_test(large_disks_have_large_blocks),
		cmocka_unit_test(ranges_join_neighbours_and_are_capped),
		cmocka_unit_test(changes_are_shown_before_all_else),
		cmocka_unit_test(cells_are_powers_of_two_that_cover_the_disk),
		cmocka_unit_test(offsets_and_percents_read_well),
		cmocka_unit_test(text_fits_its_width),
		cmocka_unit_test(picture_is_well_formed_whatever_the_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

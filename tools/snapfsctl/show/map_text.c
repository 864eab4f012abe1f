/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "map_draw.h"

#include "print.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS_MAX 16
/* "1023.9K  " before each row. */
#define LABEL 9

static const struct {
	char sign;
	const char *colour; /* see console_codes(4) */
} signs[SF_MAP_NSTATES] = {
	[SF_MAP_HOLE] = {'.', "\033[0;2m"},     [SF_MAP_DATA] = {'#', "\033[0m"},
	[SF_MAP_ONLY_A] = {'-', "\033[0;31m"},  [SF_MAP_ONLY_B] = {'+', "\033[0;32m"},
	[SF_MAP_CHANGED] = {'*', "\033[0;33m"},
};

static void print_sign(FILE *out, enum sf_map_state state, enum sf_map_state *before, bool colours)
{
	if (colours && state != *before)
		sf_print_control(out, signs[state].colour);
	*before = state;
	sf_print(out, "%c", signs[state].sign);
}

/* The largest power of two that fits, so that rows begin at round offsets. */
static unsigned signs_in_row(unsigned columns)
{
	unsigned n = 16;

	while (2 * n + LABEL <= columns)
		n *= 2;
	return n;
}

static void print_row(FILE *out, const struct sf_map *map, uint64_t off, uint64_t cell, unsigned n,
		      bool colours)
{
	enum sf_map_state before = SF_MAP_NSTATES;
	char label[SF_MAP_OFFSET];

	sf_map_offset(off, label);
	sf_print(out, "%*s  ", LABEL - 2, label);
	for (unsigned i = 0; i < n && off < map->size_bytes; i++, off += cell) {
		struct sf_map_sum sum = sf_map_sum(map, off, cell);

		print_sign(out, sf_map_shown(&sum), &before, colours);
	}
	sf_print_control(out, colours ? "\033[0m\n" : "\n");
}

void sf_map_offset(uint64_t off, char text[static SF_MAP_OFFSET])
{
	static const char units[] = "BKMGTPE";
	size_t unit = 0;

	while (off > 0 && off % 1024 == 0 && units[unit + 1]) {
		off /= 1024;
		unit++;
	}
	(void)snprintf(text, SF_MAP_OFFSET, "%" PRIu64 "%.*s", off, unit > 0, &units[unit]);
}

void sf_map_percent(uint64_t part, uint64_t whole, char text[static SF_MAP_PERCENT])
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (part > 0 && percent < 0.1)
		(void)snprintf(text, SF_MAP_PERCENT, "<0.1%%");
	else
		(void)snprintf(text, SF_MAP_PERCENT, "%.1f%%", percent);
}

static void print_legend(FILE *out, const struct sf_map *map, const struct sf_map_subject *subject)
{
	static const enum sf_map_state order[] = {SF_MAP_DATA, SF_MAP_CHANGED, SF_MAP_ONLY_B, SF_MAP_ONLY_A,
						  SF_MAP_HOLE};
	struct sf_map_sum sum = sf_map_sum(map, 0, map->size_bytes);

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		enum sf_map_state state = order[i];
		const char *of = state == SF_MAP_ONLY_A   ? subject->a
				 : state == SF_MAP_ONLY_B ? subject->b
							  : "";
		char bytes[SF_TEXT_BYTES], percent[SF_MAP_PERCENT];

		if (!map->compared && state != SF_MAP_DATA && state != SF_MAP_HOLE)
			continue;
		sf_text_bytes(sum.bytes[state], bytes);
		sf_map_percent(sum.bytes[state], map->size_bytes, percent);
		sf_print(out, "%*s  %c  %7s  %6s  %s%s\n", LABEL - 2, "", signs[state].sign, bytes, percent,
			 sf_map_label(map, state), of);
	}
}

const char *sf_map_label(const struct sf_map *map, enum sf_map_state state)
{
	static const char *const labels[SF_MAP_NSTATES] = {"holes", "the same in both", "only in ",
							   "only in ", "changed"};

	return state == SF_MAP_DATA && !map->compared ? "data" : labels[state];
}

void sf_map_print(FILE *out, const struct sf_map *map, const struct sf_map_subject *subject, unsigned columns,
		  bool colours)
{
	unsigned n = signs_in_row(columns);
	uint64_t cell = sf_map_cell_bytes(map, n, ROWS_MAX);
	char size[SF_TEXT_BYTES], each[SF_MAP_OFFSET];

	sf_text_bytes(map->size_bytes, size);
	sf_map_offset(cell, each);
	if (subject->b)
		sf_print(out, "%s -> %s  ", subject->a, subject->b);
	else
		sf_print(out, "%s  ", subject->a);
	sf_print(out, "%s, %s, %s each\n", subject->file, size, each);
	for (uint64_t off = 0; off < map->size_bytes; off += cell * n)
		print_row(out, map, off, cell, n, colours);
	print_legend(out, map, subject);
}

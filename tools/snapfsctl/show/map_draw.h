/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Draws a map (map.h) as text for terminals and as an SVG picture. */
#ifndef SF_SNAPFSCTL_SHOW_MAP_DRAW_H
#define SF_SNAPFSCTL_SHOW_MAP_DRAW_H

#include "map.h"

#include <stdio.h>

/* What the map shows: a disk of one snapshot, or of two. */
struct sf_map_subject {
	const char *a, *b; /* "web/x"; b NULL: there is only one */
	const char *file;  /* "disk.img" */
};

/* "<0.1%" and its NUL. */
#define SF_MAP_PERCENT 16
void sf_map_percent(uint64_t part, uint64_t whole, char text[static SF_MAP_PERCENT]);
/* "data", "changed", or "only in ", to which the caller adds a name. */
const char *sf_map_label(const struct sf_map *map, enum sf_map_state state);

/* An exact offset in the largest unit that divides it: "0", "64K", "1280M". */
#define SF_MAP_OFFSET 24
void sf_map_offset(uint64_t off, char text[static SF_MAP_OFFSET]);

/* columns: the width of a line in characters. colours: use escape sequences. */
void sf_map_print(FILE *out, const struct sf_map *map, const struct sf_map_subject *subject, unsigned columns,
		  bool colours);

/* An SVG picture; each disk adds a panel. All zeros is an empty value. */
struct sf_map_picture {
	FILE *body;
	char *text;
	size_t len;
	unsigned height;
};

/* -ENOMEM. */
int sf_map_picture_begin(struct sf_map_picture *picture);
void sf_map_picture_add(struct sf_map_picture *picture, const struct sf_map *map,
			const struct sf_map_subject *subject);
/*
 * Writes the picture to out and frees it, also on failure. title and note (when the snapshots were taken)
 * stand above all panels. -ENOMEM, -EIO, or the errno of writing to out.
 */
int sf_map_picture_end(struct sf_map_picture *picture, FILE *out, const char *title, const char *note);
/* Frees the picture without writing it. */
void sf_map_picture_drop(struct sf_map_picture *picture);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps as text and as a picture. */
#ifndef SF_SNAPFSCTL_SHOW_MAP_DRAW_H
#define SF_SNAPFSCTL_SHOW_MAP_DRAW_H

#include "map.h"

#include <stdio.h>

/* What is drawn: a disk of one snapshot, or of two. */
struct sf_map_subject {
	const char *a, *b; /* "web/x"; b NULL: there is one only */
	const char *file;  /* "disk.img" */
};

/* "<0.1%" and its NUL. */
#define SF_MAP_PERCENT 16
void sf_map_percent(uint64_t part, uint64_t whole, char text[static SF_MAP_PERCENT]);
/* "data", "changed", "only in ", which wants a name behind it. */
const char *sf_map_label(const struct sf_map *map, enum sf_map_state state);

/* An offset that is a round number, exactly: "0", "64K", "1280M". */
#define SF_MAP_OFFSET 24
void sf_map_offset(uint64_t off, char text[static SF_MAP_OFFSET]);

/* columns: the width of a line; colours: of terminals. */
void sf_map_print(FILE *out, const struct sf_map *map, const struct sf_map_subject *subject, unsigned columns,
		  bool colours);

/* An SVG picture that grows by a panel for each disk. All zeros is none. */
struct sf_map_picture {
	FILE *body;
	char *text;
	size_t len;
	unsigned height;
};

/* -ENOMEM */
int sf_map_picture_begin(struct sf_map_picture *picture);
void sf_map_picture_add(struct sf_map_picture *picture, const struct sf_map *map,
			const struct sf_map_subject *subject);
/* The whole of it: title and note (when they were taken) stand above all panels. -EIO and what out says,
 * -ENOMEM; the picture is gone then as well. */
int sf_map_picture_end(struct sf_map_picture *picture, FILE *out, const char *title, const char *note);
/* Without drawing it. */
void sf_map_picture_drop(struct sf_map_picture *picture);

#endif

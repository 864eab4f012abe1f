/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws a map as static SVG 1.1: a bar with the shares, and below it the disk from beginning to end, one
 * square for each cell, line by line like text. It is readable on light and dark backgrounds and has no
 * scripts and no external resources.
 */
#include "map_draw.h"

#include "text.h"

#include "base/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_ROW      128
#define ROWS_MAX     32
#define PITCH        7 /* distance between squares, including the gap */
#define SQUARE       6
#define LEFT         76
#define RIGHT        32
#define WIDTH        (LEFT + PER_ROW * PITCH + RIGHT)
#define TOP          108 /* space for title and notes */
#define LABEL_STEP   4   /* rows between two offset labels */
#define BAR          12
#define LINE         21 /* height of a line in the legend */
#define KEYS_IN_LINE 2
/* The most characters of a name in the legend, and of the title. */
#define NAME_SHOWN  32
#define TITLE_SHOWN 84

static const char style[] =
	"<style>\n"
	"svg { background: #ffffff }\n"
	"text { font-family: system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #1f2430 }\n"
	".ground { fill: #ffffff } .title { font-size: 21px; font-weight: 600 } .head { font-size: 15px; "
	"font-weight: 600 }\n"
	".note, .key { font-size: 13px } .off { font-size: 11px; text-anchor: end }\n"
	".note, .off, .dim { fill: #667085 }\n"
	".s0 { fill: #e9ecf1 } .s1 { fill: #8ba3c7 } .s2 { fill: #b0579b } .s3 { fill: #00916e } "
	".s4 { fill: #e2711d }\n"
	".one .s1 { fill: #2f6fb5 }\n"
	"@media (prefers-color-scheme: dark) {\n"
	"svg { background: #14171d } .ground { fill: #14171d } text { fill: #e6e9ef }\n"
	".note, .off, .dim { fill: #98a2b3 }\n"
	".s0 { fill: #272c36 } .s1 { fill: #566b8c } .s2 { fill: #d78ac6 } .s3 { fill: #2cc49a } "
	".s4 { fill: #f59347 }\n"
	".one .s1 { fill: #5b9ce0 }\n"
	"}\n"
	"</style>\n";

/* Escapes text for XML, which must be UTF-8 and allows no control characters. */
static void put_text(FILE *out, const char *text)
{
	size_t len;
	bool safe;

	for (; *text; text += len) {
		len = sf_char_len(text, &safe);
		if (*text == '<')
			(void)fputs("&lt;", out);
		else if (*text == '>')
			(void)fputs("&gt;", out);
		else if (*text == '&')
			(void)fputs("&amp;", out);
		else if (safe)
			(void)fwrite(text, 1, len, out);
		else
			(void)fputc('?', out);
	}
}

static void put_line(FILE *out, const char *class, unsigned x, unsigned y, const char *text)
{
	(void)fprintf(out, "<text class=\"%s\" x=\"%u\" y=\"%u\">", class, x, y);
	put_text(out, text);
	(void)fputs("</text>\n", out);
}

/* --- a panel --- */

/*
 * The strength of a square is the share of its cell that is in the state shown, in quarters, so that a single
 * block stays visible.
 */
static unsigned strength(const struct sf_map_sum *sum, enum sf_map_state state)
{
	uint64_t all = 0, part = sum->bytes[state];

	for (int i = 0; i < SF_MAP_NSTATES; i++)
		all += sum->bytes[i];
	if (state == SF_MAP_CHANGED)
		part += sum->bytes[SF_MAP_ONLY_A] + sum->bytes[SF_MAP_ONLY_B];
	return all ? (unsigned)((double)part / (double)all * 3.999) : 0;
}

static void put_squares(FILE *out, unsigned from, unsigned to, unsigned y, enum sf_map_state state,
			unsigned strong)
{
	static const char *const opacities[] = {" opacity=\".5\"", " opacity=\".67\"", " opacity=\".84\"",
						""};

	(void)fprintf(out, "<path class=\"s%d\"%s d=\"M%u %u", (int)state,
		      state == SF_MAP_HOLE ? "" : opacities[strong], LEFT + from * PITCH, y);
	for (unsigned i = from; i < to; i++)
		(void)fprintf(out, "%sh%dv%dh-%dz", i > from ? "m7 0" : "", SQUARE, SQUARE, SQUARE);
	(void)fputs("\"/>\n", out);
}

/* Adjacent squares that look the same share one path. */
static void put_row(FILE *out, const struct sf_map *map, uint64_t off, uint64_t cell, unsigned y)
{
	enum sf_map_state before = SF_MAP_HOLE;
	unsigned begin = 0, strong_before = 0, i;
	char label[SF_MAP_OFFSET];

	if (off / (cell * PER_ROW) % LABEL_STEP == 0) {
		sf_map_offset(off, label);
		put_line(out, "off", LEFT - 10, y + SQUARE + 1, label);
	}
	for (i = 0; i < PER_ROW && off < map->size_bytes; i++, off += cell) {
		struct sf_map_sum sum = sf_map_sum(map, off, cell);
		enum sf_map_state state = sf_map_shown(&sum);
		unsigned strong = strength(&sum, state);

		if (i > 0 && (state != before || strong != strong_before)) {
			put_squares(out, begin, i, y, before, strong_before);
			begin = i;
		}
		before = state;
		strong_before = strong;
	}
	if (i > begin)
		put_squares(out, begin, i, y, before, strong_before);
}

static const enum sf_map_state order[SF_MAP_NSTATES] = {SF_MAP_DATA, SF_MAP_CHANGED, SF_MAP_ONLY_B,
							SF_MAP_ONLY_A, SF_MAP_HOLE};

/* Draws the shares side by side; a share above 0 is at least 2 wide. */
static void put_bar(FILE *out, const struct sf_map_sum *sum, uint64_t whole, unsigned y)
{
	double x = LEFT, room = PER_ROW * PITCH - 1;

	for (size_t i = 0; i < SF_MAP_NSTATES && whole > 0; i++) {
		double width = room * (double)sum->bytes[order[i]] / (double)whole;

		if (sum->bytes[order[i]] == 0)
			continue;
		width = width < 2 ? 2 : width;
		width = x + width > LEFT + room || i == SF_MAP_NSTATES - 1 ? LEFT + room - x : width;
		(void)fprintf(out, "<rect class=\"s%d\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\"/>\n",
			      (int)order[i], x, y, width > 0 ? width : 0, BAR);
		x += width;
	}
}

/* Cuts a name to `most` characters and appends an ellipsis. */
static void shorten(const char *name, size_t most, char *buf, size_t size)
{
	size_t len = 0, n = 0;

	for (; name[len] && n <= most; len++)
		n += ((unsigned char)name[len] & 0xc0) != 0x80;
	if (n <= most) {
		(void)snprintf(buf, size, "%s", name);
		return;
	}
	for (len--; ((unsigned char)name[len] & 0xc0) == 0x80;)
		len--;
	(void)snprintf(buf, size, "%.*s\xe2\x80\xa6", (int)len, name);
}

static void put_key(FILE *out, const struct sf_map *map, const struct sf_map_subject *subject,
		    enum sf_map_state state, uint64_t part, unsigned x, unsigned y)
{
	const char *of = state == SF_MAP_ONLY_A ? subject->a : state == SF_MAP_ONLY_B ? subject->b : "";
	const char *slash = strrchr(of, '/');
	char bytes[SF_TEXT_BYTES], percent[SF_MAP_PERCENT], name[4 * NAME_SHOWN + 8];

	sf_text_bytes(part, bytes);
	sf_map_percent(part, map->size_bytes, percent);
	shorten(slash ? slash + 1 : of, NAME_SHOWN, name, sizeof(name));
	(void)fprintf(out, "<rect class=\"s%d\" x=\"%u\" y=\"%u\" width=\"11\" height=\"11\" rx=\"2\"/>\n",
		      (int)state, x, y - 10);
	(void)fprintf(out, "<text class=\"key\" x=\"%u\" y=\"%u\">%s", x + 18, y, sf_map_label(map, state));
	put_text(out, name);
	(void)fprintf(out, " <tspan class=\"dim\">%s, ", bytes);
	put_text(out, percent); /* "<0.1%" */
	(void)fputs("</tspan></text>\n", out);
}

/* Returns the number of lines it used. */
static unsigned put_keys(FILE *out, const struct sf_map *map, const struct sf_map_subject *subject,
			 const struct sf_map_sum *sum, unsigned y)
{
	unsigned n = 0;

	for (size_t i = 0; i < SF_MAP_NSTATES; i++) {
		enum sf_map_state state = order[i];

		if (!map->compared && state != SF_MAP_DATA && state != SF_MAP_HOLE)
			continue;
		put_key(out, map, subject, state, sum->bytes[state],
			LEFT + n % KEYS_IN_LINE * (PER_ROW * PITCH / KEYS_IN_LINE),
			y + n / KEYS_IN_LINE * LINE);
		n++;
	}
	return (n + KEYS_IN_LINE - 1) / KEYS_IN_LINE;
}

void sf_map_picture_add(struct sf_map_picture *picture, const struct sf_map *map,
			const struct sf_map_subject *subject)
{
	uint64_t cell = sf_map_cell_bytes(map, PER_ROW, ROWS_MAX);
	struct sf_map_sum sum = sf_map_sum(map, 0, map->size_bytes);
	char size[SF_TEXT_BYTES], each[SF_MAP_OFFSET];
	unsigned y = picture->height + 16;
	FILE *out = picture->body;

	sf_text_bytes(map->size_bytes, size);
	sf_map_offset(cell, each);
	(void)fprintf(out, "<g%s>\n<text class=\"head\" x=\"%d\" y=\"%u\">",
		      map->compared ? "" : " class=\"one\"", LEFT, y);
	put_text(out, subject->file);
	(void)fprintf(out, " <tspan class=\"dim\" font-weight=\"400\">%s, each square %s</tspan></text>\n",
		      size, each);
	put_bar(out, &sum, map->size_bytes, y + 12);
	y += 12 + BAR + LINE;
	y += put_keys(out, map, subject, &sum, y) * LINE;
	for (uint64_t off = 0; off < map->size_bytes; off += cell * PER_ROW, y += PITCH)
		put_row(out, map, off, cell, y);
	(void)fputs("</g>\n", out);
	picture->height = y + 32;
}

/* --- the picture --- */

static const char reading[] =
	"Squares run from left to right and down, as on the disk; fainter ones hold less of what they show.";

int sf_map_picture_begin(struct sf_map_picture *picture)
{
	*picture = (struct sf_map_picture){.height = TOP};
	picture->body = open_memstream(&picture->text, &picture->len);
	return picture->body ? 0 : -ENOMEM;
}

void sf_map_picture_drop(struct sf_map_picture *picture)
{
	if (picture->body)
		(void)fclose(picture->body); /* the content is discarded */
	free(picture->text);
	*picture = (struct sf_map_picture){0};
}

int sf_map_picture_end(struct sf_map_picture *picture, FILE *out, const char *title, const char *note)
{
	int rc = fclose(picture->body) == 0 ? 0 : -ENOMEM;
	char shown[4 * TITLE_SHOWN + 8];

	picture->body = NULL;
	if (rc == 0) {
		(void)fprintf(out,
			      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" "
			      "height=\"%u\" role=\"img\">\n<title>",
			      WIDTH, picture->height, WIDTH, picture->height);
		put_text(out, title);
		(void)fprintf(out, "</title>\n%s<rect class=\"ground\" width=\"%d\" height=\"%u\"/>\n", style,
			      WIDTH, picture->height);
		shorten(title, TITLE_SHOWN, shown, sizeof(shown));
		put_line(out, "title", LEFT, 42, shown);
		put_line(out, "note", LEFT, 66, note);
		put_line(out, "note", LEFT, 85, reading);
		(void)fwrite(picture->text, 1, picture->len, out);
		(void)fputs("</svg>\n", out);
		if (fflush(out) != 0 || ferror(out))
			rc = errno ? -errno : -EIO;
	}
	sf_map_picture_drop(picture);
	return rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl map: shows which parts of a snapshot's disks hold data, or differ between two snapshots. */
#include "tools/snapfsctl/tree/interrupt.h"
#include "tools/snapfsctl/content/content.h"
#include "ctl.h"
#include "tools/snapfsctl/show/map.h"
#include "tools/snapfsctl/show/map_draw.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/progress.h"
#include "results.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The most ranges of a disk in the answer. A program that needs more should read the images itself. */
#define RANGES_MAX  10000
#define COLUMNS_MIN 32
#define COLUMNS_MAX 1000

enum { OPT_DISK = 256, OPT_SVG, OPT_COLUMNS };

struct request {
	const char *disk; /* NULL: all */
	const char *svg;  /* NULL: none; "-": instead of the text */
	unsigned columns;
};

struct drawing {
	struct sf_ctl *ctl;
	const struct request *request;
	bool compared;
	struct sf_content a, b;
	struct sf_progress progress;
	uint64_t done_bytes, total_bytes;
	struct sf_map_picture picture;
	json_t *disks;
};

static void moved(struct drawing *d, uint64_t bytes)
{
	d->done_bytes += bytes;
	sf_progress_show(&d->progress, d->done_bytes, d->total_bytes);
}

/* --- one disk --- */

static int map_one(struct drawing *d, const struct sf_content_file *file, struct sf_map *map,
		   struct sf_err *err)
{
	struct sf_reader reader;
	uint64_t off, len, last = 0;
	int rc = sf_content_read(&d->a, file, &reader, err);

	if (rc < 0)
		return rc;
	while ((rc = sf_reader_skip(&reader, &off, &len, err)) > 0) {
		sf_map_mark(map, off, len);
		moved(d, off + len - last);
		last = off + len;
	}
	sf_reader_close(&reader);
	return rc;
}

/* One of two disks that are read side by side. A disk that is missing or shorter reads as a hole. */
struct side {
	struct sf_reader reader;
	bool open;
	struct sf_piece piece; /* the rest of its current piece, which begins at the common offset */
};

static int open_side(const struct sf_content *content, const struct sf_content_file *file, struct side *side,
		     struct sf_err *err)
{
	int rc = file ? sf_content_read(content, file, &side->reader, err) : 0;

	side->open = file && rc == 0;
	return rc;
}

/* Ensures that the side has a piece at off. size is the end of the longer side. */
static int fill_side(struct side *side, uint64_t off, uint64_t size, struct sf_err *err)
{
	int rc = 0;

	if (side->piece.len > 0)
		return 0;
	if (side->open && (rc = sf_reader_next(&side->reader, &side->piece, err)) < 0)
		return rc;
	if (rc == 0)
		side->piece = (struct sf_piece){.off = off, .len = size - off};
	return 0;
}

static void advance(struct side *side, uint64_t n)
{
	side->piece.off += n;
	side->piece.len -= n;
	if (side->piece.data)
		side->piece.data += n;
}

static int compare_sides(struct drawing *d, struct side *a, struct side *b, struct sf_map *map,
			 struct sf_err *err)
{
	uint64_t off = 0;

	while (off < map->size_bytes) {
		int rc = fill_side(a, off, map->size_bytes, err);
		uint64_t n;

		if (rc == 0)
			rc = fill_side(b, off, map->size_bytes, err);
		if (rc < 0)
			return rc;
		n = a->piece.len < b->piece.len ? a->piece.len : b->piece.len;
		sf_map_compare(map, off, n, a->piece.data, b->piece.data);
		advance(a, n);
		advance(b, n);
		off += n;
		moved(d, n);
	}
	return 0;
}

static int map_two(struct drawing *d, const struct sf_content_file *a, const struct sf_content_file *b,
		   struct sf_map *map, struct sf_err *err)
{
	struct side side_a = {0}, side_b = {0};
	int rc = open_side(&d->a, a, &side_a, err);

	if (rc == 0)
		rc = open_side(&d->b, b, &side_b, err);
	if (rc == 0)
		rc = compare_sides(d, &side_a, &side_b, map, err);
	sf_reader_close(&side_a.reader);
	sf_reader_close(&side_b.reader);
	return rc;
}

static void note_disk(struct drawing *d, const char *name, const struct sf_map *map)
{
	struct sf_map_sum sum = sf_map_sum(map, 0, map->size_bytes);
	json_t *entry = json_pack("{s:s, s:I, s:I}", "file", name, "size_bytes", (json_int_t)map->size_bytes,
				  "block_bytes", (json_int_t)map->block_bytes);
	json_t *bytes = json_object();
	uint64_t left;

	for (int i = 0; i < SF_MAP_NSTATES; i++)
		if (map->compared || i == SF_MAP_HOLE || i == SF_MAP_DATA)
			json_object_set_new(bytes, sf_map_state_name(map, (enum sf_map_state)i),
					    json_integer((json_int_t)sum.bytes[i]));
	json_object_set_new(entry, "bytes", bytes);
	json_object_set_new(entry, "ranges", sf_map_ranges(map, RANGES_MAX, &left));
	json_object_set_new(entry, "ranges_left_out", json_integer((json_int_t)left));
	json_array_append_new(d->disks, entry);
}

static uint64_t size_of(const struct sf_content_file *file)
{
	return file ? (uint64_t)file->st.st_size : 0;
}

/* a or b may be NULL: the snapshot has no such disk. */
static int draw_disk(struct drawing *d, const struct sf_content_file *a, const struct sf_content_file *b,
		     struct sf_err *err)
{
	uint64_t size = size_of(a) > size_of(b) ? size_of(a) : size_of(b);
	struct sf_map_subject subject = {d->a.path, d->compared ? d->b.path : NULL, a ? a->name : b->name};
	const bool text = !d->ctl->json && !(d->request->svg && strcmp(d->request->svg, "-") == 0);
	struct sf_map map;
	int rc = sf_map_init(&map, size, d->compared);

	if (rc < 0)
		return sf_fail(err, rc, "out of memory");
	rc = d->compared ? map_two(d, a, b, &map, err) : map_one(d, a, &map, err);
	if (rc == 0) {
		sf_progress_end(&d->progress);
		note_disk(d, subject.file, &map);
		if (d->picture.body)
			sf_map_picture_add(&d->picture, &map, &subject);
		if (text && json_array_size(d->disks) > 1)
			sf_print(stdout, "\n");
		if (text)
			sf_map_print(stdout, &map, &subject, d->request->columns,
				     d->ctl->terminal && !getenv("NO_COLOR"));
	}
	sf_map_fini(&map);
	return rc;
}

/* --- all disks --- */

static const struct sf_content_file *find(const struct sf_content *content, const char *name)
{
	for (size_t i = 0; i < content->n; i++)
		if (strcmp(content->files[i].name, name) == 0)
			return &content->files[i];
	return NULL;
}

/* RAM is drawn only if it is named. */
static bool wanted(const struct drawing *d, const struct sf_content_file *file)
{
	return d->request->disk ? strcmp(d->request->disk, file->name) == 0
				: strcmp(file->name, SF_CONTENT_MEMORY) != 0;
}

static int check_disk(const struct drawing *d, struct sf_err *err)
{
	const char *disk = d->request->disk;
	char known[512] = "", shown[64];
	size_t len = 0;

	if (!disk || find(&d->a, disk) || find(&d->b, disk))
		return 0;
	for (size_t i = 0; i < d->a.n && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
					d->a.files[i].name);
	sf_text_printable(disk, shown, sizeof(shown));
	return sf_fail(err, -ENOENT, "%s has no '%s'; it has %s", d->a.path, shown, known);
}

static void count_bytes(struct drawing *d)
{
	for (size_t i = 0; i < d->a.n; i++) {
		const struct sf_content_file *other = find(&d->b, d->a.files[i].name);

		if (wanted(d, &d->a.files[i]))
			d->total_bytes += size_of(other) > size_of(&d->a.files[i]) ? size_of(other)
										   : size_of(&d->a.files[i]);
	}
	for (size_t i = 0; i < d->b.n; i++)
		if (wanted(d, &d->b.files[i]) && !find(&d->a, d->b.files[i].name))
			d->total_bytes += size_of(&d->b.files[i]);
}

static int draw_disks(struct drawing *d, struct sf_err *err)
{
	int rc = check_disk(d, err);

	count_bytes(d);
	for (size_t i = 0; i < d->a.n && rc == 0; i++)
		if (wanted(d, &d->a.files[i]))
			rc = draw_disk(d, &d->a.files[i], find(&d->b, d->a.files[i].name), err);
	for (size_t i = 0; i < d->b.n && rc == 0; i++)
		if (wanted(d, &d->b.files[i]) && !find(&d->a, d->b.files[i].name))
			rc = draw_disk(d, NULL, &d->b.files[i], err);
	return rc;
}

static int end_picture(struct drawing *d, struct sf_err *err)
{
	const char *path = d->request->svg;
	bool standard = strcmp(path, "-") == 0;
	FILE *out = standard ? stdout : fopen(path, "we");
	char title[2 * SF_SNAP_PATH + 16], note[128], a[SF_TEXT_TIME], b[SF_TEXT_TIME];
	int rc;

	if (!out)
		return sf_fail(err, -errno, "%s: %s", path, strerror(errno));
	sf_text_time(d->a.snap.taken_ns, a);
	sf_text_time(d->b.snap.taken_ns, b);
	(void)snprintf(title, sizeof(title), "%s%s%s", d->a.path, d->compared ? " \xe2\x86\x92 " : "",
		       d->compared ? d->b.path : "");
	(void)snprintf(note, sizeof(note), "Taken %s%s%s.", a, d->compared ? " and " : "",
		       d->compared ? b : "");
	rc = sf_map_picture_end(&d->picture, out, title, note);
	if (!standard && fclose(out) != 0 && rc == 0)
		rc = -errno;
	return rc < 0 ? sf_fail(err, rc, "%s: %s", path, strerror(-rc)) : 0;
}

static int draw(struct drawing *d, char *const *arguments, struct sf_err *err)
{
	const char *svg = d->request->svg;
	char what[2 * SF_SNAP_PATH + 16];
	int rc = sf_content_open(&d->a, &d->ctl->mount, arguments[0], err);

	if (rc == 0 && d->compared)
		rc = sf_content_open(&d->b, &d->ctl->mount, arguments[1], err);
	if (rc == 0 && d->compared && strcmp(d->a.snap.vm, d->b.snap.vm) != 0)
		rc = sf_fail(err, -EXDEV, "%s and %s are of different VMs", d->a.path, d->b.path);
	if (rc == 0 && svg && sf_map_picture_begin(&d->picture) < 0)
		rc = sf_fail(err, -ENOMEM, "out of memory");
	if (rc < 0)
		return rc;
	(void)snprintf(what, sizeof(what), "map %s%s%s", d->a.path, d->compared ? " " : "", d->b.path);
	sf_progress_begin(&d->progress, what, d->ctl->json);
	rc = draw_disks(d, err);
	sf_progress_end(&d->progress);
	if (rc == 0 && svg)
		rc = end_picture(d, err);
	sf_map_picture_drop(&d->picture);
	return rc;
}

/* --- options --- */

static int take_columns(struct sf_ctl *ctl, const char *text, unsigned *ret)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || end == text || n < COLUMNS_MIN || n > COLUMNS_MAX)
		return sf_ctl_usage(ctl, "--columns must be a number from %d to %d", COLUMNS_MIN,
				    COLUMNS_MAX);
	*ret = (unsigned)n;
	return -1;
}

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {{"disk", required_argument, NULL, OPT_DISK},
						{"svg", required_argument, NULL, OPT_SVG},
						{"columns", required_argument, NULL, OPT_COLUMNS},
						{NULL, 0, NULL, 0}};
	int opt, status = -1;

	request->columns = sf_terminal_width(STDOUT_FILENO);
	while ((opt = sf_ctl_option(ctl, argc, argv, "", options)) != -1) {
		if (opt == OPT_DISK)
			request->disk = optarg;
		else if (opt == OPT_SVG)
			request->svg = optarg;
		else if (opt == OPT_COLUMNS)
			status = take_columns(ctl, optarg, &request->columns);
		else
			return sf_ctl_stop(opt);
		if (status >= 0)
			return status;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return sf_ctl_usage(ctl, "expected one snapshot, or two of the same VM");
	if (ctl->json && request->svg && strcmp(request->svg, "-") == 0)
		return sf_ctl_usage(ctl, "--json and the picture cannot both go to standard output");
	return -1;
}

int sf_cmd_map(struct sf_ctl *ctl, int argc, char **argv)
{
	struct request request = {0};
	int status = take_options(ctl, argc, argv, &request), rc;
	struct drawing d = {.ctl = ctl, .request = &request};
	struct sf_results results;
	struct sf_err err = {0};
	json_t *extra;

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	sf_results_init(&results, ctl);
	sf_interrupt_catch();
	d.compared = argc - optind == 2;
	d.disks = json_array();
	rc = draw(&d, argv + optind, &err);
	extra = json_pack("{s:o}", "disks", d.disks);
	if (d.compared && *d.b.path)
		json_object_set_new(extra, "other", json_string(d.b.path));
	sf_results_add(&results, *d.a.path ? d.a.path : argv[optind], rc, &err, NULL, extra);
	sf_content_close(&d.a);
	sf_content_close(&d.b);
	return sf_results_end(&results);
}

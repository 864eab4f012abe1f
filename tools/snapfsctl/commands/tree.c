/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl tree: shows which state came from which. Each snapshot descends from the one before it. A revert
 * goes back to an earlier snapshot, and what is taken from then on forms a branch of it. The snapshot that a
 * revert makes of the replaced state names the target ("left_for" in its meta.json). A revert that kept
 * nothing leaves no trace.
 */
#include "ctl.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/table.h"
#include "tools/snapfsctl/show/text.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum column { C_SNAPSHOT, C_TAKEN, C_KIND, C_DESCRIPTION, NCOLUMNS };

static const struct sf_column columns[NCOLUMNS] = {
	[C_SNAPSHOT] = {"snapshot", SF_COLUMN_TREE, "below what it came from"},
	[C_TAKEN] = {"taken", 0, "the instant, in local time"},
	[C_KIND] = {"kind", 0, "consistency"},
	[C_DESCRIPTION] = {"description", SF_COLUMN_CUT, "the note"},
};

static struct sf_row *add_row(struct sf_table *table, struct sf_row *parent, const struct sf_snap *snap)
{
	struct sf_row *row = sf_table_row(table, parent);
	char taken[SF_TEXT_TIME];

	sf_text_time(snap->taken_ns, taken);
	sf_table_cell(table, row, C_SNAPSHOT, snap->name);
	sf_table_cell(table, row, C_TAKEN, taken);
	sf_table_cell(table, row, C_KIND, *snap->problem ? snap->problem : snap->consistency);
	sf_table_cell(table, row, C_DESCRIPTION, snap->description);
	if (*snap->problem)
		sf_table_alert(row);
	return row;
}

static bool has_uuid(const struct sf_snap *snap, const char *uuid)
{
	const char *own = json_string_value(json_object_get(snap->meta, "uuid"));

	return own && strcmp(own, uuid) == 0;
}

/*
 * The index of the snapshot that the state after snapshot n comes from: n itself, or the target of a revert;
 * none if that target is unknown.
 */
static size_t follows(const struct sf_snap *list, size_t n, size_t none)
{
	const char *left_for = json_string_value(json_object_get(list[n].meta, "left_for"));

	for (size_t i = 0; left_for && i < n; i++)
		if (has_uuid(&list[i], left_for))
			return i;
	return left_for ? none : n;
}

/* Adds one VM's snapshots, which are sorted by time. */
static void add_vm(struct sf_table *table, const struct sf_snap *list, size_t n, struct sf_row **rows,
		   json_t *answer)
{
	struct sf_row *top = sf_table_row(table, NULL), *branch = top;
	size_t parent = n;

	sf_table_cell(table, top, C_SNAPSHOT, list[0].vm);
	for (size_t i = 0; i < n; i++) {
		json_t *entry = sf_snap_json(&list[i]);
		size_t next = follows(list, i, n);

		rows[i] = add_row(table, branch, &list[i]);
		json_object_set_new(entry, "parent",
				    parent == n ? json_null() : json_string(list[parent].name));
		json_array_append_new(answer, entry);
		if (next != i)
			branch = next == n ? top : rows[next];
		parent = next;
	}
	sf_table_cell(table, sf_table_row(table, branch), C_SNAPSHOT, "(now)");
}

static int show(struct sf_ctl *ctl, const struct sf_snaps *snaps, json_t *answer, struct sf_err *err)
{
	static const struct sf_table_style style = {0};
	struct sf_row **rows = calloc(snaps->n + 1, sizeof(struct sf_row *));
	struct sf_table *table = NULL;
	int rc = rows ? sf_table_new(&table, ctl->terminal, columns, NCOLUMNS, &style, err)
		      : sf_fail(err, -ENOMEM, "out of memory");

	for (size_t first = 0, n; rc == 0 && first < snaps->n; first += n) {
		const struct sf_snap *list = &snaps->list[first];

		for (n = 1; first + n < snaps->n && strcmp(list[n].vm, list[0].vm) == 0; n++)
			;
		add_vm(table, list, n, rows, answer);
	}
	if (rc == 0 && !ctl->json)
		rc = sf_table_print(table, err);
	sf_table_free(table);
	free(rows);
	return rc;
}

int sf_cmd_tree(struct sf_ctl *ctl, int argc, char **argv)
{
	struct sf_err err = {0};
	int opt, status, rc = 0;
	json_t *answer;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", NULL)) != -1)
		return sf_ctl_stop(opt);
	if ((status = sf_ctl_open(ctl)) >= 0)
		return status;
	answer = json_array();
	json_object_set_new(ctl->answer, "snapshots", answer);
	for (int i = optind; (i < argc || i == optind) && rc == 0; i++) {
		struct sf_snaps snaps = {0};
		char vm[SF_SNAP_PATH];

		if (i < argc)
			rc = sf_mount_path(&ctl->mount, argv[i], vm, sizeof(vm), &err);
		if (rc == 0)
			rc = sf_snaps_load(&ctl->mount, i < argc ? vm : NULL, &snaps, &err);
		if (rc == 0)
			rc = show(ctl, &snaps, answer, &err);
		sf_snaps_fini(&snaps);
	}
	return rc < 0 ? sf_ctl_fail(ctl, &err) : SF_EXIT_OK;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include "print.h"
#include "text.h"

#include "base/err.h"
#include "base/names.h"

#include <ctype.h>
#include <errno.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 32
/* Longer cells are cut. A cell is a name, a number or one line of a description. */
#define CELL_MAX 4096

struct sf_table {
	struct libscols_table *scols;
	const struct sf_column *columns;
	size_t ncolumns;
	size_t order[COLUMNS_MAX]; /* the columns shown, from left to right */
	size_t nshown;
	bool bare;
};

static bool show(struct sf_table *table, size_t column)
{
	if (table->nshown == COLUMNS_MAX)
		return false;
	if (!sf_table_shows(table, column))
		table->order[table->nshown++] = column;
	return true;
}

bool sf_table_shows(const struct sf_table *table, size_t column)
{
	for (size_t i = 0; i < table->nshown; i++)
		if (table->order[i] == column)
			return true;
	return false;
}

static void show_usual(struct sf_table *table, bool full)
{
	for (size_t i = 0; i < table->ncolumns; i++)
		if (full || !(table->columns[i].flags & SF_COLUMN_LONG))
			(void)show(table, i); /* there is room for all columns */
}

static int fail_column(const struct sf_table *table, const char *name, int len, struct sf_err *err)
{
	char known[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < table->ncolumns && used < sizeof(known); i++)
		used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
					 table->columns[i].name);
	return sf_fail(err, -EINVAL, "there is no column '%.*s'; the columns are %s", len, name, known);
}

static int choose(struct sf_table *table, const struct sf_table_style *style, struct sf_err *err)
{
	const char *at = style->wanted;

	if (!at || *at == '+')
		show_usual(table, style->full);
	if (!at)
		return 0;
	at += *at == '+';
	for (;; at++) {
		size_t len = strcspn(at, ","), i;

		for (i = 0; i < table->ncolumns; i++)
			if (strlen(table->columns[i].name) == len &&
			    strncasecmp(table->columns[i].name, at, len) == 0)
				break;
		if (i == table->ncolumns)
			return fail_column(table, at, len < 40 ? (int)len : 40, err);
		(void)show(table, i);
		at += len;
		if (!*at)
			return 0;
	}
}

static int add_columns(struct sf_table *table)
{
	for (size_t i = 0; i < table->nshown; i++) {
		const struct sf_column *column = &table->columns[table->order[i]];
		char heading[64];
		size_t len = 0;
		int flags = 0;

		for (; column->name[len] && len + 1 < sizeof(heading); len++)
			heading[len] = (char)toupper((unsigned char)column->name[len]);
		heading[len] = '\0';
		flags |= column->flags & SF_COLUMN_RIGHT ? SCOLS_FL_RIGHT : 0;
		flags |= column->flags & SF_COLUMN_CUT ? SCOLS_FL_TRUNC : 0;
		flags |= column->flags & SF_COLUMN_TREE ? SCOLS_FL_TREE : 0;
		if (!scols_table_new_column(table->scols, heading, 0, flags))
			return -ENOMEM;
	}
	return 0;
}

int sf_table_new(struct sf_table **ret, bool terminal, const struct sf_column *columns, size_t ncolumns,
		 const struct sf_table_style *style, struct sf_err *err)
{
	struct sf_table *table = calloc(1, sizeof(*table));
	int rc;

	if (!table || !(table->scols = scols_new_table())) {
		sf_table_free(table);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	table->columns = columns;
	table->ncolumns = ncolumns;
	table->bare = style->bare;
	rc = choose(table, style, err);
	if (rc == 0 && add_columns(table) < 0)
		rc = sf_fail(err, -ENOMEM, "out of memory");
	if (rc == 0 && terminal && !getenv("NO_COLOR"))
		(void)scols_table_enable_colors(table->scols, 1); /* on failure there are no colours */
	if (rc < 0) {
		sf_table_free(table);
		return rc;
	}
	*ret = table;
	return 0;
}

void sf_table_free(struct sf_table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table);
}

struct sf_row *sf_table_row(struct sf_table *table, struct sf_row *parent)
{
	return (struct sf_row *)scols_table_new_line(table->scols, (struct libscols_line *)parent);
}

void sf_table_cell(struct sf_table *table, struct sf_row *row, size_t column, const char *text)
{
	char plain[CELL_MAX];
	size_t len = 0, n;
	bool safe;

	for (; *text; text += n) {
		n = sf_char_len(text, &safe);
		if (len + n >= sizeof(plain))
			break;
		memcpy(plain + len, safe ? text : " ", safe ? n : 1);
		len += safe ? n : 1;
	}
	plain[len] = '\0';
	for (size_t i = 0; row && i < table->nshown; i++)
		if (table->order[i] == column)
			/* Out of memory: the cell stays empty. */
			(void)scols_line_set_data((struct libscols_line *)row, i, plain);
}

void sf_table_alert(struct sf_row *row)
{
	if (row)
		(void)scols_line_set_color((struct libscols_line *)row, "red");
}

static void print_bare(struct sf_table *table)
{
	for (size_t line = 0; line < scols_table_get_nlines(table->scols); line++) {
		struct libscols_line *row = scols_table_get_line(table->scols, line);

		for (size_t i = 0; i < table->nshown; i++) {
			struct libscols_cell *cell = scols_line_get_cell(row, i);
			const char *text = cell ? scols_cell_get_data(cell) : NULL;

			sf_print_control(stdout, i ? "\t" : "");
			sf_print(stdout, "%s", text ? text : "");
		}
		sf_print(stdout, "\n");
	}
}

int sf_table_print(struct sf_table *table, struct sf_err *err)
{
	int rc = 0;

	if (table->bare)
		print_bare(table);
	else if (!scols_table_is_empty(table->scols))
		rc = scols_print_table(table->scols);
	return rc < 0 ? sf_fail(err, rc, "printing: %s", strerror(-rc)) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints tables and trees: formatted for people (libsmartcols), or bare for scripts, that is without
 * headings, columns separated by one tab, nothing escaped or truncated.
 */
#ifndef SF_SNAPFSCTL_SHOW_TABLE_H
#define SF_SNAPFSCTL_SHOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct sf_err;
struct sf_table;
struct sf_row;

enum sf_column_flags {
	SF_COLUMN_RIGHT = 1, /* numbers */
	SF_COLUMN_CUT = 2,   /* truncated if the terminal is too narrow */
	SF_COLUMN_TREE = 4,  /* the branches of the tree are drawn here */
	SF_COLUMN_LONG = 8,  /* shown only with -l or by name */
};

struct sf_column {
	const char *name; /* lower case; the heading shows it in upper case */
	unsigned flags;
	const char *help;
};

/* Which columns to show, and how. */
struct sf_table_style {
	const char *wanted; /* -o: names separated by commas; a '+' in front adds them to the default columns;
			       NULL: the default columns */
	bool full;          /* -l */
	bool bare;          /* -H */
};

/*
 * terminal: standard output is a terminal, so colours are used. columns (ncolumns of them, at most 32) are
 * all columns that exist, in the order of cell numbers; they must outlive the table. -EINVAL if style->wanted
 * holds an unknown name; the message lists the known ones.
 */
int sf_table_new(struct sf_table **ret, bool terminal, const struct sf_column *columns, size_t ncolumns,
		 const struct sf_table_style *style, struct sf_err *err);
void sf_table_free(struct sf_table *table);

/* Whether a column is shown, for callers whose cells are expensive to compute. */
bool sf_table_shows(const struct sf_table *table, size_t column);

/* Adds a row, below parent in a tree (NULL: at the top). NULL if out of memory. */
struct sf_row *sf_table_row(struct sf_table *table, struct sf_row *parent);
/* Sets a cell. No-op if the column is not shown or row is NULL. Control characters become blanks. */
void sf_table_cell(struct sf_table *table, struct sf_row *row, size_t column, const char *text);
/* Marks a row that reports a problem: it is printed in red if colours are used. */
void sf_table_alert(struct sf_row *row);

/* Prints the table on standard output. -EIO, -ENOMEM. */
int sf_table_print(struct sf_table *table, struct sf_err *err);

#endif

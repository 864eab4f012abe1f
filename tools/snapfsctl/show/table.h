/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables and trees for people (libsmartcols) and, bare, for scripts: no headings, columns separated by one
 * tab, nothing escaped or cut.
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
	SF_COLUMN_CUT = 2,   /* the one that gives way on a narrow terminal */
	SF_COLUMN_TREE = 4,  /* where the branches are drawn */
	SF_COLUMN_LONG = 8,  /* shown with -l, or when asked for */
};

struct sf_column {
	const char *name; /* lower case; its heading in upper case */
	unsigned flags;
	const char *help;
};

/* Which columns, and how. */
struct sf_table_style {
	const char *wanted; /* -o: names separated by commas; with '+' in front besides the usual ones; NULL:
			       the usual ones */
	bool full;          /* -l */
	bool bare;          /* -H */
};

/*
 * terminal: standard output is one, and colours are shown. columns (ncolumns of them, at most 32) are all
 * that there are, in the order of the table's cells; they outlive the table. -EINVAL for a name in
 * style->wanted that is none, naming those that are.
 */
int sf_table_new(struct sf_table **ret, bool terminal, const struct sf_column *columns, size_t ncolumns,
		 const struct sf_table_style *style, struct sf_err *err);
void sf_table_free(struct sf_table *table);

/* Whether a column is shown: its cells may be dear to find. */
bool sf_table_shows(const struct sf_table *table, size_t column);

/* A new row, below parent in a tree (NULL: at the top); NULL when out of memory. */
struct sf_row *sf_table_row(struct sf_table *table, struct sf_row *parent);
/* Does nothing for a column that is not shown, and for a NULL row. Control characters become blanks. */
void sf_table_cell(struct sf_table *table, struct sf_row *row, size_t column, const char *text);
/* Something is wrong with what stands in the row: it is coloured where colours are wanted. */
void sf_table_alert(struct sf_row *row);

/* On standard output. -EIO, -ENOMEM. */
int sf_table_print(struct sf_table *table, struct sf_err *err);

#endif

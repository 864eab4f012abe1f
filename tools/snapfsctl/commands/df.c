/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl df: shows how full pools, COW stores and file systems are. */
#include "ctl.h"
#include "tools/snapfsctl/show/table.h"
#include "tools/snapfsctl/show/text.h"
#include "tools/snapfsctl/tree/usages.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

enum column { C_KIND, C_NAME, C_SIZE, C_USED, C_FREE, C_PERCENT, C_BAR, C_VM, C_PROBLEM, NCOLUMNS };

static const struct sf_column columns[NCOLUMNS] = {
	[C_KIND] = {"kind", 0, "thin pool, COW store or file system"},
	[C_NAME] = {"name", 0, "which one"},
	[C_SIZE] = {"size", SF_COLUMN_RIGHT, "what it can hold"},
	[C_USED] = {"used", SF_COLUMN_RIGHT, "what it holds"},
	[C_FREE] = {"free", SF_COLUMN_RIGHT, "the difference"},
	[C_PERCENT] = {"use%", SF_COLUMN_RIGHT, "the share"},
	[C_BAR] = {"bar", 0, "the share, and where snapfs warns"},
	[C_VM] = {"vm", 0, "the only VM that uses it"},
	[C_PROBLEM] = {"problem", SF_COLUMN_CUT, "what needs attention"},
};

#define BAR_WIDTH 20

static void fill_row(struct sf_table *table, const struct sf_usage_entry *usage)
{
	struct sf_row *row = sf_table_row(table, NULL);
	char bytes[SF_TEXT_BYTES], bar[SF_USAGE_BAR], percent[8];

	sf_table_cell(table, row, C_KIND, usage->kind);
	sf_table_cell(table, row, C_NAME, usage->subject);
	sf_text_bytes(usage->total_bytes, bytes);
	sf_table_cell(table, row, C_SIZE, bytes);
	sf_text_bytes(usage->used_bytes, bytes);
	sf_table_cell(table, row, C_USED, bytes);
	sf_text_bytes(usage->total_bytes > usage->used_bytes ? usage->total_bytes - usage->used_bytes : 0,
		      bytes);
	sf_table_cell(table, row, C_FREE, bytes);
	(void)snprintf(percent, sizeof(percent), "%u%%", sf_usage_percent(usage));
	sf_table_cell(table, row, C_PERCENT, percent);
	sf_usage_bar(usage, BAR_WIDTH, bar);
	sf_table_cell(table, row, C_BAR, bar);
	sf_table_cell(table, row, C_VM, usage->vm);
	sf_table_cell(table, row, C_PROBLEM, usage->problem);
	if (*usage->problem)
		sf_table_alert(row);
}

static int print(struct sf_ctl *ctl, const struct sf_usages *usages, const struct sf_table_style *style,
		 struct sf_err *err)
{
	struct sf_table *table;
	int rc = sf_table_new(&table, ctl->terminal, columns, NCOLUMNS, style, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < usages->n; i++)
		fill_row(table, &usages->list[i]);
	rc = sf_table_print(table, err);
	sf_table_free(table);
	return rc;
}

int sf_cmd_df(struct sf_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
	struct sf_table_style style = {0};
	struct sf_usages usages = {0};
	struct sf_err err = {0};
	int opt, status, rc = 0;

	while ((opt = sf_ctl_option(ctl, argc, argv, "o:H", options)) != -1) {
		if (opt == 'o')
			style.wanted = optarg;
		else if (opt == 'H')
			style.bare = true;
		else
			return sf_ctl_stop(opt);
	}
	if ((status = sf_ctl_open(ctl)) >= 0)
		return status;
	if (sf_usages_load(&ctl->mount, argv + optind, (size_t)(argc - optind), &usages, &err) < 0)
		return sf_ctl_fail(ctl, &err);
	json_object_set_new(ctl->answer, "usage", sf_usages_json(&usages));
	if (!ctl->json)
		rc = print(ctl, &usages, &style, &err);
	sf_usages_fini(&usages);
	if (rc == -EINVAL)
		return sf_ctl_usage(ctl, "%s", err.text);
	return rc < 0 ? sf_ctl_fail(ctl, &err) : SF_EXIT_OK;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl prune: deletes the snapshots that no rule keeps. */
#include "tools/snapfsctl/tree/act.h"
#include "ctl.h"
#include "pruning.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/table.h"
#include "tools/snapfsctl/show/text.h"

#include "core/calendar/zone.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column { C_PATH, C_TAKEN, C_ACTION, C_REASONS, NCOLUMNS };

static const struct sf_column columns[NCOLUMNS] = {
	[C_PATH] = {"path", 0, "VM/SNAPSHOT"},
	[C_TAKEN] = {"taken", 0, "the instant, in local time"},
	[C_ACTION] = {"action", 0, "keep or remove"},
	[C_REASONS] = {"reasons", SF_COLUMN_CUT, "the rules that keep it"},
};

/* The first options are the counting rules, in the order of enum sf_keep. */
enum { OPT_KEEP = 256, OPT_WITHIN = OPT_KEEP + SF_NKEEPS, OPT_TIMEZONE, OPT_NAME, OPT_PRE_REVERT };

struct request {
	struct sf_prune prune;
	bool dry_run, yes;
};

static int take_option(struct request *request, int opt, struct sf_err *err)
{
	if (opt >= OPT_KEEP && opt < OPT_WITHIN)
		return sf_keep_count_parse(optarg, &request->prune.rules.count[opt - OPT_KEEP], err);
	if (opt == OPT_WITHIN)
		return sf_keep_within_parse(optarg, &request->prune.rules.within, err);
	if (opt == OPT_TIMEZONE) {
		request->prune.timezone = optarg;
		return sf_zone_check(optarg, err);
	}
	if (opt == OPT_NAME)
		request->prune.pattern = optarg;
	else if (opt == OPT_PRE_REVERT)
		request->prune.pre_revert = true;
	else if (opt == 'n')
		request->dry_run = true;
	else
		request->yes = true;
	return 0;
}

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{"keep-last", required_argument, NULL, OPT_KEEP + SF_KEEP_LAST},
		{"keep-hourly", required_argument, NULL, OPT_KEEP + SF_KEEP_HOURLY},
		{"keep-daily", required_argument, NULL, OPT_KEEP + SF_KEEP_DAILY},
		{"keep-weekly", required_argument, NULL, OPT_KEEP + SF_KEEP_WEEKLY},
		{"keep-monthly", required_argument, NULL, OPT_KEEP + SF_KEEP_MONTHLY},
		{"keep-yearly", required_argument, NULL, OPT_KEEP + SF_KEEP_YEARLY},
		{"keep-within", required_argument, NULL, OPT_WITHIN},
		{"timezone", required_argument, NULL, OPT_TIMEZONE},
		{"name", required_argument, NULL, OPT_NAME},
		{"pre-revert", no_argument, NULL, OPT_PRE_REVERT},
		{"dry-run", no_argument, NULL, 'n'},
		{"yes", no_argument, NULL, 'y'},
		{NULL, 0, NULL, 0}};
	struct sf_err err = {0};
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "ny", options)) != -1) {
		if (opt == 'h' || opt == '?')
			return sf_ctl_stop(opt);
		if (take_option(request, opt, &err) < 0)
			return sf_ctl_usage(ctl, "%s", err.text);
	}
	if (sf_keep_rules_empty(&request->prune.rules))
		return sf_ctl_usage(ctl, "expected a rule of what to keep (--keep-last, --keep-daily, ...)");
	return -1;
}

/* --- showing the plan --- */

static void fill_rows(struct sf_table *table, const struct request *request, const struct sf_pruned *pruned)
{
	for (size_t i = 0; i < pruned->snaps.n; i++) {
		const struct sf_snap *snap = &pruned->snaps.list[i];
		struct sf_row *row = sf_table_row(table, NULL);
		char path[SF_SNAP_PATH], taken[SF_TEXT_TIME], reasons[SF_KEEP_TEXT];

		sf_snap_path(snap, path);
		sf_text_time(snap->taken_ns, taken);
		sf_retention_reasons(&request->prune.rules, &pruned->kept[i], reasons);
		sf_table_cell(table, row, C_PATH, path);
		sf_table_cell(table, row, C_TAKEN, taken);
		sf_table_cell(table, row, C_ACTION, pruned->kept[i].keep ? "keep" : "remove");
		sf_table_cell(table, row, C_REASONS, reasons);
		if (!pruned->kept[i].keep)
			sf_table_alert(row);
	}
}

static int show(struct sf_ctl *ctl, const struct request *request, const struct sf_pruned *list, size_t n,
		struct sf_err *err)
{
	static const struct sf_table_style style = {0};
	struct sf_table *table;
	int rc = sf_table_new(&table, ctl->terminal, columns, NCOLUMNS, &style, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		fill_rows(table, request, &list[i]);
	rc = sf_table_print(table, err);
	sf_table_free(table);
	return rc;
}

/* Adds the snapshots that are kept to the answer, and in a dry run also those that would be removed. */
static void tell(struct sf_results *results, const struct request *request, const struct sf_pruned *pruned)
{
	for (size_t i = 0; i < pruned->snaps.n; i++) {
		char path[SF_SNAP_PATH], reasons[SF_KEEP_TEXT];
		bool keep = pruned->kept[i].keep;

		if (!keep && !request->dry_run)
			continue;
		sf_snap_path(&pruned->snaps.list[i], path);
		sf_retention_reasons(&request->prune.rules, &pruned->kept[i], reasons);
		sf_results_add(
			results, path, 0, NULL, NULL,
			json_pack("{s:s, s:s}", "action", keep ? "keep" : "remove", "reasons", reasons));
	}
}

/* The question: how many snapshots are destroyed, and up to 20 of their names; allocated. */
static char *question(const struct sf_pruned *list, size_t n)
{
	char *text = NULL, path[SF_SNAP_PATH];
	size_t len, named = 0, nremoved = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++)
		nremoved += sf_pruned_nremoved(&list[i]);
	sf_print(out, "This destroys %zu snapshot%s for good:", nremoved, nremoved == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < list[i].snaps.n; j++) {
			if (list[i].kept[j].keep || named++ >= 20)
				continue;
			sf_snap_path(&list[i].snaps.list[j], path);
			sf_print(out, "\n  %s", path);
		}
	}
	if (named > 20)
		sf_print(out, "\n  and %zu more (--dry-run lists all)", named - 20);
	return fclose(out) == 0 ? text : NULL;
}

/* --- executing the plan --- */

/* Executes the plans of n VMs, or only shows them. */
static int prune(struct sf_ctl *ctl, const struct request *request, const struct sf_pruned *list, size_t n)
{
	size_t nremoved = 0, nall = 0, ndone = 0;
	struct sf_results results;
	struct sf_err err = {0};

	for (size_t i = 0; i < n; i++) {
		nremoved += sf_pruned_nremoved(&list[i]);
		nall += list[i].snaps.n;
	}
	if (!request->dry_run && !ctl->json && nremoved == 0)
		sf_print(stdout, "nothing to remove among %zu snapshots (--dry-run shows why)\n", nall);
	if (request->dry_run && !ctl->json && show(ctl, request, list, n, &err) < 0)
		return sf_ctl_fail(ctl, &err);
	if (!request->dry_run && nremoved > 0) {
		auto_free char *asked = question(list, n);

		if (!asked || !sf_ctl_confirm(ctl, request->yes, asked))
			return SF_EXIT_FAILED;
	}
	sf_results_init(&results, ctl);
	for (size_t i = 0; i < n; i++) {
		tell(&results, request, &list[i]);
		if (!request->dry_run)
			ndone += sf_prune_delete(ctl, &list[i], &results);
	}
	if (results.nfailed > 0 && ndone == 0)
		results.ndone = 0; /* kept snapshots do not count as successful removals */
	return sf_results_end(&results);
}

/* A VM that is named twice is pruned once. */
static bool is_planned(const struct sf_pruned *list, size_t n, const char *vm)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].snaps.n > 0 && strcmp(list[i].snaps.list[0].vm, vm) == 0)
			return true;
	return false;
}

int sf_cmd_prune(struct sf_ctl *ctl, int argc, char **argv)
{
	struct request request = {.prune = {.now_ns = sf_clock_real_ns()}};
	int status = take_options(ctl, argc, argv, &request), rc = 0;
	char **all = NULL, **vms, vm[SF_SNAP_PATH];
	struct sf_pruned *list = NULL;
	struct sf_err err = {0};
	size_t nall = 0, n;

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	n = (size_t)(argc - optind);
	vms = argv + optind;
	if (n == 0) {
		rc = sf_vms_load(&ctl->mount, &all, &nall, &err);
		n = nall;
		vms = all;
	}
	list = calloc(n + 1, sizeof(*list));
	if (rc == 0 && !list)
		rc = sf_fail(&err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n && rc == 0; i++)
		if ((rc = sf_mount_path(&ctl->mount, vms[i], vm, sizeof(vm), &err)) == 0 &&
		    !is_planned(list, i, vm))
			rc = sf_prune_plan(&ctl->mount, vm, &request.prune, &list[i], &err);
	status = rc < 0 ? sf_ctl_fail(ctl, &err) : prune(ctl, &request, list, n);
	for (size_t i = 0; list && i < n; i++)
		sf_pruned_fini(&list[i]);
	free(list);
	sf_names_free(all, nall);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl delete: deletes the named snapshots, after showing what that destroys. */
#include "tools/snapfsctl/tree/act.h"
#include "tools/snapfsctl/tree/interrupt.h"
#include "ctl.h"
#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_FORGET = 256 };

/* A snapshot to delete. */
struct victim {
	const char *argument;
	struct sf_snap snap;
	struct sf_err err; /* why it could not be loaded */
};

/* "web/x: 2 disks (12G), 4.0G RAM, taken 2026-01-01 12:00:00" */
static void describe(FILE *out, const struct victim *victim, bool forget)
{
	const struct sf_snap *snap = &victim->snap;
	char path[SF_SNAP_PATH], bytes[SF_TEXT_BYTES], taken[SF_TEXT_TIME];
	size_t ndisks = json_array_size(json_object_get(snap->meta, "disks"));

	sf_snap_path(snap, path);
	sf_print(out, "\n  %s", path);
	sf_text_bytes(snap->allocated_bytes, bytes);
	sf_text_time(snap->taken_ns, taken);
	sf_print(out, ": ");
	if (!forget)
		sf_print(out, "%zu disk%s (%s), ", ndisks, ndisks == 1 ? "" : "s", bytes);
	sf_text_bytes(snap->memory_bytes, bytes);
	if (snap->memory_bytes)
		sf_print(out, "%s RAM, ", bytes);
	sf_print(out, "taken %s%s", taken, snap->held ? ", held" : "");
}

/* The question, which names everything that is destroyed; allocated. */
static char *question(const struct victim *victims, size_t n, bool forget)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	sf_print_text(out,
		      forget ? "This removes the record and the RAM of these snapshots for good, and leaves "
			       "their volumes:"
			     : "This destroys for good:");
	for (size_t i = 0; i < n; i++)
		if (victims[i].err.code == 0)
			describe(out, &victims[i], forget);
	return fclose(out) == 0 ? text : NULL;
}

static void delete_one(struct sf_ctl *ctl, const struct victim *victim, bool forget,
		       struct sf_results *results)
{
	struct sf_err err = victim->err;
	char path[SF_SNAP_PATH];
	int rc = err.code;

	if (rc < 0) {
		sf_results_add(results, victim->argument, rc, &err, NULL, NULL);
		return;
	}
	sf_snap_path(&victim->snap, path);
	rc = sf_act_delete(&ctl->mount, ctl->json, &victim->snap, forget ? "forget" : "yes", &err);
	sf_results_add(results, path, rc, &err, NULL, NULL);
}

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, bool *forget, bool *yes)
{
	static const struct option options[] = {{"forget", no_argument, NULL, OPT_FORGET},
						{"yes", no_argument, NULL, 'y'},
						{NULL, 0, NULL, 0}};
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "y", options)) != -1) {
		if (opt == OPT_FORGET)
			*forget = true;
		else if (opt == 'y')
			*yes = true;
		else
			return sf_ctl_stop(opt);
	}
	return optind < argc ? -1 : sf_ctl_usage(ctl, "expected a snapshot");
}

static int delete_all(struct sf_ctl *ctl, const struct victim *victims, size_t n, bool forget)
{
	struct sf_results results;
	size_t i;

	sf_results_init(&results, ctl);
	for (i = 0; i < n && !sf_interrupted(); i++)
		delete_one(ctl, &victims[i], forget, &results);
	if (i < n)
		sf_results_interrupted(&results);
	return sf_results_end(&results);
}

int sf_cmd_delete(struct sf_ctl *ctl, int argc, char **argv)
{
	bool forget = false, yes = false, any = false;
	int status = take_options(ctl, argc, argv, &forget, &yes);
	size_t n = (size_t)(argc - optind);
	auto_free struct victim *victims = NULL;
	auto_free char *asked = NULL;

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	victims = calloc(n + 1, sizeof(*victims));
	if (!victims) {
		sf_ctl_say("out of memory");
		return SF_EXIT_FAILED;
	}
	for (size_t i = 0; i < n; i++) {
		victims[i].argument = argv[(size_t)optind + i];
		any |= sf_snap_load(&ctl->mount, victims[i].argument, &victims[i].snap, &victims[i].err) == 0;
	}
	asked = question(victims, n, forget);
	if (!any || (asked && sf_ctl_confirm(ctl, yes, asked)))
		status = delete_all(ctl, victims, n, forget);
	else
		status = SF_EXIT_FAILED;
	for (size_t i = 0; i < n; i++)
		sf_snap_fini(&victims[i].snap);
	return status;
}

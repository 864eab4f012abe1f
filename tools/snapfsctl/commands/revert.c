/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl revert: gives a VM the state of a snapshot, after saying what happens to its current state. */
#include "tools/snapfsctl/tree/act.h"
#include "ctl.h"
#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/text.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPT_PAUSED = 256, OPT_RUNNING, OPT_OFF, OPT_NO_SAFETY };

struct request {
	const char *power; /* the word for .../revert; "yes": the recorded power state */
	bool discard, yes;
};

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{"paused", no_argument, NULL, OPT_PAUSED}, {"running", no_argument, NULL, OPT_RUNNING},
		{"off", no_argument, NULL, OPT_OFF},       {"no-safety", no_argument, NULL, OPT_NO_SAFETY},
		{"yes", no_argument, NULL, 'y'},           {NULL, 0, NULL, 0}};
	static const char *const words[] = {"paused", "running", "off"};
	int opt, npowers = 0;

	request->power = "yes";
	while ((opt = sf_ctl_option(ctl, argc, argv, "y", options)) != -1) {
		if (opt == 'y') {
			request->yes = true;
		} else if (opt == OPT_NO_SAFETY) {
			request->discard = true;
		} else if (opt >= OPT_PAUSED && opt <= OPT_OFF) {
			request->power = words[opt - OPT_PAUSED];
			npowers++;
		} else {
			return sf_ctl_stop(opt);
		}
	}
	if (npowers > 1)
		return sf_ctl_usage(ctl, "only one of --paused, --running, --off");
	return argc - optind == 1 ? -1 : sf_ctl_usage(ctl, "expected one snapshot");
}

static bool confirm(struct sf_ctl *ctl, const struct sf_snap *snap, const struct request *request)
{
	char question[1024], taken[SF_TEXT_TIME];

	sf_text_time(snap->taken_ns, taken);
	(void)snprintf(question, sizeof(question), "VM '%s' gets the disks%s of '%s', taken %s.\n%s",
		       snap->vm, snap->memory_bytes ? " and the RAM" : "", snap->name, taken,
		       request->discard ? "Its current state is destroyed for good."
					: "Its current state is kept as a snapshot pre-revert-TIME.");
	return sf_ctl_confirm(ctl, request->yes, question);
}

/*
 * Finds the snapshot of the replaced state: a pre-revert snapshot taken since began_ns. path is "" if there
 * is none.
 */
static void find_kept(struct sf_ctl *ctl, const char *vm, uint64_t began_ns, char path[static SF_SNAP_PATH])
{
	struct sf_snaps snaps = {0};

	*path = '\0';
	if (sf_snaps_load(&ctl->mount, vm, &snaps, NULL) < 0)
		return;
	for (size_t i = 0; i < snaps.n; i++)
		if (sf_snap_is_pre_revert(&snaps.list[i]) && snaps.list[i].taken_ns >= began_ns)
			sf_snap_path(&snaps.list[i], path);
	sf_snaps_fini(&snaps);
}

static void revert(struct sf_ctl *ctl, const struct sf_snap *snap, const struct request *request,
		   struct sf_results *results)
{
	char words[32], path[SF_SNAP_PATH], kept[SF_SNAP_PATH] = "", done[2 * SF_SNAP_PATH + 64];
	uint64_t began_ns = sf_clock_real_ns();
	struct sf_err err = {0};
	int rc;

	(void)snprintf(words, sizeof(words), "%s%s", request->power, request->discard ? " discard" : "");
	rc = sf_act_revert(&ctl->mount, ctl->json, snap, words, &err);
	if (rc == 0 && !request->discard)
		find_kept(ctl, snap->vm, began_ns, kept);
	sf_snap_path(snap, path);
	(void)snprintf(done, sizeof(done), "%s has the state of %s%s%s", snap->vm, path,
		       *kept ? "; its former state is kept as " : "", kept);
	sf_results_add(results, path, rc, &err, done, *kept ? json_pack("{s:s}", "kept", kept) : NULL);
}

int sf_cmd_revert(struct sf_ctl *ctl, int argc, char **argv)
{
	struct request request = {0};
	int status = take_options(ctl, argc, argv, &request);
	struct sf_results results;
	struct sf_snap snap = {0};
	struct sf_err err = {0};

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	sf_results_init(&results, ctl);
	if (sf_snap_load(&ctl->mount, argv[optind], &snap, &err) < 0) {
		sf_results_add(&results, argv[optind], err.code, &err, NULL, NULL);
		return sf_results_end(&results);
	}
	if (confirm(ctl, &snap, &request)) {
		revert(ctl, &snap, &request, &results);
		status = sf_results_end(&results);
	} else {
		json_decref(results.list);
		status = SF_EXIT_FAILED;
	}
	sf_snap_fini(&snap);
	return status;
}

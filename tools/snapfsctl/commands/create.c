/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl create: takes a snapshot of each VM named. */
#include "tools/snapfsctl/tree/act.h"
#include "tools/snapfsctl/tree/interrupt.h"
#include "ctl.h"
#include "results.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/tree/snaps.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { OPT_DISK_ONLY = 256, OPT_MEMORY, OPT_QUIESCE, OPT_DISKS };

/* Converts "xvda,xvdb" to a list; the daemon checks the names. NULL if it is not UTF-8. */
static json_t *split_disks(const char *text)
{
	json_t *list = json_array();

	for (;; text++) {
		size_t len = strcspn(text, ",");

		if (json_array_append_new(list, json_stringn(text, len)) < 0) {
			json_decref(list);
			return NULL;
		}
		text += len;
		if (!*text)
			return list;
	}
}

/* Returns -1 after taking all options, otherwise an exit status. */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, json_t *request)
{
	static const struct option options[] = {{"name", required_argument, NULL, 'n'},
						{"description", required_argument, NULL, 'd'},
						{"disk-only", no_argument, NULL, OPT_DISK_ONLY},
						{"memory", no_argument, NULL, OPT_MEMORY},
						{"quiesce", no_argument, NULL, OPT_QUIESCE},
						{"disks", required_argument, NULL, OPT_DISKS},
						{NULL, 0, NULL, 0}};
	bool memory = false, without = false;
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "n:d:", options)) != -1) {
		if (opt == 'n')
			json_object_set_new(request, "name", json_string(optarg));
		else if (opt == 'd')
			json_object_set_new(request, "description", json_string(optarg));
		else if (opt == OPT_DISK_ONLY)
			without = true;
		else if (opt == OPT_MEMORY)
			memory = true;
		else if (opt == OPT_QUIESCE)
			json_object_set_new(request, "quiesce", json_true());
		else if (opt == OPT_DISKS)
			json_object_set_new(request, "disks", split_disks(optarg));
		else
			return sf_ctl_stop(opt);
		if ((opt == 'n' && !json_object_get(request, "name")) ||
		    (opt == 'd' && !json_object_get(request, "description")) ||
		    (opt == OPT_DISKS && !json_object_get(request, "disks")))
			return sf_ctl_usage(ctl, "an option's argument is not UTF-8");
	}
	if (memory && (without || json_object_get(request, "disks")))
		return sf_ctl_usage(ctl, "--memory cannot be combined with --disk-only or --disks");
	if (optind == argc)
		return sf_ctl_usage(ctl, "expected a VM");
	if (memory || without || json_object_get(request, "disks"))
		json_object_set_new(request, "memory", json_boolean(memory));
	return -1;
}

static int create(struct sf_ctl *ctl, const char *argument, const json_t *request, struct sf_results *results)
{
	char vm[SF_SNAP_PATH], name[SF_NAME_MAX + 1] = "", note[1024] = "", path[SF_SNAP_PATH] = "";
	struct sf_err err = {0};
	json_t *extra = NULL;
	int rc = sf_mount_path(&ctl->mount, argument, vm, sizeof(vm), &err);

	if (rc == 0)
		rc = sf_vm_check(&ctl->mount, vm, &err);
	if (rc == 0)
		rc = sf_act_create(&ctl->mount, ctl->json, vm, request, name, note, sizeof(note), &err);
	if (rc == 0) {
		(void)snprintf(path, sizeof(path), "%s/%s", vm, name);
		if (*note)
			extra = json_pack("{s:o}", "note", sf_json_lossy(note));
	}
	sf_results_add(results, rc == 0 ? path : argument, rc, &err, path, extra);
	if (*note)
		sf_ctl_say("%s: %s", path, note);
	return rc;
}

/*
 * Takes no snapshot at all if one of the names is wrong: an unwanted snapshot may hold much RAM. Returns -1
 * or an exit status.
 */
static int check_vms(struct sf_ctl *ctl, char **arguments, int n)
{
	for (int i = 0; i < n; i++) {
		char vm[SF_SNAP_PATH];
		struct sf_err err = {0};

		if (sf_mount_path(&ctl->mount, arguments[i], vm, sizeof(vm), &err) == 0 &&
		    sf_vm_check(&ctl->mount, vm, &err) == 0)
			continue;
		(void)sf_ctl_fail(ctl, &err);
		if (err.code == -ENOENT)
			sf_print(stderr, "  to name the snapshot: snapfsctl create VM -n NAME\n");
		return SF_EXIT_FAILED;
	}
	return -1;
}

int sf_cmd_create(struct sf_ctl *ctl, int argc, char **argv)
{
	auto_json json_t *request = json_object();
	struct sf_results results;
	int status = take_options(ctl, argc, argv, request), i;

	if (status >= 0 || (status = sf_ctl_open(ctl)) >= 0)
		return status;
	if ((status = check_vms(ctl, argv + optind, argc - optind)) >= 0)
		return status;
	sf_results_init(&results, ctl);
	for (i = optind; i < argc && !sf_interrupted(); i++)
		(void)create(ctl, argv[i], request, &results); /* the failure is in results */
	if (i < argc)
		sf_results_interrupted(&results);
	return sf_results_end(&results);
}

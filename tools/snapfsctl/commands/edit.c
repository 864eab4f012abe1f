/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapfsctl rename, describe, hold, release: change a record and nothing else. */
#include "tools/snapfsctl/tree/act.h"
#include "tools/snapfsctl/tree/interrupt.h"
#include "ctl.h"
#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"

#include "base/err.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ATTRIBUTE_HOLD        "user.snapfs.hold"
#define ATTRIBUTE_DESCRIPTION "user.snapfs.description"

/*
 * Returns -1 if there are no options, least to most arguments are left, and the mount is open; otherwise an
 * exit status.
 */
static int take_options(struct sf_ctl *ctl, int argc, char **argv, int least, int most)
{
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", NULL)) != -1)
		return sf_ctl_stop(opt);
	if (argc - optind < least || argc - optind > most)
		return sf_ctl_usage(ctl, argc - optind < least ? "too few arguments" : "too many arguments");
	return sf_ctl_open(ctl);
}

/* Checks that the snapshot exists, so that the error can suggest a similar name. */
static int find(struct sf_ctl *ctl, const char *argument, struct sf_snap *ret, struct sf_err *err)
{
	int rc = sf_snap_load(&ctl->mount, argument, ret, err);

	if (rc == 0)
		sf_snap_fini(ret); /* only its names are needed */
	return rc;
}

/* Accepts "NEW", or "VM/NEW" with the same VM. */
static int new_name(struct sf_ctl *ctl, const char *argument, const char *vm,
		    char name[static SF_NAME_MAX + 1], struct sf_err *err)
{
	char other[SF_NAME_MAX + 1];
	int rc;

	if (!strchr(argument, '/')) {
		if ((rc = sf_name_check(argument, err)) == 0)
			(void)snprintf(name, SF_NAME_MAX + 1, "%s", argument);
		return rc;
	}
	if ((rc = sf_snap_split(&ctl->mount, argument, other, name, err)) < 0)
		return rc;
	return strcmp(other, vm) == 0
		       ? sf_name_check(name, err)
		       : sf_fail(err, -EXDEV, "a snapshot cannot move to another VM: '%s' is not '%s'", other,
				 vm);
}

int sf_cmd_rename(struct sf_ctl *ctl, int argc, char **argv)
{
	int status = take_options(ctl, argc, argv, 2, 2), rc;
	char name[SF_NAME_MAX + 1], path[SF_SNAP_PATH] = "";
	struct sf_results results;
	struct sf_snap snap = {0};
	struct sf_err err = {0};

	if (status >= 0)
		return status;
	sf_results_init(&results, ctl);
	rc = find(ctl, argv[optind], &snap, &err);
	if (rc == 0)
		rc = new_name(ctl, argv[optind + 1], snap.vm, name, &err);
	if (rc == 0)
		rc = sf_act_rename(&ctl->mount, ctl->json, snap.vm, snap.name, name, &err);
	if (rc == 0)
		(void)snprintf(path, sizeof(path), "%s/%s", snap.vm, name);
	sf_results_add(&results, rc == 0 ? path : argv[optind], rc, &err, NULL, NULL);
	return sf_results_end(&results);
}

/* Sets an attribute of each of n snapshots. */
static int set(struct sf_ctl *ctl, char **arguments, int n, const char *attribute, const char *value)
{
	struct sf_results results;
	int i;

	sf_results_init(&results, ctl);
	for (i = 0; i < n && !sf_interrupted(); i++) {
		struct sf_snap snap = {0};
		struct sf_err err = {0};
		int rc = find(ctl, arguments[i], &snap, &err);

		if (rc == 0)
			rc = sf_act_attribute(&ctl->mount, ctl->json, snap.vm, snap.name, attribute, value,
					      &err);
		sf_results_add(&results, arguments[i], rc, &err, NULL, NULL);
	}
	if (i < n)
		sf_results_interrupted(&results);
	return sf_results_end(&results);
}

int sf_cmd_describe(struct sf_ctl *ctl, int argc, char **argv)
{
	int status = take_options(ctl, argc, argv, 2, 2);

	if (status >= 0)
		return status;
	return set(ctl, argv + optind, 1, ATTRIBUTE_DESCRIPTION, *argv[optind + 1] ? argv[optind + 1] : NULL);
}

int sf_cmd_hold(struct sf_ctl *ctl, int argc, char **argv)
{
	int status = take_options(ctl, argc, argv, 1, argc);

	return status >= 0 ? status : set(ctl, argv + optind, argc - optind, ATTRIBUTE_HOLD, "1");
}

int sf_cmd_release(struct sf_ctl *ctl, int argc, char **argv)
{
	int status = take_options(ctl, argc, argv, 1, argc);

	return status >= 0 ? status : set(ctl, argv + optind, argc - optind, ATTRIBUTE_HOLD, NULL);
}

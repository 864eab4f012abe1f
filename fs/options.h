/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses the command line. When the program is called mount.*, it is that of a helper of mount(8):
 * SOURCE MOUNTPOINT [-fnsv] [-o OPTIONS] [-t TYPE], where -f means to do nothing.
 */
#ifndef SF_OPTIONS_H
#define SF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct sf_err;

enum sf_action { SF_ACTION_MOUNT, SF_ACTION_FAKE, SF_ACTION_HELP, SF_ACTION_VERSION };

/* All strings point into argv; NULL: not given. */
struct sf_options {
	enum sf_action action;
	bool foreground;
	const char *config;
	const char *state;
	const char *hypervisor;
	const char *fault;
	bool rescan;
	const char *rescan_id; /* NULL: find it from the volumes */
	const char **vms;
	size_t nvms;
	const char **mount_options; /* the argument of each -o */
	size_t nmount_options;
	const char *source;
	const char *mountpoint;
};

/* -EINVAL says what is wrong; -ENOMEM. Release with sf_options_fini(). */
int sf_options_parse(int argc, char **argv, struct sf_options *ret, struct sf_err *err);
void sf_options_fini(struct sf_options *options);

void sf_options_help(FILE *out);

#endif

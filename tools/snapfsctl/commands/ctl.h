/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl: what its commands share. A thin client: it knows the mounted tree and its control files, and of
 * the daemon's house only base and a few pure rooms of core (names, JSON, configuration, retention,
 * calendar). One thread, but for act.c and the watchdog of mount.c.
 *
 * A command fills ctl->answer, or prints; main.c prints the answer when --json asks for it. Failures of the
 * whole command end in sf_ctl_fail(), those of one thing among several in results.h.
 */
#ifndef SF_SNAPFSCTL_COMMANDS_CTL_H
#define SF_SNAPFSCTL_COMMANDS_CTL_H

#include "tools/snapfsctl/show/say.h"
#include "tools/snapfsctl/tree/mount.h"

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What getopt_long(3) returns for --json, which has no letter. */
#define SF_CTL_OPT_JSON 1000

/* Version of the form of what --json prints. */
#define SF_CTL_SCHEMA 1

struct sf_ctl_command;

struct sf_ctl {
	const struct sf_ctl_command *command;
	const char *mount_given; /* --mount; NULL: to be found */
	struct sf_mount mount;   /* fd -1 when there is none, for the commands that do without */
	bool json;
	bool terminal; /* standard output is one: colours, widths, bars */
	bool ask;      /* standard input and error are one: questions can be answered */
	json_t *answer;
};

struct sf_ctl_command {
	const char *name;
	int (*run)(struct sf_ctl *ctl, int argc, char **argv); /* an enum sf_exit */
	const char *usage;                                     /* what follows the name */
	const char *summary;                                   /* one line */
	const char *help;                                      /* the options, a line each; "" for none */
};

int sf_cmd_create(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_delete(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_describe(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_doctor(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_df(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_export(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_hold(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_list(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_map(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_prune(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_release(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_rename(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_revert(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_run(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_show(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_tree(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_verify(struct sf_ctl *ctl, int argc, char **argv);
int sf_cmd_watch(struct sf_ctl *ctl, int argc, char **argv);

/*
 * The next option of a command as getopt_long(3) finds it: -1 at the end; '?' has been explained on standard
 * error, and 'h' is answered here: both want `return sf_ctl_stop(opt)`. options may be NULL. --json and
 * --help are known to all.
 */
struct option;
int sf_ctl_option(struct sf_ctl *ctl, int argc, char **argv, const char *letters,
		  const struct option *options);
int sf_ctl_stop(int opt);

/* Prints the command's help text on standard output. */
void sf_ctl_help(const struct sf_ctl_command *command);

/* Opens the mount, as a command does once its options make sense. -1, or SF_EXIT_FAILED after saying why. */
int sf_ctl_open(struct sf_ctl *ctl);

/* Says on standard error what is wrong with the command line, and how to ask for help. Returns SF_EXIT_USAGE.
 */
int sf_ctl_usage(const struct sf_ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The command as a whole failed: one line on standard error (and the answer), with what to do. Returns
 * SF_EXIT_FAILED. */
int sf_ctl_fail(struct sf_ctl *ctl, const struct sf_err *err);

/*
 * Whether the user agrees to question, which names what is destroyed: assumed says so already; otherwise it
 * is asked on the terminal, and without one explained that -y is needed. False: leave with SF_EXIT_FAILED, as
 * the answer says.
 */
bool sf_ctl_confirm(struct sf_ctl *ctl, bool assumed, const char *question);

#endif

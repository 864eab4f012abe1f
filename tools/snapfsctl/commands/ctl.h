/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The context that all commands of snapfsctl share, and the helpers that parse options and report errors.
 *
 * snapfsctl is a thin client. It knows the mounted tree and its control files; of the daemon's code it uses
 * only base/ and a few pure parts of core/ (names, JSON, configuration, retention, calendar). It is
 * single-threaded, except for tree/act.c and the watchdog in tree/mount.c.
 *
 * A command either prints or fills ctl->answer; main.c prints the answer if --json was given. A command that
 * fails as a whole ends in sf_ctl_fail(). A failure of one item among several goes to results.h.
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

/* The value that getopt_long(3) returns for --json, which has no short form. */
#define SF_CTL_OPT_JSON 1000

/* The version of the schema of --json output. */
#define SF_CTL_SCHEMA 1

struct sf_ctl_command;

struct sf_ctl {
	const struct sf_ctl_command *command;
	const char *mount_given; /* --mount; NULL: find the mount */
	struct sf_mount mount;   /* fd is -1 for commands that need no mount */
	bool json;
	bool terminal; /* standard output is a terminal: use colours, widths, bars */
	bool ask;      /* standard input and standard error are terminals: questions can be answered */
	json_t *answer;
};

struct sf_ctl_command {
	const char *name;
	int (*run)(struct sf_ctl *ctl, int argc, char **argv); /* returns an enum sf_exit */
	const char *usage;                                     /* what follows the name */
	const char *summary;                                   /* one line */
	const char *help;                                      /* the options, one a line; "" for none */
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
 * Returns the command's next option, as getopt_long(3) does, or -1 at the end. options may be NULL. Every
 * command also accepts --json, --mount and --help.
 * On '?' the error is already on standard error; on 'h' the help is already printed. In both cases the caller
 * does `return sf_ctl_stop(opt)`.
 */
struct option;
int sf_ctl_option(struct sf_ctl *ctl, int argc, char **argv, const char *letters,
		  const struct option *options);
int sf_ctl_stop(int opt);

/*
 * Prints what getopt_long(3) refused just now; command precedes it unless it is NULL. main.c has set opterr
 * to 0, because getopt prints arguments as they are. Returns SF_EXIT_USAGE.
 */
int sf_ctl_bad_option(const char *command, char **argv);

/* Prints the command's help text on standard output. */
void sf_ctl_help(const struct sf_ctl_command *command);

/*
 * Opens the mount. A command calls it after it has checked its options. Returns -1, or SF_EXIT_FAILED after
 * printing the reason.
 */
int sf_ctl_open(struct sf_ctl *ctl);

/*
 * Prints what is wrong with the command line, and how to get help, on standard error. Returns SF_EXIT_USAGE.
 */
int sf_ctl_usage(const struct sf_ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Reports that the command as a whole failed: one line and advice on standard error, and the error in the
 * answer. Returns SF_EXIT_FAILED.
 */
int sf_ctl_fail(struct sf_ctl *ctl, const struct sf_err *err);

/*
 * Returns whether the user agrees to question, which names what is destroyed. assumed: -y was given.
 * Otherwise it asks on the terminal; without a terminal it says that -y is needed. On false the error is in
 * the answer, and the caller leaves with SF_EXIT_FAILED.
 */
bool sf_ctl_confirm(struct sf_ctl *ctl, bool assumed, const char *question);

#endif

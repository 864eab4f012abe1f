/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl's main program: the table of commands, the global options, and what follows each command: it
 * prints the JSON answer and flushes the output.
 */
#include "tools/snapfsctl/show/advice.h"
#include "tools/snapfsctl/commands/ctl.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sf_ctl_command commands[] = {
	{"create", sf_cmd_create, "VM... [-n NAME] [-d TEXT]", "take a snapshot",
	 "  -n, --name NAME         what to call it (default: seconds since the epoch)\n"
	 "  -d, --description TEXT  a description, stored in meta.json\n"
	 "      --disk-only         do not save RAM\n"
	 "      --memory            save RAM, or fail if that is impossible\n"
	 "      --quiesce           ask the guest to freeze its file systems first\n"
	 "      --disks NAME,...    only these disks; implies --disk-only\n"},
	{"list", sf_cmd_list, "[VM...]", "list snapshots",
	 "  -l, --long              more columns\n"
	 "  -o, --output COLUMNS    only these columns; +COLUMNS adds them to the default ones\n"
	 "  -H                      for scripts: no headings, columns separated by a tab\n"
	 "  -s, --sort COLUMN       sort by this column (default: VM and time); -COLUMN reverses "
	 "the order\n"
	 "      --where KEY=VALUE   only matching snapshots; VALUE may hold * and ?; repeatable\n"
	 "      --since WHEN        only snapshots since a date, or of the last 30min, 12h, 2d, 6mo\n"},
	{"show", sf_cmd_show, "VM/SNAPSHOT|VM...", "show all that is known about snapshots or VMs", ""},
	{"tree", sf_cmd_tree, "[VM...]", "show which state came from which", ""},
	{"df", sf_cmd_df, "[VM...]", "show how full pools and COW stores are",
	 "  -o, --output COLUMNS    only these columns; +COLUMNS adds them to the default ones\n"
	 "  -H                      for scripts: no headings, columns separated by a tab\n"},
	{"revert", sf_cmd_revert, "VM/SNAPSHOT", "give a VM the state of a snapshot",
	 "      --paused, --running, --off\n"
	 "                          the power state to end in (default: the recorded one)\n"
	 "      --no-safety         do not keep the current state as a snapshot\n"
	 "  -y, --yes               do not ask\n"},
	{"delete", sf_cmd_delete, "VM/SNAPSHOT...", "delete snapshots",
	 "      --forget            delete only the record and the RAM, not the volumes\n"
	 "  -y, --yes               do not ask\n"},
	{"rename", sf_cmd_rename, "VM/SNAPSHOT NEW", "rename a snapshot", ""},
	{"describe", sf_cmd_describe, "VM/SNAPSHOT TEXT",
	 "change a snapshot's description; an empty TEXT removes it", ""},
	{"hold", sf_cmd_hold, "VM/SNAPSHOT...", "protect snapshots from deletion", ""},
	{"release", sf_cmd_release, "VM/SNAPSHOT...", "end a hold", ""},
	{"verify", sf_cmd_verify, "VM/SNAPSHOT...|--all [VM...]",
	 "read snapshots and compare them with their manifest",
	 "      --all               all snapshots, or all snapshots of these VMs\n"
	 "      --make              make missing manifests from the current content\n"},
	{"export", sf_cmd_export, "VM/SNAPSHOT DIR|-",
	 "copy a snapshot's files, or write them as a tar archive",
	 "      --zstd              compress the archive\n"},
	{"prune", sf_cmd_prune, "[VM...] --keep-last N ...", "delete the snapshots that no rule keeps",
	 "      --keep-last N       keep the last N\n"
	 "      --keep-hourly N     keep the newest of each of the last N hours that have any;\n"
	 "      --keep-daily N, --keep-weekly N, --keep-monthly N, --keep-yearly N\n"
	 "                          the same for days, weeks, months, years; N may be \"unlimited\"\n"
	 "      --keep-within TIME  keep all of the last 1y6mo, 2w, 7d12h (y, mo, w, d, h, min)\n"
	 "      --timezone ZONE     count days in this time zone, such as Europe/Berlin (default: the VM's)\n"
	 "      --name PATTERN      only consider snapshots whose names match, such as 'nightly-*'\n"
	 "      --pre-revert        also consider the snapshots that reverts made\n"
	 "  -n, --dry-run           only show what would be kept, and why\n"
	 "  -y, --yes               do not ask\n"},
	{"run", sf_cmd_run, "SCHEDULE", "run a schedule of the configuration: snapshots, then pruning",
	 "      --due               only if it is due and has not run since; for timers and cron\n"
	 "      --config FILE       configuration (default /etc/snapfs.conf)\n"},
	{"watch", sf_cmd_watch, "", "show jobs and space as they change",
	 "  -1, --once              print once and exit\n"},
	{"doctor", sf_cmd_doctor, "", "find problems on this host and suggest fixes",
	 "      --config FILE       configuration (default /etc/snapfs.conf)\n"},
	{"map", sf_cmd_map, "VM/SNAPSHOT [VM/OTHER]",
	 "draw where a disk holds data, or what differs between two snapshots",
	 "      --disk FILE         this disk only (default: all; \"memory.sav\" is for saved RAM)\n"
	 "      --svg FILE          also write a picture; - writes it to standard output, without "
	 "the text\n"
	 "      --columns N         the width of the text (default: the terminal's)\n"},
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

/* The names that xl, xe, zfs, restic and the shell use. */
static const struct {
	const char *alias, *command;
} aliases[] = {
	{"ls", "list"},
	{"snapshots", "list"},
	{"snapshot-list", "list"},
	{"rm", "delete"},
	{"destroy", "delete"},
	{"snapshot-delete", "delete"},
	{"snapshot-destroy", "delete"},
	{"rollback", "revert"},
	{"snapshot-revert", "revert"},
	{"snapshot", "create"},
	{"snapshot-create", "create"},
	{"mv", "rename"},
	{"info", "show"},
	{"forget", "prune"},
	{"scrub", "verify"},
	{"check", "verify"},
	{"diff", "map"},
};

/* Words that have another meaning in other programs. */
static const struct {
	const char *word, *hint;
} hints[] = {
	{"restore", "'revert' gives a VM the state of a snapshot; 'export' copies a snapshot's files"},
	{"backup", "'create' takes a snapshot; 'export' copies a snapshot's files, as does cp"},
};

static const struct sf_ctl_command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i].alias, name) == 0)
			name = aliases[i].command;
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void help(void)
{
	sf_print_text(stdout, "Usage: snapfsctl [--mount DIR] COMMAND [ARGUMENT...]\n"
			      "Works with the snapshots of a mounted snapfs. See snapfsctl(1).\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		sf_print(stdout, "  %-9s %s\n", commands[i].name, commands[i].summary);
	sf_print_text(
		stdout,
		"\n"
		"  -m, --mount DIR  where snapfs is mounted (default: SNAPFS_MOUNT, or the only mount)\n"
		"      --json       print the answer as JSON\n"
		"  -h, --help       show this text; after a command: its options\n"
		"  -V, --version    show the version\n"
		"\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage, 3 some of several items failed.\n");
}

/* --- running --- */

/* Names are UTF-8. In a locale that is ASCII only, C.UTF-8 still counts widths correctly. */
static void set_locale(void)
{
	(void)setlocale(LC_CTYPE, "");
	(void)setlocale(LC_TIME, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static int unknown_command(const char *name)
{
	size_t best = strlen(name) / 3 + 1;
	const char *near = NULL;
	char shown[40];

	sf_text_printable(name, shown, sizeof(shown));
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strcmp(hints[i].word, name) == 0) {
			sf_ctl_say("%s: %s", shown, hints[i].hint);
			return SF_EXIT_USAGE;
		}
	}
	for (size_t i = 0; i < NCOMMANDS; i++) {
		size_t distance = sf_text_distance(commands[i].name, name);

		if (distance < best) {
			best = distance;
			near = commands[i].name;
		}
	}
	if (near)
		sf_ctl_say("there is no command '%s'; did you mean '%s'?", shown, near);
	else
		sf_ctl_say("there is no command '%s'; `snapfsctl --help` lists them", shown);
	return SF_EXIT_USAGE;
}

/* Whether the reader of standard output has gone (| head). */
static bool abandoned(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) > 0 && (out.revents & POLLERR);
}

/* Prints the answer and flushes standard output. A reader that has gone is not a failure. */
static int finish(struct sf_ctl *ctl, int status)
{
	auto_free char *text = NULL;

	if (ctl->json && status != SF_EXIT_USAGE) {
		json_object_set_new(ctl->answer, "ok", json_boolean(status == SF_EXIT_OK));
		text = sf_json_text(ctl->answer, NULL);
		if (!text) {
			sf_ctl_say("the answer cannot be written as JSON");
			return SF_EXIT_FAILED;
		}
		sf_print_json(stdout, text);
	}
	if ((fflush(stdout) == 0 && !ferror(stdout)) || abandoned())
		return status;
	sf_ctl_say("writing to standard output: %s", errno ? strerror(errno) : "incomplete");
	return SF_EXIT_FAILED;
}

/* `snapfsctl help [COMMAND]`. */
static int help_asked(struct sf_ctl *ctl, const char *name)
{
	const struct sf_ctl_command *command = name ? find(name) : NULL;

	if (name && !command)
		return unknown_command(name);
	if (command)
		sf_ctl_help(command);
	else
		help();
	return finish(ctl, SF_EXIT_OK);
}

/*
 * If the first three descriptors are not open at start, the mount must not get one of their numbers.
 * /dev/null is read-only, so that writing to them still fails.
 */
static void fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && fd < 3);
	if (fd >= 3)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"mount", required_argument, NULL, 'm'},
						{"json", no_argument, NULL, SF_CTL_OPT_JSON},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{NULL, 0, NULL, 0}};
	static struct sf_ctl ctl = {.mount = {.fd = -1}}; /* the watchdog's thread may outlive this frame */
	int opt, status;

	fill_descriptors();
	set_locale();
	(void)signal(SIGPIPE, SIG_IGN); /* a closed pipe must not end the work half-way */
	ctl.terminal = isatty(STDOUT_FILENO);
	ctl.ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
	opterr = 0; /* getopt(3) would print arguments as they are */
	while ((opt = getopt_long(argc, argv, "+m:hV", options, NULL)) != -1) {
		if (opt == 'h')
			help();
		else if (opt == 'V')
			sf_print(stdout, "snapfsctl " SF_VERSION "\n");
		if (opt == 'h' || opt == 'V')
			return finish(&ctl, SF_EXIT_OK);
		if (opt == 'm')
			ctl.mount_given = optarg;
		else if (opt == SF_CTL_OPT_JSON)
			ctl.json = true;
		else
			return sf_ctl_bad_option(NULL, argv);
	}
	if (optind == argc) {
		help();
		return SF_EXIT_USAGE;
	}
	if (strcmp(argv[optind], "help") == 0)
		return help_asked(&ctl, argc - optind > 1 ? argv[optind + 1] : NULL);
	ctl.command = find(argv[optind]);
	if (!ctl.command)
		return unknown_command(argv[optind]);
	ctl.answer = json_pack("{s:i, s:s}", "schema", SF_CTL_SCHEMA, "command", ctl.command->name);
	argc -= optind;
	argv += optind;
	optind = 0; /* restart the scan, see getopt(3) */
	status = ctl.command->run(&ctl, argc, argv);
	status = finish(&ctl, status);
	json_decref(ctl.answer);
	return status;
}

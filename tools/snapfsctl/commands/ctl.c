/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl.h"

#include "tools/snapfsctl/show/advice.h"
#include "tools/snapfsctl/show/print.h"

#include "base/err.h"

#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void point_to_help(const struct sf_ctl_command *command)
{
	sf_print(stderr, "Usage: snapfsctl %s %s\n", command->name, command->usage);
	sf_print(stderr, "`snapfsctl %s --help` shows its options.\n", command->name);
}

int sf_ctl_usage(const struct sf_ctl *ctl, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sf_ctl_say("%s: %s", ctl->command->name, line);
	point_to_help(ctl->command);
	return SF_EXIT_USAGE;
}

int sf_ctl_open(struct sf_ctl *ctl)
{
	struct sf_err err = {0};

	return sf_mount_open(&ctl->mount, ctl->mount_given, &err) < 0 ? sf_ctl_fail(ctl, &err) : -1;
}

int sf_ctl_fail(struct sf_ctl *ctl, const struct sf_err *err)
{
	sf_ctl_say("%s", err->text);
	sf_advice_say(err->code, err->text, "");
	json_object_set_new(ctl->answer, "errno", json_string(sf_errno_name(err->code)));
	json_object_set_new(ctl->answer, "error", sf_json_lossy(err->text));
	return SF_EXIT_FAILED;
}

bool sf_ctl_confirm(struct sf_ctl *ctl, bool assumed, const char *question)
{
	char answer[16] = "";

	if (assumed)
		return true;
	sf_print(stderr, "snapfsctl: ");
	sf_print_text(stderr, question);
	sf_print(stderr, "\n");
	if (!ctl->ask) {
		sf_print(stderr, "  there is no terminal to ask on; -y answers yes\n");
	} else {
		sf_print(stderr, "Continue? [y/N] ");
		if (fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y'))
			return true;
	}
	json_object_set_new(ctl->answer, "errno", json_string("ECANCELED"));
	json_object_set_new(ctl->answer, "error", json_string("not confirmed"));
	return false;
}

void sf_ctl_help(const struct sf_ctl_command *command)
{
	sf_print(stdout, "Usage: snapfsctl %s %s\n", command->name, command->usage);
	sf_print(stdout, "%c%s.\n", toupper((unsigned char)*command->summary), command->summary + 1);
	if (*command->help) {
		sf_print(stdout, "\n");
		sf_print_text(stdout, command->help);
	}
	sf_print_text(stdout, "      --json              print the answer as JSON\n"
			      "  -h, --help              show this text\n");
}

int sf_ctl_option(struct sf_ctl *ctl, int argc, char **argv, const char *letters,
		  const struct option *options)
{
	static const struct option common[] = {{"json", no_argument, NULL, SF_CTL_OPT_JSON},
					       {"mount", required_argument, NULL, 'm'},
					       {"help", no_argument, NULL, 'h'}};
	struct option all[32] = {0};
	char all_letters[64];
	size_t n = 0;
	int opt;

	for (; options && options[n].name; n++)
		all[n] = options[n];
	memcpy(&all[n], common, sizeof(common));
	(void)snprintf(all_letters, sizeof(all_letters), "%shm:", letters);
	while ((opt = getopt_long(argc, argv, all_letters, all, NULL)) == SF_CTL_OPT_JSON || opt == 'm') {
		if (opt == SF_CTL_OPT_JSON)
			ctl->json = true;
		else
			ctl->mount_given = optarg;
	}
	if (opt == 'h') {
		sf_ctl_help(ctl->command);
		ctl->json = false; /* the help replaces the answer */
	}
	if (opt == '?') {
		(void)sf_ctl_bad_option(ctl->command->name, argv);
		point_to_help(ctl->command);
	}
	return opt;
}

int sf_ctl_bad_option(const char *command, char **argv)
{
	char letter[] = {'-', (char)optopt, '\0'};
	/* In a group of letters optind is still that of the group; long options have 0 or a number above. */
	const char *given = optopt != 0 && optopt < 256 ? letter : argv[optind - 1];

	sf_ctl_say("%s%soption %s is unknown, or its argument is missing or unexpected",
		   command ? command : "", command ? ": " : "", given);
	return SF_EXIT_USAGE;
}

int sf_ctl_stop(int opt)
{
	return opt == 'h' ? SF_EXIT_OK : SF_EXIT_USAGE;
}

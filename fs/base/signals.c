/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signals.h"

#include "cleanup.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sets of signals as proc(5) prints them: signal N is bit N - 1. */
struct sets {
	uint64_t pending, shared; /* of the thread, of its process */
	uint64_t blocked, ignored, caught;
};

static uint64_t bit(int signal)
{
	return 1ULL << (signal - 1);
}

/* Signals whose default action does not end the process. Source: signal(7), "Standard signals". */
static uint64_t harmless(void)
{
	return bit(SIGCHLD) | bit(SIGCONT) | bit(SIGURG) | bit(SIGWINCH) | bit(SIGSTOP) | bit(SIGTSTP) |
	       bit(SIGTTIN) | bit(SIGTTOU);
}

/* Signals that ask a process to end even if it catches them. */
static uint64_t requests(void)
{
	return bit(SIGHUP) | bit(SIGINT) | bit(SIGQUIT) | bit(SIGTERM);
}

static bool ask_to_end(const struct sets *sets)
{
	uint64_t acting = (sets->pending | sets->shared) & ~sets->blocked & ~sets->ignored;

	return acting & (~(sets->caught | harmless()) | requests());
}

static void take_line(struct sets *sets, const char *line)
{
	const struct {
		const char *key;
		uint64_t *set;
	} keys[] = {{"SigPnd:", &sets->pending},
		    {"ShdPnd:", &sets->shared},
		    {"SigBlk:", &sets->blocked},
		    {"SigIgn:", &sets->ignored},
		    {"SigCgt:", &sets->caught}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strncmp(line, keys[i].key, strlen(keys[i].key)) == 0)
			*keys[i].set = strtoull(line + strlen(keys[i].key), NULL, 16);
}

bool sf_signals_ask_to_end(FILE *status)
{
	auto_free char *line = NULL;
	struct sets sets = {0};
	size_t room = 0;

	/* The list of groups before these lines has no useful limit. */
	while (getline(&line, &room, status) >= 0)
		take_line(&sets, line);
	return ask_to_end(&sets);
}

bool sf_thread_asked_to_end(pid_t tid)
{
	char path[64];
	FILE *status;
	bool asked;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", tid);
	status = fopen(path, "re");
	if (!status)
		return false;
	asked = sf_signals_ask_to_end(status);
	(void)fclose(status); /* it was only read */
	return asked;
}

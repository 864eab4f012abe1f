/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advice.h"

#include "print.h"
#include "text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The longest path that is shown: VM/SNAPSHOT. */
#define PATH_TEXT 512

/* The first entry applies whose errno matches and whose words occur in the error text. */
static const struct advice {
	int code;
	const char *words;
	const char *advice;
	bool path; /* ends with the path */
} advices[] = {
	{EBUSY, "is held", "to end the hold: snapfsctl release", true},
	{EBUSY, "another operation", "snapfsctl watch shows it; try again when it has ended", false},
	{EBUSY, "not finished", "snapfsctl watch shows what runs; the log says what the revert waits for",
	 false},
	{EBUSY, "is open", "first shut down the guest, or close the disk in whatever else has it open",
	 false},
	{EBUSY, "is in use", "first shut down the guest, or stop whatever else uses the disk", false},
	{ENOSPC, "max-snapshots",
	 "make room (snapfsctl prune, delete) or raise max-snapshots in snapfs.conf(5)", false},
	{ENOSPC, "no room in", "make room there; the same command then resumes the export", false},
	{ENOSPC, "", "snapfsctl df shows what is full; snapfsctl prune and delete make room", false},
	{EEXIST, "export ", "choose another directory", false},
	{EEXIST, "", "choose another name, or rename the one that is there", false},
	{EAGAIN, "", "the guest did not cooperate; a snapshot without RAM does not need it: --disk-only",
	 false},
	{EOPNOTSUPP, "RAM", "without RAM: --disk-only", false},
	{ESTALE, "", "its content is lost; to remove it: snapfsctl delete", true},
	{EBADMSG, "", "do not rely on it; `snapfsctl doctor` lists other problems of this host", false},
	{ETIMEDOUT, "", "the log says what did not answer; snapfsctl doctor looks for the cause", false},
	{EIO, "", "snapfsctl doctor lists other problems of this host", false},
	{EACCES, "", "try it as root", false},
	{EPERM, "", "try it as root", false},
	{ENOTCONN, "", "the daemon has exited; its log says why", false},
	{ECONNABORTED, "", "the daemon has exited; its log says why", false},
};

/* Quotes a path as one word of a shell. */
static void quote(const char *path, char *buf, size_t size)
{
	size_t len = 0;

	buf[len++] = '\'';
	for (; *path && len + 7 < size; path++) {
		if (*path == '\'')
			len += (size_t)snprintf(buf + len, size - len, "'\\''");
		else
			buf[len++] = *path;
	}
	buf[len++] = '\'';
	buf[len] = '\0';
}

void sf_advice_say(int rc, const char *text, const char *path)
{
	char plain[PATH_TEXT], quoted[4 * PATH_TEXT] = "";

	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		const struct advice *advice = &advices[i];

		if (advice->code != -rc || !strstr(text, advice->words))
			continue;
		sf_text_printable(path, plain, sizeof(plain));
		if (advice->path)
			quote(plain, quoted, sizeof(quoted));
		sf_print(stderr, "  %s%s%s\n", advice->advice, advice->path ? " " : "", quoted);
		return;
	}
}

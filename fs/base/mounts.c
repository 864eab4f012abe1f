/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mounts.h"

#include "cleanup.h"
#include "err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MOUNTINFO "/proc/self/mountinfo"

/* Replaces the octal escapes of space, tab, newline and backslash. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned byte;

		if (*from == '\\' && strspn(from + 1, "01234567") >= 3 &&
		    sscanf(from + 1, "%3o", &byte) == 1) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

bool sf_mounts_parse(const char *line, struct sf_mounts_entry *ret)
{
	const char *rest = strstr(line, " - ");
	unsigned major, minor;

	memset(ret, 0, sizeof(*ret));
	if (!rest || sscanf(line, "%*u %*u %u:%u %ms %ms", &major, &minor, &ret->root, &ret->point) != 4 ||
	    sscanf(rest, " - %ms %*s %ms", &ret->type, &ret->options) != 2)
		return false;
	ret->dev = makedev(major, minor);
	unescape(ret->root);
	unescape(ret->point);
	return true;
}

void sf_mounts_fini(struct sf_mounts_entry *entry)
{
	free(entry->root);
	free(entry->point);
	free(entry->type);
	free(entry->options);
	memset(entry, 0, sizeof(*entry));
}

int sf_mounts_each(bool (*fn)(const struct sf_mounts_entry *entry, void *arg), void *arg, struct sf_err *err)
{
	FILE *table = fopen(MOUNTINFO, "re");
	auto_free char *line = NULL;
	size_t room = 0;
	bool more = true;

	if (!table)
		return sf_fail(err, -errno, MOUNTINFO ": %s", strerror(errno));
	while (more && getline(&line, &room, table) > 0) {
		struct sf_mounts_entry entry;

		if (sf_mounts_parse(line, &entry))
			more = fn(&entry, arg);
		sf_mounts_fini(&entry);
	}
	(void)fclose(table); /* only read */
	return 0;
}

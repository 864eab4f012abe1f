/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 8

struct host {
	unsigned major, minor;
	uint32_t features[WORDS];
};

/* Accepts exactly the format that xen/helper/guests.c writes. */
static int parse(const char *text, struct host *ret, struct sf_err *err)
{
	char head[32];
	int len;

	if (sscanf(text, "xen %3u.%3u", &ret->major, &ret->minor) != 2)
		return sf_fail(err, -EOPNOTSUPP, "'%s' does not describe a Xen host", text);
	len = snprintf(head, sizeof(head), "xen %u.%u cpu ", ret->major, ret->minor);
	if (strncmp(text, head, (size_t)len) != 0)
		return sf_fail(err, -EOPNOTSUPP, "'%s' does not describe a Xen host", text);
	text += len;
	for (int i = 0; i < WORDS; i++, text += 9) {
		if (strspn(text, "0123456789abcdef") != 8 || text[8] != (i < WORDS - 1 ? ':' : '\0'))
			return sf_fail(err, -EOPNOTSUPP,
				       "'%s' is malformed: expected %d words of CPU features", text, WORDS);
		ret->features[i] = (uint32_t)strtoul(text, NULL, 16);
	}
	return 0;
}

int sf_xen_check_host(const char *saved, const char *here, struct sf_err *err)
{
	struct host then, now;
	int rc = parse(saved, &then, err);

	if (rc == 0)
		rc = parse(here, &now, err);
	if (rc < 0)
		return rc;
	if (now.major < then.major || (now.major == then.major && now.minor < then.minor))
		return sf_fail(err, -EOPNOTSUPP, "the RAM was saved under Xen %u.%u; this is the older %u.%u",
			       then.major, then.minor, now.major, now.minor);
	for (int i = 0; i < WORDS; i++) {
		uint32_t missing = then.features[i] & ~now.features[i];

		if (missing)
			return sf_fail(err, -EOPNOTSUPP,
				       "the RAM was saved on a CPU with features that this one lacks: word "
				       "%d, %08" PRIx32,
				       i, missing);
	}
	return 0;
}

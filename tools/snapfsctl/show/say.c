/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "say.h"

#include "print.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void sf_ctl_say(const char *fmt, ...)
{
	auto_free char *line = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		line = NULL; /* undefined after a failure, see asprintf(3) */
	sf_print(stderr, "snapfsctl: %s\n", line ? line : "out of memory");
}

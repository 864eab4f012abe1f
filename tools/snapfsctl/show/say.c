/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "say.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>

void sf_ctl_say(const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Names, guests and peers supply parts of the line, which the terminal must not obey. */
	sf_text_defuse(line);
	(void)fprintf(stderr, "snapfsctl: %s\n", line);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sf_fail(struct sf_err *err, int rc, const char *fmt, ...)
{
	int saved = errno;
	va_list args;

	if (err) {
		err->code = rc;
		va_start(args, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, args); /* truncation is fine */
		va_end(args);
	}
	errno = saved;
	return rc;
}

int sf_wrap(struct sf_err *err, int rc, const char *fmt, ...)
{
	char text[SF_ERR_TEXT];
	va_list args;
	int n;

	if (!err)
		return rc;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(text))
		(void)snprintf(text + n, sizeof(text) - (size_t)n, ": %s", err->text); /* may truncate */
	memcpy(err->text, text, sizeof(text));
	err->code = rc;
	return rc;
}

const char *sf_errno_name(int code)
{
	const char *name = strerrorname_np(abs(code));

	return name ? name : "E?";
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Appends errors while there is room: the first ones are the cause. */
__attribute__((format(printf, 5, 0))) static void keep(xentoollog_logger *logger, xentoollog_level level,
						       int errnoval, const char *context, const char *format,
						       va_list args)
{
	struct helper_log *log = (struct helper_log *)logger;
	size_t len = strlen(log->text);

	(void)context;
	if (level < XTL_ERROR)
		return;
	if (len > 0 && len < sizeof(log->text))
		len += (size_t)snprintf(log->text + len, sizeof(log->text) - len, "; ");
	if (len < sizeof(log->text))
		(void)vsnprintf(log->text + len, sizeof(log->text) - len, format, args);
	len = strlen(log->text);
	if (errnoval > 0)
		(void)snprintf(log->text + len, sizeof(log->text) - len, ": %s", strerror(errnoval));
}

static void no_destroy(xentoollog_logger *logger)
{
	(void)logger; /* part of struct helper */
}

void helper_log_init(struct helper_log *log)
{
	*log = (struct helper_log){.base = {.vmessage = keep, .destroy = no_destroy}};
}

void helper_log_clear(struct helper_log *log)
{
	log->text[0] = '\0';
}

static int errno_of(int code)
{
	switch (code) {
	case ERROR_GUEST_TIMEDOUT:
		return -EAGAIN;
	case ERROR_TIMEDOUT:
		return -ETIMEDOUT;
	case ERROR_ABORTED:
		return -EINTR;
	case ERROR_NOMEM:
		return -ENOMEM;
	case ERROR_INVAL:
		return -EINVAL;
	case ERROR_DOMAIN_NOTFOUND:
	case ERROR_DOMAIN_DESTROYED:
		return -ENOENT;
	default:
		return -EIO;
	}
}

int helper_fail(struct helper *helper, int code, struct sf_err *err, const char *fmt, ...)
{
	char what[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return sf_fail(err, errno_of(code), "%s: %s%s%s", what, libxl_error_to_string(code),
		       *helper->log.text ? ": " : "", helper->log.text);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "call.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sf_call_broken(struct sf_call *call, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* truncation is fine */
	va_end(args);
	return sf_fail(&call->err, -EPROTO, "%s backend %s: %s of %s %s", call->room, call->backend,
		       call->slot, call->what, text);
}

int sf_call_end(const struct sf_call *call, int rc, struct sf_err *err)
{
	struct sf_call ended = *call;

	if (rc > 0)
		rc = sf_call_broken(&ended, "returned %d", rc);
	if (rc < 0 && !ended.err.text[0])
		(void)sf_fail(&ended.err, rc, "%s backend %s: %s of %s: %s", call->room, call->backend,
			      call->slot, call->what, strerror(-rc));
	ended.err.code = rc;
	if (rc < 0 && err)
		*err = ended.err;
	sf_log(SF_LOG_DEBUG, "%s.%s (%s) of %s = %s%s%s", call->room, call->slot, call->backend, call->what,
	       rc < 0 ? sf_errno_name(rc) : "0", rc < 0 ? ": " : "", rc < 0 ? ended.err.text : "");
	return rc;
}

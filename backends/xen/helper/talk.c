/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

void helper_reply(struct helper *helper, const struct sf_helper_reply *reply)
{
	size_t len;
	auto_free char *line = sf_helper_reply_format(reply, &len);

	if (!line || sf_helper_link_send(&helper->link, line, len, -1, NULL) < 0)
		helper->gone = true;
}

void helper_reply_rc(struct helper *helper, int rc, const struct sf_err *err)
{
	struct sf_helper_reply reply = {.kind = rc < 0 ? SF_HELPER_FAILURE : SF_HELPER_REPLY, .error = rc};

	if (rc < 0)
		(void)snprintf(reply.text, sizeof(reply.text), "%s", err->text);
	helper_reply(helper, &reply);
}

static bool told_to_end(struct helper *helper)
{
	char byte;

	return read(helper->wake, &byte, 1) == 1;
}

int helper_next(struct helper *helper, int timeout_ms, struct sf_helper_request *ret, struct sf_err *err)
{
	size_t len;
	char *line;
	int rc = sf_helper_link_next(&helper->link, timeout_ms, &line, &len, err);

	if ((rc == 0 || rc == -EINTR) && !told_to_end(helper))
		return 0; /* timeout, or another signal such as SIGCHLD */
	if (rc == 1)
		rc = sf_helper_request_parse(line, len, ret, err);
	else
		rc = sf_fail(err, -EPIPE, "the daemon is gone, or this helper was told to end");
	if (rc == -EPIPE || rc == -EPROTO)
		helper->gone = true;
	return rc < 0 ? rc : 1;
}

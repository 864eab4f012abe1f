/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include "base/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

int helper_info(struct helper *helper, uint32_t domid, libxl_dominfo *ret, struct sf_err *err)
{
	int code;

	libxl_dominfo_init(ret);
	code = libxl_domain_info(helper->ctx, ret, domid);
	if (code == 0 && !ret->dying)
		return 0;
	libxl_dominfo_dispose(ret);
	if (code == 0 || code == ERROR_DOMAIN_NOTFOUND)
		return sf_fail(err, -ENOENT, "domain %u is gone", domid);
	return helper_fail(helper, code, err, "look at domain %u", domid);
}

static bool has_uuid(const libxl_dominfo *info, const char *uuid)
{
	char text[SF_VM_UUID];

	(void)snprintf(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(info->uuid));
	return strcasecmp(text, uuid) == 0;
}

/* 1 or 0; -EAGAIN when the name of an existing domain cannot be read: it might be the one. */
static int is_meant(struct helper *helper, const struct sf_helper_request *request, const libxl_dominfo *info,
		    struct sf_err *err)
{
	libxl_dominfo again;
	char *name;
	int found;

	if (info->domid == 0 || info->dying)
		return 0;
	if (*request->uuid)
		return has_uuid(info, request->uuid);
	name = libxl_domid_to_name(helper->ctx, info->domid);
	found = name && strcmp(name, request->name) == 0;
	free(name);
	if (name || helper_info(helper, info->domid, &again, NULL) < 0)
		return found;
	libxl_dominfo_dispose(&again);
	return sf_fail(err, -EAGAIN, "the name of domain %u cannot be read", info->domid);
}

/* Checks all domains: that none has the name must be certain, not concluded from a failed lookup. */
int helper_find(struct helper *helper, const struct sf_helper_request *request, libxl_dominfo *ret,
		struct sf_err *err)
{
	int n = 0, rc = 0;
	libxl_dominfo *list = libxl_list_domain(helper->ctx, &n);
	uint32_t domid = 0;

	if (!list)
		return sf_fail(err, -EIO, "list the domains: %s", helper->log.text);
	for (int i = 0; i < n && rc == 0; i++) {
		rc = is_meant(helper, request, &list[i], err);
		domid = list[i].domid;
	}
	libxl_dominfo_list_free(list, n);
	if (rc < 0)
		return rc;
	return rc == 1 ? helper_info(helper, domid, ret, err)
		       : sf_fail(err, -ENOENT, "domain '%s' is off", request->name);
}

bool helper_suspended(const libxl_dominfo *info)
{
	return info->shutdown && info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND;
}

static int unpause(struct helper *helper, uint32_t domid, int npauses, struct sf_err *err)
{
	for (int i = 0; i < npauses; i++) {
		libxl_dominfo info;
		int rc = helper_info(helper, domid, &info, err), code;
		bool paused = rc == 0 && info.paused;

		if (rc < 0)
			return rc;
		libxl_dominfo_dispose(&info);
		if (!paused)
			return 0;
		code = libxl_domain_unpause(helper->ctx, domid, NULL);
		if (code != 0)
			return helper_fail(helper, code, err, "unpause domain %u", domid);
	}
	return 0;
}

/* Resumes by cancelling the suspension: the guest is told that nothing happened. */
int helper_resume_domain(struct helper *helper, uint32_t domid, int npauses, struct sf_err *err)
{
	libxl_dominfo info;
	int rc = helper_info(helper, domid, &info, err), code = 0;
	bool suspended = rc == 0 && helper_suspended(&info);

	if (rc == 0)
		libxl_dominfo_dispose(&info);
	if (suspended)
		code = libxl_domain_resume(helper->ctx, domid, 1, NULL);
	if (code != 0)
		return helper_fail(helper, code, err, "resume domain %u", domid);
	if (rc == 0)
		rc = unpause(helper, domid, npauses, err);
	return rc == -ENOENT ? 0 : rc;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include "core/contract/hypervisor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

/* Xen counts pauses (XEN_DOMCTL_pausedomain), at most 255. */
#define PAUSES_MAX 255

int helper_host(struct helper *helper, char ret[static SF_HOST_MAX], struct sf_err *err)
{
	const libxl_version_info *version = libxl_get_version_info(helper->ctx);
	libxl_physinfo physical;
	int code, len;

	libxl_physinfo_init(&physical);
	code = libxl_get_physinfo(helper->ctx, &physical);
	if (code != 0 || !version) {
		libxl_physinfo_dispose(&physical);
		return helper_fail(helper, code, err, "ask Xen what this host is");
	}
	len = snprintf(ret, SF_HOST_MAX, "xen %d.%d cpu ", version->xen_version_major,
		       version->xen_version_minor);
	for (size_t i = 0; i < sizeof(physical.hw_cap) / sizeof(physical.hw_cap[0]); i++)
		len += snprintf(ret + len, (size_t)(SF_HOST_MAX - len), "%s%08x", i ? ":" : "",
				physical.hw_cap[i]);
	libxl_physinfo_dispose(&physical);
	return 0;
}

/* A domain that has shut down but still exists executes nothing, so it is at rest until it is destroyed. */
int helper_power(struct helper *helper, const struct sf_helper_request *request, enum sf_power *ret,
		 struct sf_err *err)
{
	libxl_dominfo info;
	int rc = helper_find(helper, request, &info, err);

	if (rc == -ENOENT) {
		*ret = SF_POWER_OFF;
		return 0;
	}
	if (rc < 0)
		return rc;
	*ret = info.paused || info.shutdown ? SF_POWER_PAUSED : SF_POWER_RUNNING;
	libxl_dominfo_dispose(&info);
	return 0;
}

int helper_pause(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	libxl_dominfo info;
	int rc = helper_find(helper, request, &info, err), code = 0;

	if (rc < 0)
		return rc == -ENOENT ? sf_wrap(err, -EINVAL, "pause") : rc;
	if (!info.paused && !info.shutdown) {
		helper->at_rest = helper->paused = true;
		helper->domid = info.domid;
		code = libxl_domain_pause(helper->ctx, info.domid, NULL);
	}
	libxl_dominfo_dispose(&info);
	return code == 0 ? 0 : helper_fail(helper, code, err, "pause domain '%s'", request->name);
}

int helper_give_back(struct helper *helper, struct sf_err *err)
{
	int rc = helper_resume_domain(helper, helper->domid, helper->paused ? 1 : 0, err);

	if (rc < 0)
		return rc;
	helper_release_monitor(helper->name);
	helper->at_rest = helper->paused = false;
	return 0;
}

/*
 * Resumes a guest that another helper brought to rest. If it is neither suspended nor paused, that helper may
 * have asked it to suspend, so it is guarded.
 */
static int resume_foreign(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	libxl_dominfo info;
	int rc = helper_find(helper, request, &info, err);

	if (rc == 0) {
		rc = helper_resume_domain(helper, info.domid, PAUSES_MAX, err);
		if (rc == 0 && !info.paused && !info.shutdown)
			helper_guard_begin(helper, info.domid);
		libxl_dominfo_dispose(&info);
	}
	if (rc == 0 || rc == -ENOENT)
		helper_release_monitor(request->name);
	return rc == -ENOENT ? 0 : rc;
}

int helper_resume(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	return helper->at_rest ? helper_give_back(helper, err) : resume_foreign(helper, request, err);
}

int helper_stop(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	libxl_dominfo info;
	int rc = helper_find(helper, request, &info, err), code;

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	code = libxl_domain_destroy(helper->ctx, info.domid, NULL);
	libxl_dominfo_dispose(&info);
	if (code != 0)
		return helper_fail(helper, code, err, "destroy domain '%s'", request->name);
	helper_release_monitor(request->name); /* it notices that the domain is gone, and ends */
	helper->at_rest = helper->paused = false;
	return 0;
}

int helper_rename(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	libxl_dominfo info;
	int rc = helper_find(helper, request, &info, err), code;

	if (rc < 0)
		return rc;
	code = libxl_domain_rename(helper->ctx, info.domid, request->name, request->to);
	libxl_dominfo_dispose(&info);
	if (code != 0)
		return helper_fail(helper, code, err, "rename domain '%s' to '%s'", request->name,
				   request->to);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen.h"

#include "backends/common/helper/helpers.h"
#include "backends/common/helper/list.h"
#include "backends/common/helper/question.h"
#include "backends/common/helper/session.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "host.h"
#include "internal.h"
#include "xl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sf_helper_limits limits_within_reason = {
	.hello = 15000,
	.question = 15000,
	.accept = 15000,
	.first = 30000,
	.restart = 1000,
	.act = 30000,
	.stop = 120000,
	.look = 5000,
	.abort = 60000,
	.give_back = 20000,
	.linger = 1000,
};

bool sf_xen_is_here(void)
{
	auto_fd int fd = open("/proc/xen/capabilities", O_RDONLY | O_CLOEXEC);
	char text[64] = "";

	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strstr(text, "control_d");
}

static int xen_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		     struct sf_err *err)
{
	const struct sf_helper_request request = sf_helper_about(SF_HELPER_POWER, vm);
	struct sf_helper_reply reply = {0};
	int rc = sf_helper_question(sf_helpers_of(hv), &request, &reply, err);

	if (rc == 0)
		*ret = reply.power;
	sf_helper_reply_fini(&reply);
	return rc;
}

static int xen_host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err)
{
	(void)err; /* queried once, at the start: the host does not change meanwhile */
	memcpy(ret, sf_xen_of(hv)->host, SF_HOST_MAX);
	return 0;
}

static int xen_check_host(struct sf_hypervisor *hv, const char *host, struct sf_err *err)
{
	return sf_xen_check_host(host, sf_xen_of(hv)->host, err);
}

static void xen_close(struct sf_hypervisor *hv)
{
	sf_helpers_fini(sf_helpers_of(hv));
	free(hv);
}

static const struct sf_hypervisor_ops xen_ops = {
	.name = "xen",
	.caps = SF_HYPERVISOR_PAUSE | SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL,
	.list = sf_helper_list,
	.power = xen_power,
	.pause = sf_helper_pause,
	.resume = sf_helper_resume,
	.save = sf_helper_save,
	.restore = sf_xen_restore,
	.host = xen_host,
	.check_host = xen_check_host,
	.stop = sf_helper_stop,
	.can_start = sf_xen_can_start,
	.check_disk = sf_xen_check_disk,
	.start = sf_xen_start,
	.close = xen_close,
};

static int copy(char *to, size_t size, const char *text, struct sf_err *err)
{
	if (snprintf(to, size, "%s", text) >= (int)size)
		return sf_fail(err, -ENAMETOOLONG, "'%.64s…' is longer than %zu bytes", text, size - 1);
	return 0;
}

static int begin(struct sf_xen *xen, const struct sf_xen_options *options, struct sf_err *err)
{
	const struct sf_helper_request host = {.op = SF_HELPER_HOST};
	struct sf_helper_reply reply = {0};
	struct sf_helpers *helpers = &xen->helpers;
	struct sf_helper_program *program = &helpers->program;
	struct sf_helper_request *watch = &helpers->watch;
	int rc;

	program->name = "Xen";
	watch->op = SF_HELPER_WATCH;
	if ((rc = copy(program->path, sizeof(program->path), options->helper, err)) < 0 ||
	    (rc = copy(watch->configs, sizeof(watch->configs), options->configs, err)) < 0 ||
	    (rc = copy(xen->xl, sizeof(xen->xl), options->xl, err)) < 0 ||
	    (rc = sf_helper_question(helpers, &host, &reply, err)) < 0)
		return rc;
	memcpy(xen->host, reply.host, sizeof(xen->host));
	sf_helper_reply_fini(&reply);
	if (sf_xen_check_host(xen->host, xen->host, err) < 0)
		return sf_wrap(err, -EPROTO, "the Xen helper does not describe this host");
	sf_log(SF_LOG_INFO, "Xen %s", helpers->oracle->version);
	return sf_helper_list_begin(helpers, err);
}

int sf_xen_open_within(const struct sf_xen_options *options, const struct sf_helper_limits *limits,
		       struct sf_hypervisor **ret, struct sf_err *err)
{
	struct sf_xen *xen = calloc(1, sizeof(*xen));
	int rc;

	if (!xen)
		return sf_fail(err, -ENOMEM, "hypervisor xen: out of memory");
	sf_helpers_init(&xen->helpers, &xen_ops, limits);
	xen->deadline_ms = options->deadline_ms;
	rc = begin(xen, options, err);
	if (rc < 0) {
		xen_close(&xen->helpers.base);
		return sf_wrap(err, rc, "hypervisor xen");
	}
	*ret = &xen->helpers.base;
	return 0;
}

int sf_xen_open(const struct sf_xen_options *options, struct sf_hypervisor **ret, struct sf_err *err)
{
	return sf_xen_open_within(options, &limits_within_reason, ret, err);
}

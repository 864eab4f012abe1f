/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves one conversation. Standard output is the socket to the daemon, in both directions. Exit status: 0
 * when the daemon hung up, 1 otherwise. However the conversation ends, a guest that it brought to rest is
 * resumed first.
 */
#include "helper.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUARD_STEP_MS 100
/* A signal that arrives between two waits is noticed after this time. */
#define IDLE_STEP_MS 1000
/* Attempts, one a second, to resume a guest that no other process will resume. */
#define GIVE_BACK_TRIES 60

/* Global, because a signal handler has no argument for it. */
static int wake_write = -1;

static void wake(int number)
{
	int saved = errno;

	(void)number;
	if (write(wake_write, "", 1) < 0) {
		/* the pipe is full, so it is readable */
	}
	errno = saved;
}

/* exec() restores the default actions in the programs that libxl starts, such as libxl-save-helper. */
static int catch_signals(struct helper *helper, struct sf_err *err)
{
	const struct sigaction action = {.sa_handler = wake};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return sf_fail(err, -errno, "pipe: %s", strerror(errno));
	helper->wake = ends[0];
	wake_write = ends[1];
	if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
	    sigaction(SIGHUP, &action, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return sf_fail(err, -errno, "catch signals: %s", strerror(errno));
	return 0;
}

static int take_fd(struct helper *helper, struct sf_err *err)
{
	int fd = sf_take_fd(&helper->link.passed);

	return fd >= 0 ? fd : sf_fail(err, -EPROTO, "a save without a descriptor to write to");
}

/* Requests whose reply is only success or failure. */
static int act(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	int fd;

	switch (request->op) {
	case SF_HELPER_WATCH:
		return helper_watch(helper, request->configs, err);
	case SF_HELPER_PAUSE:
		return helper_pause(helper, request, err);
	case SF_HELPER_RESUME:
		return helper_resume(helper, request, err);
	case SF_HELPER_SAVE:
		fd = take_fd(helper, err);
		return fd < 0 ? fd : helper_save(helper, request, fd, err);
	case SF_HELPER_STOP:
		return helper_stop(helper, request, err);
	case SF_HELPER_DISK:
		return helper_check_disk(helper, request, err);
	case SF_HELPER_RENAME:
		return helper_rename(helper, request, err);
	default:
		return sf_fail(err, -EINVAL, "unexpected request '%s'", sf_helper_op_name(request->op));
	}
}

static void hello(struct helper *helper, struct sf_helper_reply *reply)
{
	const libxl_version_info *version = libxl_get_version_info(helper->ctx);

	reply->protocol = SF_HELPER_PROTOCOL;
	if (version)
		(void)snprintf(reply->version, sizeof(reply->version), "%d.%d%s", version->xen_version_major,
			       version->xen_version_minor, version->xen_version_extra);
}

static void serve(struct helper *helper, const struct sf_helper_request *request)
{
	struct sf_helper_reply reply = {.kind = SF_HELPER_REPLY};
	struct sf_err err = {0};
	int rc = 0;

	helper_log_clear(&helper->log);
	if (request->op == SF_HELPER_ABORT)
		return; /* the operation has just ended */
	if (request->op == SF_HELPER_HELLO)
		hello(helper, &reply);
	else if (request->op == SF_HELPER_HOST)
		rc = helper_host(helper, reply.host, &err);
	else if (request->op == SF_HELPER_POWER)
		rc = helper_power(helper, request, &reply.power, &err);
	else
		rc = act(helper, request, &err);
	if (rc < 0)
		helper_reply_rc(helper, rc, &err);
	else
		helper_reply(helper, &reply);
}

/* Resumes the guest after the daemon is gone: no other process would. */
static void give_back(struct helper *helper)
{
	for (int i = 0; helper->at_rest && i < GIVE_BACK_TRIES; i++) {
		if (i > 0)
			(void)sleep(1);
		(void)helper_give_back(helper, NULL);
	}
	while (helper->guard_until_ms) {
		helper_guard_step(helper);
		(void)usleep(GUARD_STEP_MS * 1000);
	}
}

static int converse(struct helper *helper)
{
	struct sf_err err = {0};
	int rc = catch_signals(helper, &err);
	struct sf_helper_request request;

	if (rc == 0 && libxl_ctx_alloc(&helper->ctx, LIBXL_VERSION, 0, &helper->log.base) != 0)
		rc = sf_fail(&err, -ENODEV, "libxenlight finds no Xen here: %s", helper->log.text);
	if (rc < 0) {
		helper_reply_rc(helper, rc, &err);
		return EXIT_FAILURE;
	}
	while (!helper->gone) {
		rc = helper_next(helper, helper->guard_until_ms ? GUARD_STEP_MS : IDLE_STEP_MS, &request,
				 &err);
		if (rc == -EPROTO)
			helper_reply_rc(helper, rc, &err);
		else if (rc == 1)
			serve(helper, &request);
		helper_guard_step(helper);
	}
	give_back(helper);
	libxl_ctx_free(helper->ctx);
	return rc == -EPROTO ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct helper helper = {.wake = -1};
	int status;

	if (argc > 1) {
		(void)fprintf(stderr, "%s is run by snapfs and takes no arguments\n", argv[0]);
		return 2;
	}
	sf_log_init(false);
	helper_log_init(&helper.log);
	sf_helper_link_init(&helper.link, dup(STDOUT_FILENO));
	/* Output of libraries must not reach the conversation. */
	if (helper.link.fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
	    fcntl(helper.link.fd, F_SETFD, FD_CLOEXEC) < 0)
		return EXIT_FAILURE;
	status = converse(&helper);
	sf_helper_link_fini(&helper.link);
	return status;
}

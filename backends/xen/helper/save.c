/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saves a guest's RAM: xl's own header, then libxl's stream. While libxl works, this polls its descriptors
 * together with the daemon's socket.
 */
#include "helper.h"

#include "backends/xen/saved_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* Most descriptors of libxl, which needs a few; more is ERROR_BUFFERFULL. */
#define POLL_MAX      64
#define ABORT_STEP_MS 20
#define BEGIN_MS      2000
#define SAVING        1 /* identifies the event */

struct saving {
	struct helper *helper;
	libxl_asyncop_how how;
	bool done, resume_asked;
	bool unwanted, aborted; /* to be aborted; libxl was told */
	uint64_t begun_ms;
	int code; /* libxl's result, once done */
};

static int write_header(struct helper *helper, uint32_t domid, int fd, struct sf_err *err)
{
	struct sf_xl_header header = {.byte_order = SF_XL_BYTE_ORDER,
				      .mandatory = SF_XL_JSON | SF_XL_STREAM_V2};
	libxl_domain_config config;
	auto_free char *json = NULL;
	int code, rc;

	libxl_domain_config_init(&config);
	code = libxl_retrieve_domain_configuration(helper->ctx, domid, &config, NULL);
	if (code == 0)
		json = libxl_domain_config_to_json(helper->ctx, &config);
	libxl_domain_config_dispose(&config);
	if (!json)
		return helper_fail(helper, code ? code : ERROR_NOMEM, err,
				   "read the configuration of domain %u", domid);
	memcpy(header.magic, SF_XL_MAGIC, sizeof(header.magic));
	header.config_len = (uint32_t)strlen(json) + 1;
	header.optional_len = header.config_len + (uint32_t)sizeof(header.config_len);
	rc = sf_write_all(fd, &header, sizeof(header));
	if (rc == 0)
		rc = sf_write_all(fd, json, header.config_len);
	return rc < 0 ? sf_fail(err, rc, "write the header: %s", strerror(-rc)) : 0;
}

/*
 * Aborts not before BEGIN_MS: libxl 4.17 crashes when a save is aborted whose stream has not begun, and does
 * not tell when it has. (Seen in the first tenth of a second on a slow machine.)
 */
static void give_up(struct saving *saving)
{
	saving->unwanted = true;
	if (!saving->aborted && sf_clock_mono_ms() - saving->begun_ms >= BEGIN_MS) {
		(void)libxl_ao_abort(saving->helper->ctx, &saving->how); /* fails if it is just ending */
		saving->aborted = true;
	}
}

static void on_event(struct saving *saving, const libxl_event *event)
{
	const struct sf_helper_reply paused = {.kind = SF_HELPER_EVENT_PAUSED};

	if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && event->for_user == SAVING) {
		saving->done = true;
		saving->code = event->u.operation_complete.rc;
	} else if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN &&
		   event->u.domain_shutdown.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND) {
		saving->helper->at_rest = true;
		helper_reply(saving->helper, &paused);
	}
}

static void take_events(struct saving *saving)
{
	libxl_event *event;

	while (libxl_event_check(saving->helper->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
		on_event(saving, event);
		libxl_event_free(saving->helper->ctx, event);
	}
}

static void take_words(struct saving *saving)
{
	struct helper *helper = saving->helper;
	struct sf_helper_request request;
	struct sf_err err = {0};
	int rc;

	while (!helper->gone && (rc = helper_next(helper, 0, &request, &err)) != 0) {
		if (rc == 1 && request.op != SF_HELPER_ABORT && request.op != SF_HELPER_RESUME)
			helper->gone = true; /* the protocol allows no other request now */
		saving->resume_asked = saving->resume_asked || (rc == 1 && request.op == SF_HELPER_RESUME);
		give_up(saving);
	}
}

/* Polls libxl's descriptors and ours once. */
static int wait_for_both(struct saving *saving, struct sf_err *err)
{
	struct helper *helper = saving->helper;
	struct pollfd fds[POLL_MAX + 2];
	int nfds = POLL_MAX, timeout_ms = -1, code;
	struct timeval now;

	(void)gettimeofday(&now, NULL);
	code = libxl_osevent_beforepoll(helper->ctx, &nfds, fds, &timeout_ms, now);
	if (code != 0)
		return helper_fail(helper, code, err, "wait for libxl");
	if (saving->unwanted && !saving->aborted)
		timeout_ms = ABORT_STEP_MS;
	fds[nfds] = (struct pollfd){.fd = helper->gone ? -1 : helper->link.fd, .events = POLLIN};
	fds[nfds + 1] = (struct pollfd){.fd = helper->gone ? -1 : helper->wake, .events = POLLIN};
	if (poll(fds, (nfds_t)nfds + 2, timeout_ms) < 0 && errno != EINTR)
		return sf_fail(err, -errno, "poll: %s", strerror(errno));
	(void)gettimeofday(&now, NULL);
	libxl_osevent_afterpoll(helper->ctx, nfds, fds, now);
	if (fds[nfds + 1].revents)
		helper->gone = true;
	return 0;
}

/* Waits until libxl has ended, successfully or not: nothing may continue to change the guest. */
static int wait_for_end(struct saving *saving, struct sf_err *err)
{
	int rc = 0;

	while (!saving->done && rc == 0) {
		rc = wait_for_both(saving, err);
		take_events(saving);
		if (!saving->done)
			take_words(saving);
		if ((saving->helper->gone || saving->unwanted) && !saving->done)
			give_up(saving);
	}
	return rc;
}

/*
 * Whether Xen can track the pages that the guest writes, which pre-copy needs. Hardware-assisted paging does
 * it for PVH and HVM guests, shadow paging for all. Debian's Xen has no shadow paging, so there a PV guest is
 * at rest for the whole stream.
 */
static bool can_track(struct helper *helper, const libxl_dominfo *info)
{
	libxl_physinfo physical;
	bool can;

	libxl_physinfo_init(&physical);
	can = libxl_get_physinfo(helper->ctx, &physical) == 0 &&
	      (physical.cap_shadow || (physical.cap_hap && info->domain_type != LIBXL_DOMAIN_TYPE_PV));
	libxl_physinfo_dispose(&physical);
	return can;
}

static int run(struct saving *saving, uint32_t domid, bool live, int fd, struct sf_err *err)
{
	struct helper *helper = saving->helper;
	libxl_evgen_domain_death *death = NULL;
	int code = libxl_evenable_domain_death(helper->ctx, domid, 0, &death), rc;

	if (code == 0)
		code = libxl_domain_suspend(helper->ctx, domid, fd, live ? LIBXL_SUSPEND_LIVE : 0,
					    &saving->how);
	saving->begun_ms = sf_clock_mono_ms();
	rc = code == 0 ? wait_for_end(saving, err) : helper_fail(helper, code, err, "begin");
	if (rc == 0 && saving->code != 0)
		rc = saving->unwanted ? sf_fail(err, -EINTR, "aborted")
				      : helper_fail(helper, saving->code, err, "save");
	else if (rc == 0 && saving->unwanted)
		rc = sf_fail(err, -EINTR, "aborted at its end");
	if (death)
		libxl_evdisable_domain_death(helper->ctx, death);
	return rc;
}

static int check_running(const struct sf_helper_request *request, const libxl_dominfo *info,
			 struct sf_err *err)
{
	if (info->paused)
		return sf_fail(err, -EAGAIN, "domain '%s' is paused and cannot answer", request->name);
	if (info->shutdown)
		return sf_fail(err, -EAGAIN, "domain '%s' has shut down or crashed", request->name);
	return 0;
}

/* After a failure: resumes the guest, now or if it suspends later. */
static void let_go(struct helper *helper)
{
	(void)helper_give_back(helper, NULL); /* at_rest shows whether it worked */
	helper_guard_begin(helper, helper->domid);
}

int helper_save(struct helper *helper, const struct sf_helper_request *request, int fd, struct sf_err *err)
{
	struct saving saving = {.helper = helper, .how = {.callback = NULL, .u.for_event = SAVING}};
	auto_fd int to = fd;
	libxl_dominfo info;
	bool live;
	int rc = helper_find(helper, request, &info, err);

	if (rc < 0)
		return rc == -ENOENT ? sf_wrap(err, -EINVAL, "save") : rc;
	live = request->live && can_track(helper, &info);
	rc = check_running(request, &info, err);
	helper->domid = info.domid;
	libxl_dominfo_dispose(&info);
	if (rc < 0 || (rc = write_header(helper, helper->domid, to, err)) < 0)
		return rc;
	memcpy(helper->name, request->name, sizeof(helper->name));
	helper_hold_monitor(helper->name);
	rc = run(&saving, helper->domid, live, to, err);
	helper->at_rest = true;
	if (rc < 0)
		let_go(helper);
	if (rc < 0 && saving.resume_asked) { /* a reply to the resume is due, and one to the save */
		rc = sf_fail(err, -EAGAIN, "domain '%s' was resumed before its RAM was saved", request->name);
		helper_reply_rc(helper, rc, err);
		rc = helper->at_rest ? sf_fail(err, -EIO, "the guest is not resumed yet") : 0;
	}
	return rc < 0 ? sf_wrap(err, rc, "RAM of domain '%s'", request->name) : 0;
}

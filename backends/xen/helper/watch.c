/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends the daemon the list of VMs: now, and whenever a domain is created, destroyed or renamed, gets or
 * loses a disk, or a configuration changes. xenstore and inotify only signal that something changed; a new
 * list shows what.
 */
#include "helper.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <xenstore.h>

/* Changes come in bursts: list after this time without one, but at once after a longer pause. */
#define CALM_MS 100
/*
 * List again this long after a change, and every ANYWAY_MS: not every change is announced, such as a domain's
 * name that appears before its creation ends.
 */
#define AFTER_MS  1000
#define ANYWAY_MS 15000

struct watching {
	struct helper *helper;
	const char *configs_dir;
	struct xs_handle *store;
	int files; /* inotify */
	char *sent;
	size_t sent_len;
};

static int watch_store(struct watching *watching, struct sf_err *err)
{
	/* xenstored's own events for domains, and where libxl keeps their devices. */
	const char *const paths[] = {"@introduceDomain", "@releaseDomain", "/libxl"};

	watching->store = xs_open(0);
	if (!watching->store)
		return sf_fail(err, -errno, "open xenstore: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!xs_watch(watching->store, paths[i], "vms"))
			return sf_fail(err, -errno, "watch %s in xenstore: %s", paths[i], strerror(errno));
	return 0;
}

/* A directory that does not exist yet is noticed by the listing every ANYWAY_MS. */
static void watch_files(struct watching *watching)
{
	const uint32_t what = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR;
	char automatic[PATH_MAX];

	watching->files = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watching->files < 0)
		return;
	(void)inotify_add_watch(watching->files, watching->configs_dir, what);
	if (snprintf(automatic, sizeof(automatic), "%s/auto", watching->configs_dir) < (int)sizeof(automatic))
		(void)inotify_add_watch(watching->files, automatic, what);
}

static int send_if_new(struct watching *watching, struct sf_err *err)
{
	struct helper_vms vms = {0};
	struct sf_helper_reply reply = {.kind = SF_HELPER_EVENT_VMS};
	char *line = NULL;
	size_t len = 0;
	int rc = helper_list(watching->helper, watching->configs_dir, &vms, err);

	if (rc == 0) {
		reply.vms = vms.list;
		reply.nvms = vms.n;
		(void)snprintf(reply.text, sizeof(reply.text), "%s", vms.trouble);
		line = sf_helper_reply_format(&reply, &len);
		if (!line)
			rc = sf_fail(err, -ENOMEM, "out of memory");
	}
	if (rc == 0 && (len != watching->sent_len || memcmp(line, watching->sent, len) != 0)) {
		rc = sf_helper_link_send(&watching->helper->link, line, len, -1, err);
		free(watching->sent);
		watching->sent = sf_take_ptr(&line);
		watching->sent_len = len;
	}
	free(line);
	helper_vms_fini(&vms);
	return rc;
}

/* Names are outside /libxl. Watching them one by one costs xenstored less than watching all domains. */
static void watch_names(struct watching *watching)
{
	unsigned n = 0;
	char **domains = xs_directory(watching->store, XBT_NULL, "/local/domain", &n);

	for (unsigned i = 0; domains && i < n; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/local/domain/%.20s/name", domains[i]);
		(void)xs_watch(watching->store, path, "vms"); /* repeating it is harmless (EEXIST) */
	}
	free(domains);
}

static void drain(struct watching *watching)
{
	char events[4096], **event;

	while ((event = xs_check_watch(watching->store)))
		free(event);
	while (watching->files >= 0 && read(watching->files, events, sizeof(events)) > 0)
		continue;
}

/* Whether there was an event. */
static bool wait_for_change(struct watching *watching, int timeout_ms, struct sf_err *err)
{
	struct helper *helper = watching->helper;
	struct pollfd fds[] = {
		{.fd = xs_fileno(watching->store), .events = POLLIN},
		{.fd = watching->files, .events = POLLIN},
		{.fd = helper->link.fd, .events = POLLIN},
		{.fd = helper->wake, .events = POLLIN},
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) <= 0)
		return false;
	if (fds[2].revents || fds[3].revents) {
		helper->gone = true; /* the daemon has ended, or violates the protocol */
		sf_fail(err, -EPIPE, "the daemon is gone");
	}
	drain(watching);
	return fds[0].revents || fds[1].revents;
}

static int watch(struct watching *watching, struct sf_err *err)
{
	int timeout_ms = 0, rc = 0;

	while (rc == 0 && !watching->helper->gone) {
		uint64_t until = sf_clock_mono_ms() + AFTER_MS;
		bool changed = wait_for_change(watching, timeout_ms, err);

		while (changed && sf_clock_mono_ms() < until && wait_for_change(watching, CALM_MS, err))
			continue;
		timeout_ms = changed ? AFTER_MS : ANYWAY_MS;
		watch_names(watching);
		if (!watching->helper->gone)
			rc = send_if_new(watching, err);
	}
	return rc;
}

int helper_watch(struct helper *helper, const char *configs_dir, struct sf_err *err)
{
	struct watching watching = {.helper = helper, .configs_dir = configs_dir, .files = -1};
	const struct sf_helper_reply accepted = {.kind = SF_HELPER_REPLY};
	int rc = watch_store(&watching, err);

	if (rc == 0) {
		watch_files(&watching);
		helper_reply(helper, &accepted);
		rc = watch(&watching, err);
	}
	if (watching.store)
		xs_close(watching.store);
	sf_cleanup_fd(&watching.files);
	free(watching.sent);
	return rc;
}

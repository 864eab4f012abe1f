/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfs-xen, the helper: the only program of snapfs that calls libxenlight, which reaps children, may end
 * its process, and is kept out of the daemon for that. One helper serves one conversation (xen_wire.h), in
 * one thread.
 *
 * A guest that was brought to rest in here is resumed in here when the daemon goes away.
 */
#ifndef SF_XEN_HELPER_H
#define SF_XEN_HELPER_H

/* The newest there is in Xen 4.17 (libxl.h). */
#define LIBXL_API_VERSION 0x041400
#include <libxl.h>
#include <libxl_utils.h>

#include "backends/xen/link.h"
#include "backends/xen/wire.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* libxl's log, of which the errors are kept: they say more than its codes. */
struct helper_log {
	xentoollog_logger base; /* first */
	char text[384];
};

struct helper {
	libxl_ctx *ctx;
	struct helper_log log;
	struct sf_xen_link link;
	int wake;  /* readable once a signal asks us to end */
	bool gone; /* the daemon is, or we were told to end */

	bool at_rest; /* the guest of domid is, because of us: suspended, or paused once */
	bool paused;
	uint32_t domid;
	char name[SF_NAME_MAX + 1]; /* of the domain that was saved: its monitor is held */

	uint32_t guarded;        /* guard.c */
	uint64_t guard_until_ms; /* 0: nobody */
	unsigned guard_events;
	struct xs_handle *guard_store;
};

/* --- log.c --- */
void helper_log_init(struct helper_log *log);
/* What libxl said since the last clear; "" when nothing. */
void helper_log_clear(struct helper_log *log);
/* libxl's code as an errno, with what it said: "save the RAM of domain 'web': …". */
int helper_fail(struct helper *helper, int code, struct sf_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* --- main.c --- */
/* The first failure to send means that the daemon is gone. */
void helper_reply(struct helper *helper, const struct sf_xen_reply *reply);
void helper_reply_rc(struct helper *helper, int rc, const struct sf_err *err);
/* The next request: 1, 0 when timeout_ms is over, -EPIPE when there will be none (helper->gone), -EPROTO. */
int helper_next(struct helper *helper, int timeout_ms, struct sf_xen_request *ret, struct sf_err *err);

/* --- guests.c --- */
/* Of no domain, or one of another uuid: -ENOENT. The caller releases *ret with libxl_dominfo_dispose(). */
int helper_find(struct helper *helper, const struct sf_xen_request *request, libxl_dominfo *ret,
		struct sf_err *err);
/* The domain's, -ENOENT when it is gone. */
int helper_info(struct helper *helper, uint32_t domid, libxl_dominfo *ret, struct sf_err *err);
/* The guest has suspended itself, as for a save. */
bool helper_suspended(const libxl_dominfo *info);
int helper_host(struct helper *helper, char ret[static SF_HOST_MAX], struct sf_err *err);
int helper_power(struct helper *helper, const struct sf_xen_request *request, enum sf_power *ret,
		 struct sf_err *err);
int helper_pause(struct helper *helper, const struct sf_xen_request *request, struct sf_err *err);
/*
 * The guest that is at rest because of us, whatever it is called by now; otherwise the one that is meant.
 * Success when there is none, or nothing to resume in it.
 */
int helper_resume(struct helper *helper, const struct sf_xen_request *request, struct sf_err *err);
/* Ends a suspension, and so many pauses (Xen counts them). */
int helper_resume_domain(struct helper *helper, uint32_t domid, int npauses, struct sf_err *err);
/* The guest that is at rest because of us. */
int helper_give_back(struct helper *helper, struct sf_err *err);
int helper_stop(struct helper *helper, const struct sf_xen_request *request, struct sf_err *err);
int helper_rename(struct helper *helper, const struct sf_xen_request *request, struct sf_err *err);

/* --- monitor.c --- */
/* Stops xl's background process of that domain, or lets it go on; again is harmless. */
void helper_hold_monitor(const char *name);
void helper_release_monitor(const char *name);

/* --- save.c --- */
/* fd is taken over. Sends the events; on success the guest is at rest and the stream complete. */
int helper_save(struct helper *helper, const struct sf_xen_request *request, int fd, struct sf_err *err);

/* --- guard.c --- */
/*
 * After a save that came to nothing: takes back the request to suspend, and for as long as a guest may take
 * over one that it has accepted already, resumes it once it has. Ends at once when somebody else asks it to
 * suspend.
 */
void helper_guard_begin(struct helper *helper, uint32_t domid);
void helper_guard_step(struct helper *helper);

/* --- domains.c, configs.c: what there is --- */
struct helper_vms {
	struct sf_xen_vm *list;
	size_t n;
	char trouble[384]; /* files that could not be read; "" when none */
};
/* Adds one, zeroed; NULL when out of memory. Valid until the next. */
struct sf_xen_vm *helper_vms_add(struct helper_vms *vms);
void helper_vms_fini(struct helper_vms *vms);
void helper_vms_trouble(struct helper_vms *vms, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One that is too long fills its place. */
void helper_set_name(struct sf_vm_desc *desc, const char *name);
int helper_leave_out(struct sf_vm_desc *desc, const char *vdev, const char *reason, bool writable);
/* As a disk of snapshots, or as one that is none, and why. */
int helper_add_disk(struct sf_vm_desc *desc, const libxl_device_disk *disk);
/* Every guest of dir's xl.cfg files and of those in dir/auto. */
int helper_read_configs(const char *dir, struct helper_vms *vms, struct sf_err *err);
/* Every guest that is configured in that directory, and every domain that there is, but for dom0. */
int helper_list(struct helper *helper, const char *configs_dir, struct helper_vms *ret, struct sf_err *err);

/* --- watch.c --- */
/* Sends the VMs now and after each change, until the daemon is gone. */
int helper_watch(struct helper *helper, const char *configs_dir, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfs-xen, the helper: the only program of snapfs that calls libxenlight. That library reaps children and
 * may end its process, so it is kept out of the daemon. One helper serves one conversation
 * (backends/common/helper/wire.h) in one thread.
 *
 * When the daemon goes away, a helper resumes the guest that it brought to rest.
 */
#ifndef SF_BACKENDS_XEN_HELPER_HELPER_H
#define SF_BACKENDS_XEN_HELPER_HELPER_H

/* The newest API version in Xen 4.17 (libxl.h). */
#define LIBXL_API_VERSION 0x041400
#include <libxl.h>
#include <libxl_utils.h>

#include "backends/common/helper/link.h"
#include "backends/common/helper/wire.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Keeps the errors of libxl's log: they say more than its return codes. */
struct helper_log {
	xentoollog_logger base; /* first */
	char text[384];
};

struct helper {
	libxl_ctx *ctx;
	struct helper_log log;
	struct sf_helper_link link;
	int wake;  /* readable once a signal asks us to end */
	bool gone; /* the daemon is gone, or we were told to end */

	bool at_rest; /* we suspended the guest of domid, or paused it once */
	bool paused;
	uint32_t domid;
	char name[SF_NAME_MAX + 1]; /* of the domain being saved: its monitor is held */

	uint32_t guarded;        /* guard.c */
	uint64_t guard_until_ms; /* CLOCK_MONOTONIC; 0: no guest is guarded */
	unsigned guard_events;
	struct xs_handle *guard_store;
};

/* --- log.c --- */
void helper_log_init(struct helper_log *log);
/* Forgets what libxl has logged. */
void helper_log_clear(struct helper_log *log);
/* Turns libxl's code into an errno, with its log as the text: "save the RAM of domain 'web': …". */
int helper_fail(struct helper *helper, int code, struct sf_err *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* --- talk.c: the conversation with the daemon --- */
/* A failure to send sets helper->gone. */
void helper_reply(struct helper *helper, const struct sf_helper_reply *reply);
void helper_reply_rc(struct helper *helper, int rc, const struct sf_err *err);
/*
 * Waits for the next request. 1: there is one. 0: timeout_ms has passed. -EPIPE: there will be no more, and
 * helper->gone is set. -EPROTO.
 */
int helper_next(struct helper *helper, int timeout_ms, struct sf_helper_request *ret, struct sf_err *err);

/* --- domain.c: one domain --- */
/* -ENOENT when no domain has the name and uuid. The caller releases *ret with libxl_dominfo_dispose(). */
int helper_find(struct helper *helper, const struct sf_helper_request *request, libxl_dominfo *ret,
		struct sf_err *err);
/* The same for a domain id; -ENOENT when the domain is gone. */
int helper_info(struct helper *helper, uint32_t domid, libxl_dominfo *ret, struct sf_err *err);
/* The guest has suspended itself, as for a save. */
bool helper_suspended(const libxl_dominfo *info);
/* Ends a suspension and up to npauses pauses (Xen counts them). Success when the domain is gone. */
int helper_resume_domain(struct helper *helper, uint32_t domid, int npauses, struct sf_err *err);

/* --- guests.c: the requests about one guest --- */
int helper_host(struct helper *helper, char ret[static SF_HOST_MAX], struct sf_err *err);
int helper_power(struct helper *helper, const struct sf_helper_request *request, enum sf_power *ret,
		 struct sf_err *err);
int helper_pause(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err);
/*
 * Resumes the guest that this helper brought to rest, whatever its name is now; else the one in the request.
 * Success when there is no such guest, or it runs.
 */
int helper_resume(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err);
/* Resumes the guest that this helper brought to rest. */
int helper_give_back(struct helper *helper, struct sf_err *err);
int helper_stop(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err);
int helper_rename(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err);

/* --- monitor.c --- */
/* Stops xl's background process of that domain, or lets it continue. Both are idempotent. */
void helper_hold_monitor(const char *name);
void helper_release_monitor(const char *name);

/* --- save.c --- */
/* Owns fd. Sends the events. On success the guest is at rest and the stream is complete. */
int helper_save(struct helper *helper, const struct sf_helper_request *request, int fd, struct sf_err *err);

/* --- guard.c --- */
/*
 * After a failed save: withdraws the request to suspend. A guest that has already accepted it suspends within
 * a known time; the guard then resumes it. The guard ends early when another program asks the guest to
 * suspend. Call helper_guard_step() at short intervals.
 */
void helper_guard_begin(struct helper *helper, uint32_t domid);
void helper_guard_step(struct helper *helper);

/* --- vms.c, listing.c, configs.c: which VMs there are --- */
struct helper_vms {
	struct sf_helper_vm *list;
	size_t n;
	char trouble[384]; /* files that could not be read; "": none */
};
/* Adds a zeroed VM; NULL when out of memory. The pointer is valid until the next call. */
struct sf_helper_vm *helper_vms_add(struct helper_vms *vms);
void helper_vms_fini(struct helper_vms *vms);
void helper_vms_trouble(struct helper_vms *vms, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Truncates a name that is too long. */
void helper_set_name(struct sf_vm_desc *desc, const char *name);
int helper_leave_out(struct sf_vm_desc *desc, const char *vdev, const char *reason, bool writable);
/* Adds a disk of which snapshots are made, or one that is left out, with the reason. */
int helper_add_disk(struct sf_vm_desc *desc, const libxl_device_disk *disk);
/* Adds the guests of the xl.cfg files in dir and dir/auto. */
int helper_read_configs(const char *dir, struct helper_vms *vms, struct sf_err *err);
/* Lists every guest that is configured in that directory and every domain except dom0. */
int helper_list(struct helper *helper, const char *configs_dir, struct helper_vms *ret, struct sf_err *err);
/* --- opened.c --- */
/*
 * -EBUSY if the disk's path is known to lead to another file or device than the domain has open: a volume was
 * renamed, or a file renamed over the image. Succeeds if there is no such domain.
 */
int helper_check_disk(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err);

/* --- watch.c --- */
/* Sends the list of VMs now and after each change, until the daemon is gone. */
int helper_watch(struct helper *helper, const char *configs_dir, struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol between the daemon and a helper process of a hypervisor, over a stream socket: one JSON object
 * a line. The daemon sends requests, and the helper answers each with one reply, in order. When either
 * process ends, its socket closes, and the other side learns it at once.
 *
 *   request                                         reply, besides "ok":true
 *   {"op":"hello"}                                  "protocol":2, "version":"4.17.5"
 *   {"op":"host"}                                   "host":"xen 4.17 x86_64 …" (see sf_hypervisor_ops.host)
 *   {"op":"watch","configs":"/etc/xen"}             nothing more, but {"event":"vms","vms":[…]} now
 *                                                   and after each change; the last request of its helper
 *   {"op":"power","name":"web","uuid":""}           "power":"running"
 *   {"op":"pause",…}                                the guest is at rest until "resume" or the end of
 *                                                   either side
 *   {"op":"save",…,"live":true}                     the stream is complete and the guest at rest, as
 *                                                   after "pause"; before it {"event":"paused"}. The
 *                                                   descriptor to write to comes with the line
 *                                                   (SCM_RIGHTS).
 *   {"op":"abort"}                                  none: aborts a running save, whose own reply is a failure
 *   {"op":"resume",…}                               the guest runs, if it exists; during a save this also
 *                                                   aborts it
 *   {"op":"stop",…}                                 the domain no longer exists
 *   {"op":"rename",…,"to":"web2"}
 *   {"op":"disk",…,"vdev":"xvda","path":"/…"}       the path leads to what the guest has open, or there is
 *                                                   no such domain
 *
 * A failure is {"ok":false,"errno":11,"text":"…"}, with Linux's errno. A line has at most SF_HELPER_LINE_MAX
 * bytes. Parsers treat all input as untrusted; both directions are fuzzed.
 */
#ifndef SF_BACKENDS_COMMON_HELPER_WIRE_H
#define SF_BACKENDS_COMMON_HELPER_WIRE_H

#include "core/contract/hypervisor.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct sf_err;

#define SF_HELPER_PROTOCOL 2
/* A thousand VMs with 64 disks each need about 8 MB. */
#define SF_HELPER_LINE_MAX (16 * 1024 * 1024)
/* Twice the number of domain ids (DOMID_FIRST_RESERVED): some VMs are off. */
#define SF_HELPER_VMS_MAX     65536
#define SF_HELPER_VERSION_MAX 64

enum sf_helper_op {
	SF_HELPER_HELLO,
	SF_HELPER_HOST,
	SF_HELPER_WATCH,
	SF_HELPER_POWER,
	SF_HELPER_PAUSE,
	SF_HELPER_SAVE,
	SF_HELPER_ABORT,
	SF_HELPER_RESUME,
	SF_HELPER_STOP,
	SF_HELPER_RENAME,
	SF_HELPER_DISK,
};

struct sf_helper_request {
	enum sf_helper_op op;
	char name[SF_NAME_MAX + 1]; /* of the domain; empty in requests that name none */
	char uuid[SF_VM_UUID];      /* empty: any */
	char to[SF_NAME_MAX + 1];
	char configs[PATH_MAX]; /* directory of the VMs' configurations, if the hypervisor has one */
	struct sf_disk disk;
	bool live;
};

/* A VM as the helper sees it. */
struct sf_helper_vm {
	struct sf_vm_desc desc;
	char config[PATH_MAX]; /* the xl.cfg file that describes it; empty: none */
};

/* Kinds of lines that the daemon receives. */
enum sf_helper_reply_kind { SF_HELPER_REPLY, SF_HELPER_FAILURE, SF_HELPER_EVENT_PAUSED, SF_HELPER_EVENT_VMS };

struct sf_helper_reply {
	enum sf_helper_reply_kind kind;
	int error;      /* of a failure: negative errno */
	char text[384]; /* of a failure; of a list of VMs: the configurations that could not be read, or "" */

	/* The fields that this reply carries; all others are zero. */
	unsigned protocol;
	char version[SF_HELPER_VERSION_MAX]; /* of the hypervisor */
	char host[SF_HOST_MAX];
	enum sf_power power;
	struct sf_helper_vm *vms;
	size_t nvms;
};

void sf_helper_reply_fini(struct sf_helper_reply *reply);

/*
 * Returns one line with its newline, allocated; NULL when out of memory. Bytes that are not UTF-8 are
 * dropped. In a VM's name they become a control character, so that the VM is refused instead of mistaken for
 * another.
 */
char *sf_helper_request_format(const struct sf_helper_request *request, size_t *ret_len);
char *sf_helper_reply_format(const struct sf_helper_reply *reply, size_t *ret_len);

/*
 * Parses one line without its newline. *ret is untouched on failure. -EPROTO: malformed; the text says how.
 * -ENOMEM.
 *
 * A VM that cannot be described (a disk without a path, or too many disks) makes the whole line malformed;
 * helpers leave such VMs out. A name that is too long fills its array without a NUL; the caller refuses such
 * a VM.
 */
int sf_helper_request_parse(const char *line, size_t len, struct sf_helper_request *ret, struct sf_err *err);
int sf_helper_reply_parse(const char *line, size_t len, struct sf_helper_reply *ret, struct sf_err *err);

const char *sf_helper_op_name(enum sf_helper_op op);

#endif

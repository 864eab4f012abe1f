/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor contract: which VMs there are, and how their guests are brought to rest and moved in time.
 *
 * A guest is *at rest* when it executes nothing and writes nothing until it is resumed. pause, resume, stop
 * are idempotent: asking for the state a guest is in succeeds. Calls for one VM come one at a time, except
 * resume and power, which the lease's watchdog may call at any moment, also while save runs. VMs are passed
 * as the description that list gave; only uuid (where there is one) and name identify.
 *
 * Backends fill in struct sf_hypervisor_ops; everyone else calls the sf_hypervisor_… functions, the only
 * door.
 */
#ifndef SF_CORE_CONTRACT_HYPERVISOR_H
#define SF_CORE_CONTRACT_HYPERVISOR_H

#include "base/names.h"
#include "storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_job;
struct sf_hypervisor;

/* Disks of one VM; more is refused by name (Xen and virtio stop well below). */
#define SF_VM_DISKS_MAX 64
/* The line of the host slot, with its NUL: Xen's needs about 250 bytes. */
#define SF_HOST_MAX 512

enum sf_power {
	SF_POWER_UNKNOWN, /* this hypervisor cannot tell, and cannot stop anyone */
	SF_POWER_OFF,
	SF_POWER_RUNNING,
	SF_POWER_PAUSED,
};

/* "running", "paused", "off", "unknown"; parse gives -EINVAL for anything else. */
const char *sf_power_name(enum sf_power power);
int sf_power_parse(const char *text, enum sf_power *ret);
/* There is a guest, running or paused. */
static inline bool sf_power_alive(enum sf_power power)
{
	return power == SF_POWER_RUNNING || power == SF_POWER_PAUSED;
}

/* A disk that is no part of snapshots, and why: "CD-ROM", "read-only", "not on this host". */
struct sf_left_out {
	char vdev[SF_VDEV_MAX + 1];
	char reason[128];
	bool writable; /* the guest writes to it: RAM without it would be of another instant than it */
};

/*
 * A VM is known by its uuid, and keeps its snapshots under another name. uuid is empty where the
 * hypervisor's does not outlive the guest (one that is made up at each start): such a VM is known by its
 * name, running or not.
 */
struct sf_vm_desc {
	char name[SF_NAME_MAX + 1];
	char uuid[SF_VM_UUID];
	uint64_t memory_bytes; /* RAM, 0 when unknown */
	struct sf_disk *disks; /* boot disk first */
	size_t ndisks;
	struct sf_left_out *left_out; /* at most SF_VM_DISKS_MAX */
	size_t nleft_out;
};

/* Owned by the caller, released with sf_vm_list_fini(). */
struct sf_vm_list {
	struct sf_vm_desc *vms;
	size_t nvms;
};

void sf_vm_desc_fini(struct sf_vm_desc *vm);
/* -ENOMEM. On failure *ret is empty. */
int sf_vm_desc_copy(const struct sf_vm_desc *vm, struct sf_vm_desc *ret);
void sf_vm_list_fini(struct sf_vm_list *list);

/* What a backend can do; asked once. */
enum sf_hypervisor_caps {
	SF_HYPERVISOR_PAUSE = 1,          /* pause, resume, and power is never unknown */
	SF_HYPERVISOR_MEMORY = 2,         /* save, restore */
	SF_HYPERVISOR_CONTROL = 4,        /* stop, start */
	SF_HYPERVISOR_QUIESCE = 8,        /* quiesce, thaw */
	SF_HYPERVISOR_MEMORY_PAUSED = 16, /* save also takes a guest that somebody else has paused */
};

/* Called by save, on its own thread. A negative return makes save fail with that code. */
struct sf_save_hooks {
	/* The guest has stopped executing. At most once, before at_rest; at_rest implies it. */
	int (*paused)(void *arg, struct sf_err *err);
	/*
	 * Exactly once: the guest is at rest and all of its RAM is in the stream. Disks are snapshotted in
	 * here.
	 */
	int (*at_rest)(void *arg, struct sf_err *err);
	void *arg;
};

/* Slots beyond the capabilities may be NULL, and so may host, check_host and can_start. Arguments arrive
 * checked. */
struct sf_hypervisor_ops {
	const char *name;
	unsigned caps;

	/* Every VM, running or not. Quick: from a cache where the real answer takes long. */
	int (*list)(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
	/* -ENOENT: no such VM. */
	int (*power)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		     struct sf_err *err);

	/* -EAGAIN when the guest refuses, -ETIMEDOUT; -EINVAL when it is off. */
	int (*pause)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	/* Of a guest that is off: success, there is nobody to resume. */
	int (*resume)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

	/*
	 * Writes RAM and device state to fd (a pipe: no seeking) and calls hooks. live: the guest runs while
	 * most of it is written, and is paused for the rest only; otherwise it is paused before any RAM is
	 * written. A backend that knows one way takes that. When it returns, with success or failure, the
	 * guest may be at rest: the caller resumes it. -EAGAIN when the guest refuses or does not come to
	 * rest in time; it runs on. Polls job: -EINTR when cancelled before at_rest. Does not close fd.
	 */
	int (*save)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		    const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
	/*
	 * Brings the VM back as saved, at rest: the caller resumes it. fd is a file at offset 0. -EINVAL when
	 * the VM is not off, -EIO when the file does not hold all of a guest's RAM.
	 */
	int (*restore)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);

	/*
	 * One line of printable ASCII: what a restore of RAM that is saved now will need of a host (version,
	 * CPU features). Empty: nothing in particular. Quick.
	 */
	int (*host)(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err);
	/*
	 * -EOPNOTSUPP, saying what, when this host lacks something of such a line, or when it is none. Quick.
	 */
	int (*check_host)(struct sf_hypervisor *hv, const char *host, struct sf_err *err);

	/* At once, as pulling the plug; the state is gone. Afterwards the backend has no disk open. */
	int (*stop)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	/* Boots the VM, at rest when paused says so. -EINVAL when it is not off. */
	int (*start)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err);

	/* Whether start knows how to boot the VM; -ENOENT when nothing says how. Optional: it does. Quick. */
	int (*can_start)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

	/*
	 * The guest flushes and freezes its file systems until thaw. Both are idempotent; -EAGAIN of a guest
	 * at rest, which cannot answer. Of a guest that is off: quiesce is -EINVAL, thaw succeeds.
	 */
	int (*quiesce)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	int (*thaw)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

	void (*close)(struct sf_hypervisor *hv);
};

/* The base, embedded first by each backend, zeroed apart from ops. */
struct sf_hypervisor {
	const struct sf_hypervisor_ops *ops;
	_Atomic uint64_t warned; /* sf_hypervisor_list's: a digest of the VMs left out last time */
};

/* Accepts NULL. */
void sf_hypervisor_close(struct sf_hypervisor *hv);
bool sf_hypervisor_can(const struct sf_hypervisor *hv, enum sf_hypervisor_caps cap);

/*
 * As the slots. What a backend cannot do is -EOPNOTSUPP; VMs with names or disks that break the rules are
 * left out of the list, each with one warning in the log until that changes. Of the disks left out, no more
 * than SF_VM_DISKS_MAX are passed on, and bytes that are not to be shown become '?'.
 */
int sf_hypervisor_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
int sf_hypervisor_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
			struct sf_err *err);
int sf_hypervisor_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
/* -EPROTO when the backend returned success without having called at_rest. */
int sf_hypervisor_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		       const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
int sf_hypervisor_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);
/* Where the slot is missing: "" and success. -EPROTO for a line that sf_host_check() refuses. */
int sf_hypervisor_host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err);
/* Where the slot is missing, and for an empty line: success; the restore itself has the last word. */
int sf_hypervisor_check_host(struct sf_hypervisor *hv, const char *host, struct sf_err *err);
int sf_hypervisor_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused,
			struct sf_err *err);
/* Success where the backend cannot tell beforehand. */
int sf_hypervisor_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_quiesce(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_thaw(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

/* At most SF_HOST_MAX - 1 bytes of printable ASCII, perhaps none; -EINVAL. */
int sf_host_check(const char *host, struct sf_err *err);

#endif

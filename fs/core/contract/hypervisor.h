/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor contract: which VMs exist, how their guests are brought to rest, and how their RAM is saved
 * and restored.
 *
 * A guest is *at rest* when it neither executes nor writes until it is resumed. pause, resume and stop are
 * idempotent: asking for the state that a guest is already in succeeds. Calls for one VM come one at a time,
 * with the exception of resume and power: the lease's watchdog may call these at any time, even while save
 * runs. A VM is passed as the description that list returned; only uuid (where there is one) and name
 * identify it.
 *
 * Backends implement struct sf_hypervisor_ops. Everyone else calls the sf_hypervisor_… functions, which check
 * arguments and results.
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

/* Most disks of one VM. A VM with more is refused by name (Xen and virtio allow far fewer). */
#define SF_VM_DISKS_MAX 64
/* Longest result of the host slot, with the NUL. Xen needs about 250 bytes. */
#define SF_HOST_MAX 512

enum sf_power {
	SF_POWER_UNKNOWN, /* the hypervisor cannot tell, nor stop a guest */
	SF_POWER_OFF,
	SF_POWER_RUNNING,
	SF_POWER_PAUSED,
};

/* "running", "paused", "off", "unknown"; parse gives -EINVAL for anything else. */
const char *sf_power_name(enum sf_power power);
int sf_power_parse(const char *text, enum sf_power *ret);
/* Whether there is a guest, running or paused. */
static inline bool sf_power_alive(enum sf_power power)
{
	return power == SF_POWER_RUNNING || power == SF_POWER_PAUSED;
}

/* A disk that is excluded from snapshots, and why: "CD-ROM", "read-only", "not on this host". */
struct sf_left_out {
	char vdev[SF_VDEV_MAX + 1];
	char reason[128];
	bool writable; /* the guest writes to it, so saved RAM would not match its content */
};

/*
 * A VM. The uuid identifies it, so that a renamed VM keeps its snapshots. uuid is empty if the hypervisor
 * generates a new one at each start; such a VM is identified by its name, running or not.
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

/* Owned by the caller; release with sf_vm_list_fini(). */
struct sf_vm_list {
	struct sf_vm_desc *vms;
	size_t nvms;
};

void sf_vm_desc_fini(struct sf_vm_desc *vm);
/* -ENOMEM. On failure *ret is empty. */
int sf_vm_desc_copy(const struct sf_vm_desc *vm, struct sf_vm_desc *ret);
void sf_vm_list_fini(struct sf_vm_list *list);

/* Capabilities of a backend. They do not change. */
enum sf_hypervisor_caps {
	SF_HYPERVISOR_PAUSE = 1,          /* pause, resume; power is never unknown */
	SF_HYPERVISOR_MEMORY = 2,         /* save, restore */
	SF_HYPERVISOR_CONTROL = 4,        /* stop, start */
	SF_HYPERVISOR_QUIESCE = 8,        /* quiesce, thaw */
	SF_HYPERVISOR_MEMORY_PAUSED = 16, /* save also works on a guest that someone else paused */
};

/*
 * Callbacks of save, called on the thread that called save. A negative return makes save fail with that code.
 */
struct sf_save_hooks {
	/*
	 * The guest has stopped executing. Optional; called at most once, before at_rest. at_rest implies it.
	 */
	int (*paused)(void *arg, struct sf_err *err);
	/*
	 * Called exactly once: the guest is at rest and all of its RAM is in the stream. The engine snapshots
	 * the disks here.
	 */
	int (*at_rest)(void *arg, struct sf_err *err);
	void *arg;
};

/*
 * The backend's implementation. Slots that caps does not cover may be NULL, and so may host, check_host,
 * can_start and check_disk. Arguments arrive checked.
 */
struct sf_hypervisor_ops {
	const char *name;
	unsigned caps;

	/* Lists every VM, running or not. Must be fast: use a cache if the real answer takes long. */
	int (*list)(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
	/* -ENOENT if there is no such VM. */
	int (*power)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		     struct sf_err *err);

	/* -EAGAIN if the guest refuses, -ETIMEDOUT, -EINVAL if it is off. */
	int (*pause)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	/* A no-op for a guest that is off. */
	int (*resume)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

	/*
	 * Writes RAM and device state to fd (a pipe: no seeking) and calls the hooks. Does not close fd.
	 *
	 * live: the guest runs while most of its RAM is written, and is paused only for the rest. Otherwise
	 * it is paused before any RAM is written. A backend that supports only one way ignores live.
	 *
	 * When save returns, successfully or not, the guest may be at rest; the caller resumes it.
	 *   -EAGAIN  the guest refuses or does not come to rest in time; it keeps running
	 *   -EINTR   job was cancelled before at_rest; save polls it
	 */
	int (*save)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		    const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
	/*
	 * Restores the VM from fd, a file at offset 0. The guest is at rest; the caller resumes it. -EINVAL
	 * if the VM is not off, -EIO if the file does not hold all of a guest's RAM.
	 */
	int (*restore)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);

	/*
	 * Describes in one line of printable ASCII what a host needs to restore RAM that is saved now
	 * (version, CPU features). Empty if nothing special. Must be fast.
	 */
	int (*host)(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err);
	/*
	 * Checks such a line against this host. -EOPNOTSUPP, naming what is missing, or if the line is
	 * malformed. Must be fast.
	 */
	int (*check_host)(struct sf_hypervisor *hv, const char *host, struct sf_err *err);

	/*
	 * Stops the guest at once, like pulling the plug; its state is lost. Afterwards the backend has no
	 * disk open.
	 */
	int (*stop)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	/* Boots the VM, at rest if paused is set. -EINVAL if it is not off. */
	int (*start)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err);

	/*
	 * Whether start can boot the VM. -ENOENT if no configuration of it is found. Optional: assumed to
	 * succeed. Must be fast.
	 */
	int (*can_start)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

	/*
	 * Whether the disk's path leads to the file or device that the guest writes to. -EBUSY if it leads to
	 * another one, as after `mv new.img web.img`: a snapshot would not be of the guest's disk. Succeeds
	 * for a guest that is off. Optional: assumed to succeed. Must be fast.
	 */
	int (*check_disk)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, const struct sf_disk *disk,
			  struct sf_err *err);

	/*
	 * The guest flushes and freezes its file systems until thaw. Both are idempotent. -EAGAIN for a guest
	 * at rest, which cannot answer. For a guest that is off, quiesce fails with -EINVAL and thaw
	 * succeeds.
	 */
	int (*quiesce)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
	int (*thaw)(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

	void (*close)(struct sf_hypervisor *hv);
};

/* The base object, embedded first by each backend; zeroed except for ops. */
struct sf_hypervisor {
	const struct sf_hypervisor_ops *ops;
	_Atomic uint64_t warned; /* for sf_hypervisor_list(): digest of the VMs left out last time */
};

/* Accepts NULL. */
void sf_hypervisor_close(struct sf_hypervisor *hv);
bool sf_hypervisor_can(const struct sf_hypervisor *hv, enum sf_hypervisor_caps cap);

/*
 * The checked calls; see the slots of struct sf_hypervisor_ops. A capability that the backend lacks is
 * -EOPNOTSUPP.
 *
 * sf_hypervisor_list() leaves out VMs whose name or disks break the rules and logs one warning each until
 * that changes. Of a VM's excluded disks it passes on at most SF_VM_DISKS_MAX, with unprintable bytes
 * replaced by '?'.
 */
int sf_hypervisor_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
int sf_hypervisor_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
			struct sf_err *err);
int sf_hypervisor_pause(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_resume(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
/* -EPROTO if the backend succeeded without calling at_rest. */
int sf_hypervisor_save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		       const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err);
int sf_hypervisor_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);
/* Returns "" if the backend lacks the slot. -EPROTO for a line that sf_host_check() refuses. */
int sf_hypervisor_host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err);
/* Succeeds if the backend lacks the slot or the line is empty; the restore itself then decides. */
int sf_hypervisor_check_host(struct sf_hypervisor *hv, const char *host, struct sf_err *err);
int sf_hypervisor_stop(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused,
			struct sf_err *err);
/* Succeeds if the backend cannot tell in advance. */
int sf_hypervisor_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
/* Succeeds if the backend cannot tell. */
int sf_hypervisor_check_disk(struct sf_hypervisor *hv, const struct sf_vm_desc *vm,
			     const struct sf_disk *disk, struct sf_err *err);
int sf_hypervisor_quiesce(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_hypervisor_thaw(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);

/* Checks a host line: at most SF_HOST_MAX - 1 bytes of printable ASCII, may be empty. -EINVAL. */
int sf_host_check(const char *host, struct sf_err *err);

#endif

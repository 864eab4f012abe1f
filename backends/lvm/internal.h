/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A storage and a volume, shared by the files of this room. */
#ifndef SF_BACKENDS_LVM_INTERNAL_H
#define SF_BACKENDS_LVM_INTERNAL_H

#include "core/contract/storage.h"
#include "dm.h"
#include "instance.h"

#include <pthread.h>

struct sf_lvm_claim;
struct sf_lvm_device;

struct sf_lvm_storage {
	struct sf_storage base;
	struct sf_lvm *lvm;
	bool thin;
	struct sf_dm_events events; /* of the thread in sf_lvm_watch() */
	bool events_open;

	pthread_mutex_t exchange; /* held while a volume has no name; taken before lock */
	pthread_mutex_t lock;     /* guards devices; never held while LVM runs */
	pthread_cond_t settled;   /* a device is no longer busy */
	struct sf_lvm_device *devices;
	pthread_mutex_t claiming; /* guards claims; a leaf */
	struct sf_lvm_claim *claims;
};

/* One user's handle of a live volume. Calls on it come one at a time. */
struct sf_lvm_volume {
	struct sf_volume base;
	char vg[SF_LVM_NAME];
	char lv[SF_LVM_NAME];
	char dm[SF_DM_NAME];
	bool claimed;
	struct sf_lvm_claim *claim; /* NULL: not claimed, or the LV is inactive */
	int claim_fd;               /* the claim's descriptor, or -1 */
	uint64_t writes;            /* completed on the device when it was claimed */
};

static inline struct sf_lvm_storage *sf_lvm_storage(struct sf_storage *storage)
{
	return (struct sf_lvm_storage *)storage;
}

static inline struct sf_lvm_volume *sf_lvm_volume(struct sf_volume *volume)
{
	return (struct sf_lvm_volume *)volume;
}

static inline struct sf_lvm *sf_lvm_of(struct sf_volume *volume)
{
	return sf_lvm_storage(volume->storage)->lvm;
}

#endif

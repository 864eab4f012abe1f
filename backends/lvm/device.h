/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of snapshots, and the images on them. All readers of a snapshot share one descriptor. A revert may
 * replace the device under it by one of equal content (dup3); a read in flight finishes on the old device.
 */
#ifndef SF_BACKENDS_LVM_DEVICE_H
#define SF_BACKENDS_LVM_DEVICE_H

#include "core/contract/storage.h"

#include "dm.h"
#include "lv.h"

struct sf_lvm;
struct sf_lvm_storage;

struct sf_lvm_device {
	char vg[SF_LVM_NAME];
	char dm[SF_DM_NAME]; /* of the LV under its present name: the lasting one or its copy's */
	struct sf_id token;
	int fd; /* O_DIRECT; -1 while refs is 0 */
	unsigned refs;
	bool busy; /* a thread activates or deactivates it; only that thread uses it, and refs is 0 */
	uint64_t idle_since_ms; /* CLOCK_MONOTONIC; while refs is 0 */
	struct sf_lvm_device *next;
};

/* Slots of the storage contract. settle only checks that LVM is allowed to activate a new snapshot. */
int sf_lvm_settle(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_lvm_image_open(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		      struct sf_err *err);
/*
 * Readers of the snapshot continue on the device behind fd, which has the same content, and whoever opens it
 * gets that device, too, until the caller puts *ret back. fd remains the caller's. vg, dm: what the device
 * will be called when it is put back.
 */
int sf_lvm_divert(struct sf_lvm_storage *storage, const char *vg, const char *dm, const struct sf_id *token,
		  int fd, struct sf_lvm_device **ret, struct sf_err *err);
/* Moves all of a device's readers to the one behind fd. */
int sf_lvm_switch_device(struct sf_lvm_storage *storage, struct sf_lvm_device *device, int fd,
			 struct sf_err *err);
/* Drops a reference. */
void sf_lvm_put_device(struct sf_lvm_storage *storage, struct sf_lvm_device *device);
/* Call after an lvrename: the snapshot's device is now named dm. */
void sf_lvm_rename_device(struct sf_lvm_storage *storage, const struct sf_id *token, const char *dm);
/*
 * The failure of an LV that has no device although LVM has activated it, -ENOENT: -EPERM if the configuration
 * (volume_list) may be the reason. Passes other results on.
 */
int sf_lvm_explain_inactive(struct sf_lvm *lvm, const char *vg, int rc, struct sf_err *err);
/* Activates or deactivates all LVs that match the selection, ignoring the activation-skip flag. */
int sf_lvm_activate(struct sf_lvm *lvm, const char *vg, const char *select, bool active, struct sf_err *err);
/* Deactivates the snapshots that have had no reader for the grace time. */
void sf_lvm_sweep_idle(struct sf_lvm_storage *storage);
/* Makes the sweep include the report's active snapshots, which another process may have left. */
void sf_lvm_adopt_active(struct sf_lvm_storage *storage, struct sf_lvm_report *report);
/* For closing the storage. */
void sf_lvm_close_devices(struct sf_lvm_storage *storage);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of snapshots, and the images on them. All readers of a snapshot share one descriptor. A revert
 * replaces the device under it with dup3(), by one of equal content; a read in flight finishes on the old
 * device.
 */
#include "device.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "core/contract/image.h"
#include "block.h"
#include "command.h"
#include "internal.h"
#include "object.h"
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Attempts, each with a new report. An attempt fails only when a revert renames the LV meanwhile. */
#define OPEN_TRIES 3

struct image {
	struct sf_image base;
	struct sf_lvm_storage *storage;
	struct sf_lvm_device *device;
};

int sf_lvm_activate(struct sf_lvm *lvm, const char *vg, const char *select, bool active, struct sf_err *err)
{
	/* -K: thin snapshots have the activation-skip flag, which would silently make this a no-op. */
	const char *const argv[] = {"lvchange", "--yes", active ? "-ay" : "-an", "-K", "-S", select, "--",
				    vg,         NULL};

	return sf_lvm_run(lvm, vg, argv, NULL, err);
}

/*
 * Whether the configuration may limit what LVM activates: lvm.conf(5), activation/volume_list. LVM reports
 * success when that list leaves out an LV. False only if there is known to be no such list.
 */
static bool may_be_limited(struct sf_lvm *lvm, const char *vg)
{
	const char *const argv[] = {"lvmconfig", "activation/volume_list", NULL};
	struct sf_err err = {0};

	return sf_lvm_run(lvm, vg, argv, NULL, &err) == 0 || !strstr(err.text, "not found");
}

static int refuse_inactive(const char *vg, struct sf_err *err)
{
	return sf_fail(err, -EPERM,
		       "LVM does not activate snapshots in VG %s: add \"%s\" to activation/volume_list in "
		       "lvm.conf",
		       vg, vg);
}

int sf_lvm_explain_inactive(struct sf_lvm *lvm, const char *vg, int rc, struct sf_err *err)
{
	return rc == -ENOENT && may_be_limited(lvm, vg) ? refuse_inactive(vg, err) : rc;
}

/* --- devices; callers hold storage->lock, unless a function takes it or runs LVM --- */

/* By token, because a revert renames the LV for a while. */
static struct sf_lvm_device *find_device(struct sf_lvm_storage *storage, const struct sf_id *token)
{
	struct sf_lvm_device *device = storage->devices;

	while (device && !sf_id_equal(&device->token, token))
		device = device->next;
	return device;
}

/* Releases the lock while it waits until no thread activates or deactivates the device. */
static struct sf_lvm_device *find_settled(struct sf_lvm_storage *storage, const struct sf_id *token)
{
	struct sf_lvm_device *device;

	while ((device = find_device(storage, token)) && device->busy)
		pthread_cond_wait(&storage->settled, &storage->lock);
	return device;
}

static void settle(struct sf_lvm_storage *storage, struct sf_lvm_device *device)
{
	device->busy = false;
	pthread_cond_broadcast(&storage->settled);
}

static void name_device(struct sf_lvm_device *device, const char *vg, const char *dm)
{
	(void)snprintf(device->vg, sizeof(device->vg), "%s", vg);
	(void)snprintf(device->dm, sizeof(device->dm), "%s", dm);
}

static struct sf_lvm_device *add_device(struct sf_lvm_storage *storage, const char *vg, const char *dm,
					const struct sf_id *token)
{
	struct sf_lvm_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	name_device(device, vg, dm);
	device->token = *token;
	device->fd = -1;
	device->next = storage->devices;
	storage->devices = device;
	return device;
}

static void drop_device(struct sf_lvm_storage *storage, struct sf_lvm_device *device)
{
	struct sf_lvm_device **at = &storage->devices;

	while (*at != device)
		at = &(*at)->next;
	*at = device->next;
	sf_cleanup_fd(&device->fd);
	free(device);
}

/* Nobody reads it. The sweep deactivates a thin snapshot later; LVM keeps classic ones active. */
static void retire_device(struct sf_lvm_storage *storage, struct sf_lvm_device *device)
{
	sf_cleanup_fd(&device->fd);
	device->fd = -1;
	device->idle_since_ms = sf_clock_mono_ms();
	if (!storage->thin)
		drop_device(storage, device);
}

/* Naming a classic snapshot also activates its origin; a selection would not activate it. */
static int activate_classic(struct sf_lvm *lvm, const char *vg, const struct sf_id *token, struct sf_err *err)
{
	char name[SF_LVM_NAME], target[2 * SF_LVM_NAME];
	const char *const argv[] = {"lvchange", "--yes", "-ay", "--", target, NULL};

	sf_lvm_object_name(token, SF_LVM_SNAPSHOT, name);
	(void)snprintf(target, sizeof(target), "%s/%s", vg, name);
	return sf_lvm_run(lvm, vg, argv, NULL, err);
}

/* Activates the snapshot if it has no device. */
static int open_snapshot(struct sf_lvm_storage *storage, const char *vg, const char *dm,
			 const struct sf_id *token, struct sf_err *err)
{
	char select[SF_LVM_SELECT];
	struct sf_dm_info info;
	int rc = sf_dm_info(dm, &info, err);

	if (rc == -ENOENT && !storage->thin) {
		rc = activate_classic(storage->lvm, vg, token, err);
	} else if (rc == -ENOENT) {
		sf_lvm_select_snapshot(&storage->lvm->state_id, token, select);
		rc = sf_lvm_activate(storage->lvm, vg, select, true, err);
	}
	return rc < 0 ? rc : sf_lvm_open_device(dm, O_RDONLY | O_DIRECT, err);
}

/*
 * A device with a new reference or, if nobody reads it, one that is busy for the caller. NULL when out of
 * memory.
 */
static struct sf_lvm_device *share_device(struct sf_lvm_storage *storage, const char *vg, const char *dm,
					  const struct sf_id *token)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);
	struct sf_lvm_device *device = find_settled(storage, token);

	if (!device)
		device = add_device(storage, vg, dm, token);
	if (!device)
		return NULL;
	if (device->refs > 0) {
		device->refs++;
		return device;
	}
	name_device(device, vg, dm);
	device->busy = true;
	return device;
}

/* fd: a failure has an errno. */
static void give_fd(struct sf_lvm_storage *storage, struct sf_lvm_device *device, int fd)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);

	settle(storage, device);
	device->refs = fd < 0 ? 0 : 1;
	device->fd = fd;
	if (fd < 0)
		retire_device(storage, device);
}

/* LVM may take long. Meanwhile others wait only if they want the same device. */
static int get_device(struct sf_lvm_storage *storage, const char *vg, const char *dm,
		      const struct sf_id *token, struct sf_lvm_device **ret, struct sf_err *err)
{
	struct sf_lvm_device *device = share_device(storage, vg, dm, token);

	if (!device)
		return sf_fail(err, -ENOMEM, "out of memory");
	if (device->busy) { /* for us: nobody else changes it now */
		int fd = open_snapshot(storage, vg, dm, token, err);

		give_fd(storage, device, fd);
		if (fd < 0)
			return fd;
	}
	*ret = device;
	return 0;
}

void sf_lvm_put_device(struct sf_lvm_storage *storage, struct sf_lvm_device *device)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);

	if (--device->refs == 0)
		retire_device(storage, device);
}

void sf_lvm_close_devices(struct sf_lvm_storage *storage)
{
	while (storage->devices)
		drop_device(storage, storage->devices);
}

int sf_lvm_switch_device(struct sf_lvm_storage *storage, struct sf_lvm_device *device, int fd,
			 struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);

	if (dup3(fd, device->fd, O_CLOEXEC) < 0)
		return sf_fail(err, -errno, "exchange the readers' device: %s", strerror(errno));
	return 0;
}

int sf_lvm_divert(struct sf_lvm_storage *storage, const char *vg, const char *dm, const struct sf_id *token,
		  int fd, struct sf_lvm_device **ret, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);
	struct sf_lvm_device *device = find_settled(storage, token);
	int own;

	if (!device)
		device = add_device(storage, vg, dm, token);
	if (!device)
		return sf_fail(err, -ENOMEM, "out of memory");
	own = device->refs > 0 ? dup3(fd, device->fd, O_CLOEXEC) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return sf_fail(err, -errno, "exchange the readers' device: %s", strerror(errno));
	if (device->refs == 0) { /* else readers use these without the lock, and they stay the same */
		name_device(device, vg, dm);
		device->fd = own;
	}
	device->refs++;
	*ret = device;
	return 0;
}

void sf_lvm_rename_device(struct sf_lvm_storage *storage, const struct sf_id *token, const char *dm)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);
	struct sf_lvm_device *device = find_settled(storage, token);

	if (device)
		(void)snprintf(device->dm, sizeof(device->dm), "%s", dm);
}

/* --- deactivating idle snapshots --- */

/*
 * Picks a snapshot whose grace time was over at begun_ms, for which it is busy; NULL when there is none. One
 * that has been given back since then does not count.
 */
static struct sf_lvm_device *take_idle(struct sf_lvm_storage *storage, uint64_t begun_ms)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);
	struct sf_lvm_device *device = storage->devices;

	while (device && (device->refs > 0 || device->busy || device->idle_since_ms >= begun_ms ||
			  begun_ms - device->idle_since_ms < storage->lvm->config->idle_ms))
		device = device->next;
	if (device)
		device->busy = true;
	return device;
}

/* A revert may just have activated the other one. */
static enum sf_lvm_role role_of(const struct sf_lvm_device *device)
{
	char name[SF_LVM_NAME], dm[SF_DM_NAME];

	sf_lvm_object_name(&device->token, SF_LVM_COPY, name);
	return sf_dm_name(device->vg, name, NULL, dm, NULL) == 0 && strcmp(dm, device->dm) == 0
		       ? SF_LVM_COPY
		       : SF_LVM_SNAPSHOT;
}

/* *ret_gone: it has no device any more. Fails only when LVM does. */
static int deactivate(struct sf_lvm_storage *storage, const struct sf_lvm_device *device, bool *ret_gone,
		      struct sf_err *err)
{
	char select[SF_LVM_SELECT];
	struct sf_dm_info info;
	int rc;

	*ret_gone = sf_dm_info(device->dm, &info, NULL) < 0; /* removed or deactivated by someone else */
	if (*ret_gone || info.open_count > 0)                /* another program has it open */
		return 0;
	sf_lvm_select_role(&storage->lvm->state_id, &device->token, role_of(device), select);
	rc = sf_lvm_activate(storage->lvm, device->vg, select, false, err);
	*ret_gone = rc == 0;
	return rc;
}

/* One that stays waits for another grace time. */
static void give_back(struct sf_lvm_storage *storage, struct sf_lvm_device *device, bool gone)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);

	settle(storage, device);
	device->idle_since_ms = sf_clock_mono_ms();
	if (gone)
		drop_device(storage, device);
}

/* Ends when LVM fails: the next attempt would probably fail as well, and its readers wait. */
void sf_lvm_sweep_idle(struct sf_lvm_storage *storage)
{
	uint64_t begun_ms = sf_clock_mono_ms();
	struct sf_lvm_device *device;
	int rc = 0;

	while (rc == 0 && (device = take_idle(storage, begun_ms))) {
		struct sf_err err = {0};
		bool gone;

		rc = deactivate(storage, device, &gone, &err);
		if (rc < 0)
			sf_log(SF_LOG_WARNING, "snapshot %s stays active: %s", device->dm, err.text);
		give_back(storage, device, gone);
	}
}

void sf_lvm_adopt_active(struct sf_lvm_storage *storage, struct sf_lvm_report *report)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->lock);

	for (size_t i = 0; i < report->n; i++) {
		const struct sf_lv *lv = &report->lvs[i];
		struct sf_lvm_device *device;
		char dm[SF_DM_NAME];

		if (!lv->active || !sf_lvm_is_thin(lv) || !sf_lvm_is_ours(&storage->lvm->state_id, lv) ||
		    find_device(storage, &lv->tags.object.token) ||
		    sf_dm_name(report->vg, lv->name, NULL, dm, NULL) < 0)
			continue;
		device = add_device(storage, report->vg, dm, &lv->tags.object.token);
		if (device)
			device->idle_since_ms = sf_clock_mono_ms();
	}
}

/* --- images --- */

/*
 * Once a store has overflowed, reads of chunks without a copy return the live origin's content. That state is
 * final. So it is checked after each read: if the store is still valid, so is what was read.
 */
static int check_valid(const struct image *image, int read_rc, struct sf_err *err)
{
	struct sf_dm_snapshot snapshot;
	struct sf_err why = {0};
	int rc = sf_dm_snapshot(image->device->dm, &snapshot, &why);

	if (rc == 0 && snapshot.state == SF_DM_SNAPSHOT_OK)
		return read_rc;
	if (rc == 0 || rc == -EINVAL || rc == -ENOENT) /* the device was replaced */
		return sf_fail(err, -ESTALE, "%s: its COW store overflowed, the content is gone",
			       image->device->dm);
	return sf_fail(err, rc, "%s", why.text);
}

static int image_pread(struct sf_image *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	struct image *image = (struct image *)base;
	int rc = sf_lvm_pread(image->device->fd, image->device->dm, buf, len, off, err);

	return image->storage->thin ? rc : check_valid(image, rc, err);
}

/* The device does not report holes; sf_lvm_thin_map() (pool.c) does. */
static int image_extent(struct sf_image *base, uint64_t off, struct sf_extent *ret, struct sf_err *err)
{
	(void)err;
	*ret = (struct sf_extent){.off = off, .len = base->size_bytes - off, .data = true};
	return 0;
}

static void image_close(struct sf_image *base)
{
	struct image *image = (struct image *)base;

	sf_lvm_put_device(image->storage, image->device);
	free(image);
}

static const struct sf_image_ops image_ops = {
	.pread = image_pread,
	.extent = image_extent,
	.file = sf_image_no_file,
	.close = image_close,
};

static int measure(struct image *image, struct sf_err *err)
{
	if (ioctl(image->device->fd, BLKGETSIZE64, &image->base.size_bytes) < 0)
		return sf_fail(err, -errno, "size of %s: %s", image->device->dm, strerror(errno));
	return image->storage->thin ? 0 : check_valid(image, 0, err);
}

/* One attempt. -ENOENT also when the LV no longer has the name in the report. */
static int open_device_of(struct image *image, const struct sf_lvm_report *report, const struct sf_lv *lv,
			  const struct sf_object *object, struct sf_err *err)
{
	char dm[SF_DM_NAME];
	int rc = sf_dm_name(report->vg, lv->name, NULL, dm, err);

	return rc < 0 ? rc : get_device(image->storage, report->vg, dm, &object->token, &image->device, err);
}

/*
 * The remembered report is good enough, whatever changed since, so readers do not wait for LVM. Only a revert
 * renames a snapshot's LV for a while. Then the device is missing, and LVM is asked.
 */
static int find_device_of(struct image *image, const struct sf_object *object, struct sf_err *err)
{
	struct sf_storage *storage = &image->storage->base;
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv;
	int rc = sf_lvm_find_known_object(storage, object, &report, &lv);

	if (rc == 0)
		rc = open_device_of(image, report, lv, object, err);
	for (int i = 0; rc == -ENOENT && i < OPEN_TRIES; i++) {
		sf_lvm_report_unref(report);
		report = NULL;
		rc = sf_lvm_find_object(storage, object, SF_LVM_NOW, &report, &lv, err);
		if (rc < 0)
			return rc;
		rc = open_device_of(image, report, lv, object, err);
	}
	/* The LV exists: a missing one has been reported above. */
	if (rc == -ENOENT && may_be_limited(image->storage->lvm, report->vg))
		rc = refuse_inactive(report->vg, err);
	return rc;
}

int sf_lvm_settle(struct sf_storage *base, const struct sf_object *object, struct sf_err *err)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(base);
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME], dm[SF_DM_NAME];
	struct sf_lvm_device *device;
	const struct sf_lv *found;
	int rc = sf_lvm_split_origin(object->origin, vg, lv, err);

	if (rc < 0 || !may_be_limited(storage->lvm, vg))
		return rc;
	rc = sf_lvm_find_object(base, object, SF_LVM_OBJECTS_MS, &report, &found, err);
	if (rc == 0)
		rc = sf_dm_name(vg, found->name, NULL, dm, err);
	if (rc < 0)
		return rc;
	rc = get_device(storage, vg, dm, &object->token, &device, err);
	if (rc == 0)
		sf_lvm_put_device(storage, device);
	return rc == -ENOENT ? refuse_inactive(vg, err) : rc;
}

int sf_lvm_image_open(struct sf_storage *storage, const struct sf_object *object, struct sf_image **ret,
		      struct sf_err *err)
{
	auto_free struct image *image = calloc(1, sizeof(*image));
	int rc;

	if (!image)
		return sf_fail(err, -ENOMEM, "out of memory");
	image->base.ops = &image_ops;
	image->storage = sf_lvm_storage(storage);
	rc = find_device_of(image, object, err);
	if (rc == 0 && (rc = measure(image, err)) < 0)
		sf_lvm_put_device(image->storage, image->device);
	if (rc == 0)
		*ret = &((struct image *)sf_take_ptr(&image))->base;
	return rc;
}

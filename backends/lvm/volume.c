/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "block.h"
#include "hold.h"
#include "internal.h"
#include "report.h"
#include "thin_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "LVM-" and the ids of VG and LV. A longer UUID names a layer, which is no volume. */
#define LVM_DM_UUID 68

/* --- which LV --- */

/* A single hyphen separates VG and LV; a double one is an escaped hyphen (libdm: dm_split_lvm_name). */
static bool split_dm_name(const char *name, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME])
{
	char *part = vg;
	size_t len = 0;

	for (; *name && len + 1 < SF_LVM_NAME; name++) {
		if (name[0] == '-' && name[1] != '-') {
			if (part == lv)
				return false; /* a layer follows */
			part[len] = '\0';
			part = lv;
			len = 0;
			continue;
		}
		part[len++] = *name;
		name += *name == '-';
	}
	part[len] = '\0';
	return !*name && part == lv && len > 0 && *vg;
}

/* Directories in /dev that do not belong to a VG. */
static bool is_other_dir(const char *vg)
{
	static const char *const others[] = {"mapper", "disk", "shm", "block", "char",
					     "loop",   "pts",  "md",  "zvol"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(vg, others[i]) == 0)
			return true;
	return false;
}

bool sf_lvm_resolve(const char *spec, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME])
{
	char uuid[SF_DM_UUID + 1], name[SF_DM_NAME + 1];
	struct stat st;

	if (stat(spec, &st) < 0 && strncmp(spec, "/dev/mapper/", 12) == 0)
		return split_dm_name(spec + 12, vg, lv) && sf_lvm_is_name(vg) && sf_lvm_is_name(lv);
	if (stat(spec, &st) < 0)
		return sf_lvm_split_origin(spec, vg, lv, NULL) == 0 && !is_other_dir(vg);
	return S_ISBLK(st.st_mode) && sf_lvm_read_sysfs(st.st_rdev, "dm/uuid", uuid, sizeof(uuid)) == 0 &&
	       strncmp(uuid, "LVM-", 4) == 0 && strlen(uuid) == LVM_DM_UUID &&
	       sf_lvm_read_sysfs(st.st_rdev, "dm/name", name, sizeof(name)) == 0 &&
	       split_dm_name(name, vg, lv);
}

/* Whether a report's volume was not removed since, as far as device-mapper tells: an inactive one may have
 * been. */
static bool has_device(const struct sf_lvm_report *report, const struct sf_lv *lv)
{
	struct sf_dm_info info;
	char dm[SF_DM_NAME];

	return !lv->active || (sf_dm_name(report->vg, lv->name, NULL, dm, NULL) == 0 &&
			       sf_dm_info(dm, &info, NULL) != -ENOENT);
}

/* An old report is good enough if it has the volume, and its device exists; if not, a newer one is consulted.
 */
static int look_for_volume(struct sf_lvm *lvm, const char *vg, const char *lv,
			   struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err)
{
	static const uint64_t ages[] = {SF_LVM_FACTS_MS, SF_LVM_OBJECTS_MS};

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		auto_report struct sf_lvm_report *report = NULL;
		int rc = sf_lvm_report(lvm, vg, ages[i], i == 0, &report, err);
		const struct sf_lv *found = rc < 0 ? NULL : sf_lvm_find(report, lv);

		if (rc < 0)
			return rc;
		if (found && (i > 0 || has_device(report, found))) {
			*ret = found;
			*ret_report = sf_take_ptr(&report);
			return 0;
		}
	}
	return sf_fail(err, -ENOENT, "VG %s has no logical volume '%s'", vg, lv);
}

/*
 * A volume that lost its name to an interrupted revert gets it back first. If that fails, the volume is not
 * known to be gone.
 */
static int find_volume(struct sf_lvm_storage *storage, const char *vg, const char *lv,
		       struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err)
{
	int rc = look_for_volume(storage->lvm, vg, lv, ret_report, ret, err);

	if (rc != -ENOENT || !storage->thin)
		return rc;
	rc = sf_lvm_heal(storage, vg, lv, err);
	return rc < 0 ? rc : look_for_volume(storage->lvm, vg, lv, ret_report, ret, err);
}

int sf_lvm_claims(struct sf_storage *storage, const char *spec, struct sf_err *err)
{
	struct sf_lvm_storage *own = sf_lvm_storage(storage);
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME];
	const struct sf_lv *found;
	int rc;

	if (!sf_lvm_resolve(spec, vg, lv))
		return 0;
	rc = find_volume(own, vg, lv, &report, &found, err);
	if (rc < 0)
		return sf_wrap(err, rc, "open %s", spec);
	return own->thin == sf_lvm_is_thin(found);
}

/* --- opening --- */

static int check_volume(const struct sf_lvm_report *report, const struct sf_lv *lv, struct sf_err *err)
{
	size_t len = strlen(lv->segtype);

	if (lv->tagged && strncmp(lv->name, "snapfs_", 7) == 0)
		return sf_fail(err, -EINVAL, "%s/%s is itself a snapshot of snapfs", report->vg, lv->name);
	if (sf_lvm_is_cow(lv, NULL))
		return sf_fail(err, -EINVAL, "%s/%s is a snapshot of %s", report->vg, lv->name, lv->origin);
	if (len > 5 && strcmp(lv->segtype + len - 5, "-pool") == 0)
		return sf_fail(err, -EINVAL, "%s/%s is a pool", report->vg, lv->name);
	return 0;
}

/* The storage may have claimed it without being able to query it. */
static int check_kind(const struct sf_lvm_storage *storage, const struct sf_lvm_report *report,
		      const struct sf_lv *lv, struct sf_err *err)
{
	if (storage->thin == sf_lvm_is_thin(lv))
		return 0;
	return sf_fail(err, -EAGAIN, "%s/%s is %s volume, contrary to an earlier report; try again",
		       report->vg, lv->name, sf_lvm_is_thin(lv) ? "a thin" : "no thin");
}

int sf_lvm_volume_open(struct sf_storage *storage, const char *vm, const struct sf_disk *disk,
		       struct sf_volume **ret, struct sf_err *err)
{
	auto_free struct sf_lvm_volume *volume = calloc(1, sizeof(*volume));
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv;
	int rc;

	(void)vm;
	if (!volume)
		return sf_fail(err, -ENOMEM, "open %s: out of memory", disk->spec);
	if (!sf_lvm_resolve(disk->spec, volume->vg, volume->lv))
		return sf_fail(err, -ENOENT, "open %s: it is no longer a logical volume", disk->spec);
	if ((rc = find_volume(sf_lvm_storage(storage), volume->vg, volume->lv, &report, &lv, err)) < 0 ||
	    (rc = check_volume(report, lv, err)) < 0 ||
	    (rc = check_kind(sf_lvm_storage(storage), report, lv, err)) < 0 ||
	    (rc = sf_dm_name(volume->vg, volume->lv, NULL, volume->dm, err)) < 0)
		return sf_wrap(err, rc, "open %s", disk->spec);
	volume->base.storage = storage;
	(void)snprintf(volume->base.origin, sizeof(volume->base.origin), "/dev/%s/%s", volume->vg,
		       volume->lv);
	volume->claim_fd = -1;
	*ret = &((struct sf_lvm_volume *)sf_take_ptr(&volume))->base;
	return 0;
}

void sf_lvm_volume_close(struct sf_volume *volume)
{
	sf_lvm_release(volume);
	free(volume);
}

/* An inactive LV has no device; then LVM's metadata has the size. */
int sf_lvm_volume_stat(struct sf_volume *base, struct sf_volume_stat *ret, struct sf_err *err)
{
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	bool thin = sf_lvm_storage(base->storage)->thin;
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_volume_stat st = {.instant = true, .method = thin ? "thin" : "classic"};
	struct sf_dm_target target;
	struct sf_dm_thin dm;
	const struct sf_lv *lv;
	int rc = sf_dm_table(volume->dm, &target, err);

	if (rc == 0)
		st.size_bytes = target.size_bytes;
	else if (rc == -ENOENT && (rc = find_volume(sf_lvm_storage(base->storage), volume->vg, volume->lv,
						    &report, &lv, err)) == 0)
		st.size_bytes = lv->size_bytes;
	if (rc < 0)
		return rc;
	st.allocated_bytes = st.size_bytes;
	if (thin && !report && sf_dm_thin(volume->dm, &dm, NULL) == 0 && dm.mapped_bytes < st.size_bytes)
		st.allocated_bytes = dm.mapped_bytes;
	*ret = st;
	return 0;
}

/* --- reading and writing --- */

int sf_lvm_volume_read(struct sf_volume *base, void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_fd int fd = sf_lvm_open_device(sf_lvm_volume(base)->dm, O_RDONLY, err);

	return fd < 0 ? fd : sf_pread_exactly(fd, base->origin, buf, len, off, err);
}

int sf_lvm_volume_write(struct sf_volume *base, const void *buf, size_t len, uint64_t off, struct sf_err *err)
{
	auto_fd int fd = sf_lvm_open_device(sf_lvm_volume(base)->dm, O_WRONLY, err);
	int rc;

	if (fd < 0)
		return fd;
	rc = sf_pwrite_all(fd, buf, len, off);
	if (rc == 0 && fdatasync(fd) < 0)
		rc = -errno;
	return rc < 0 ? sf_fail(err, rc, "write %s: %s", base->origin, strerror(-rc)) : 0;
}

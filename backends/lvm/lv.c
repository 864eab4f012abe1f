/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lv.h"

#include "base/err.h"
#include "base/id.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void sf_lvm_report_unref(struct sf_lvm_report *report)
{
	if (!report || atomic_fetch_sub(&report->refs, 1) != 1)
		return;
	for (size_t i = 0; i < report->n; i++)
		free(report->lvs[i].own_tags), free(report->lvs[i].other_tags);
	free(report->lvs);
	free(report);
}

const struct sf_lv *sf_lvm_find(const struct sf_lvm_report *report, const char *name)
{
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->lvs[i].name, name) == 0)
			return &report->lvs[i];
	return NULL;
}

bool sf_lvm_has_role(const struct sf_id *state_id, const struct sf_lv *lv, enum sf_lvm_role role)
{
	char name[SF_LVM_NAME];

	if (!lv->tagged || !sf_id_equal(&lv->tags.state_id, state_id))
		return false;
	sf_lvm_object_name(&lv->tags.object.token, role, name);
	return strcmp(lv->name, name) == 0;
}

bool sf_lvm_is_ours(const struct sf_id *state_id, const struct sf_lv *lv)
{
	return sf_lvm_has_role(state_id, lv, SF_LVM_SNAPSHOT) || sf_lvm_has_role(state_id, lv, SF_LVM_COPY);
}

/* LVM reports an origin for cached and integrity volumes too, which is a hidden LV. */
bool sf_lvm_is_cow(const struct sf_lv *snapshot, const char *lv)
{
	const char *layer = strrchr(snapshot->origin, '_');

	if (!*snapshot->origin || sf_lvm_is_thin(snapshot))
		return false;
	if (layer &&
	    (strcmp(layer, "_corig") == 0 || strcmp(layer, "_iorig") == 0 || strcmp(layer, "_wcorig") == 0))
		return false;
	return !lv || strcmp(snapshot->origin, lv) == 0;
}

static bool depends_on(const struct sf_lvm_report *report, const struct sf_lv *lv, const char *name)
{
	const struct sf_lv *origin = sf_lvm_find(report, name);

	if (sf_lvm_is_cow(lv, name))
		return true;
	return sf_lvm_is_thin(lv) && strcmp(lv->origin, name) == 0 &&
	       (!origin || strcmp(origin->pool, lv->pool) != 0);
}

int sf_lvm_check_no_dependents(const struct sf_lvm_report *report, const char *lv, struct sf_err *err)
{
	for (size_t i = 0; i < report->n; i++)
		if (depends_on(report, &report->lvs[i], lv))
			return sf_fail(err, -EBUSY,
				       "%s/%s has a snapshot of its own, %s, that would be lost with it",
				       report->vg, lv, report->lvs[i].name);
	return 0;
}

bool sf_lvm_is_name(const char *name)
{
	return *name && *name != '-' && *name != '.' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-")] ==
		       '\0';
}

int sf_lvm_split_origin(const char *origin, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME],
			struct sf_err *err)
{
	const char *slash = strncmp(origin, "/dev/", 5) == 0 ? strchr(origin + 5, '/') : NULL;

	if (slash && slash - (origin + 5) < SF_LVM_NAME && strlen(slash + 1) < SF_LVM_NAME) {
		memcpy(vg, origin + 5, (size_t)(slash - (origin + 5)));
		vg[slash - (origin + 5)] = '\0';
		memcpy(lv, slash + 1, strlen(slash + 1) + 1);
		if (sf_lvm_is_name(vg) && sf_lvm_is_name(lv))
			return 0;
	}
	return sf_fail(err, -EINVAL, "%s is not /dev/VG/LV", origin);
}

int sf_lvm_check_vg(const struct sf_lvm_report *report, struct sf_err *err)
{
	if (report->missing_pvs > 0)
		return sf_fail(err, -EIO,
			       "VG %s lacks %u of its physical volumes, so LVM refuses to change it",
			       report->vg, report->missing_pvs);
	return 0;
}

bool sf_lvm_is_thin(const struct sf_lv *lv)
{
	return strcmp(lv->segtype, "thin") == 0;
}

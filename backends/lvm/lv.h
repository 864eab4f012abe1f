/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about the LVs of one VG at one moment, and what follows from them. Pure functions. */
#ifndef SF_BACKENDS_LVM_LV_H
#define SF_BACKENDS_LVM_LV_H

#include "tags.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Size of a buffer for a UUID of LVM: 32 letters and digits in seven groups (lvm2, uuid.h). */
#define SF_LVM_UUID 39

struct sf_lv {
	char name[SF_LVM_NAME];
	char uuid[SF_LVM_UUID];
	char segtype[32];
	char pool[SF_LVM_NAME];
	char origin[SF_LVM_NAME]; /* LVM's column of that name; empty: none */
	uint64_t thin_id;
	uint64_t size_bytes;
	bool active;
	bool merging;
	char *own_tags;   /* all snapfs tags, of this or another state directory, with commas; NULL: none */
	char *other_tags; /* all others; NULL: none */
	bool tagged;      /* tags is valid */
	struct sf_lvm_tags tags;
};

/* Immutable except for free_bytes, and reference-counted. */
struct sf_lvm_report {
	char vg[SF_LVM_NAME];
	char vg_uuid[SF_LVM_UUID];
	uint64_t extent_bytes;
	uint64_t vg_bytes;
	unsigned missing_pvs;
	struct sf_lv *lvs;
	size_t n;
	_Atomic unsigned refs;
	_Atomic uint64_t free_bytes; /* lowered by what we allocate until the next report */
};
/* The last reference frees it. NULL is a no-op. */
void sf_lvm_report_unref(struct sf_lvm_report *report);

#define auto_report __attribute__((cleanup(sf_lvm_cleanup_report)))
static inline void sf_lvm_cleanup_report(struct sf_lvm_report **report)
{
	sf_lvm_report_unref(*report);
}

/* NULL: no LV has that name. The LV lives as long as the report. */
const struct sf_lv *sf_lvm_find(const struct sf_lvm_report *report, const char *name);

bool sf_lvm_is_thin(const struct sf_lv *lv);
/* Carries the tags and the name of this role, with this state id. */
bool sf_lvm_has_role(const struct sf_id *state_id, const struct sf_lv *lv, enum sf_lvm_role role);
/* A snapshot of ours, under its lasting name or its copy's. */
bool sf_lvm_is_ours(const struct sf_id *state_id, const struct sf_lv *lv);
/* A classic snapshot of the volume named lv; NULL: of any volume. */
bool sf_lvm_is_cow(const struct sf_lv *snapshot, const char *lv);

/*
 * -EBUSY when removing or replacing the LV named lv would destroy an LV that depends on it: a classic
 * snapshot, or a thin snapshot of it in another pool.
 */
int sf_lvm_check_no_dependents(const struct sf_lvm_report *report, const char *lv, struct sf_err *err);
/* -EIO when PVs of the VG are missing: LVM then refuses every change. */
int sf_lvm_check_vg(const struct sf_lvm_report *report, struct sf_err *err);

/* Valid as the name of a VG or LV (lvm(8)). */
bool sf_lvm_is_name(const char *name);
/* Splits an origin "/dev/VG/LV"; -EINVAL for anything else. */
int sf_lvm_split_origin(const char *origin, char vg[static SF_LVM_NAME], char lv[static SF_LVM_NAME],
			struct sf_err *err);

#endif

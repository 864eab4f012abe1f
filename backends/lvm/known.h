/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reports that the instance remembers, one per VG, and how they relate to our changes. Thread-safe. */
#ifndef SF_BACKENDS_LVM_KNOWN_H
#define SF_BACKENDS_LVM_KNOWN_H

#include "lv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_lvm;

/* VGs whose reports are remembered. Beyond that number the last place is reused. */
#define SF_LVM_VGS 64

struct sf_lvm_known {
	char vg[SF_LVM_NAME];
	struct sf_lvm_report *report; /* NULL: none yet */
	uint64_t asked_ms;            /* CLOCK_MONOTONIC, when LVM was asked */
	uint64_t asked_at;            /* sf_lvm.changes then: a count, not a time */
	uint64_t changed_at;          /* value of sf_lvm.changes at our last change here; 0: none */
	uint64_t changed_ms;          /* CLOCK_MONOTONIC of that change */
};

/*
 * The remembered report if it is younger than max_age_ms, with a reference; else NULL. Without facts_only it
 * must also have been asked for after our last change to the VG. While PVs of the VG are missing, always
 * NULL: they may return at any moment. *ret_changes: to be handed to sf_lvm_remember() with the answer, if
 * the caller asks LVM now.
 */
struct sf_lvm_report *sf_lvm_known(struct sf_lvm *lvm, const char *vg, uint64_t max_age_ms, bool facts_only,
				   uint64_t *ret_changes);
/* The last report, whatever its age, what has changed since, or PVs that were missing; NULL: none. */
struct sf_lvm_report *sf_lvm_remembered(struct sf_lvm *lvm, const char *vg);
/* Takes a reference of its own. */
void sf_lvm_remember(struct sf_lvm *lvm, const char *vg, struct sf_lvm_report *report, uint64_t asked_ms,
		     uint64_t asked_at);
/* A command of ours has changed, or may have changed, the VG. */
void sf_lvm_changed(struct sf_lvm *lvm, const char *vg);
/* No command of ours runs, and the last change to this VG is at least quiet_ms ago. */
bool sf_lvm_is_quiet(struct sf_lvm *lvm, const char *vg, uint64_t quiet_ms);
/* Copies the name of the VG in place i; false when there is no report in it. */
bool sf_lvm_known_vg(struct sf_lvm *lvm, size_t i, char vg[static SF_LVM_NAME]);
/* For freeing the instance. */
void sf_lvm_forget_reports(struct sf_lvm *lvm);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports of what is in a VG, made by `lvs` (lvmreport(7)). Thread-safe. */
#ifndef SF_BACKENDS_LVM_REPORT_H
#define SF_BACKENDS_LVM_REPORT_H

#include "lv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_lvm;

/* Maximum ages of a report, in milliseconds. */
#define SF_LVM_FACTS_MS   60000 /* for volumes, which only an administrator changes: type, size, pool */
#define SF_LVM_OBJECTS_MS 2000  /* for snapshots, which mostly snapfs changes */
#define SF_LVM_NOW        0

/*
 * Gets a report younger than max_age_ms, remembered or new. facts_only accepts a remembered one from before
 * our own last change. Release *ret with sf_lvm_report_unref(). -ENODEV: there is no such VG. -EPERM: it is
 * exported.
 */
int sf_lvm_report(struct sf_lvm *lvm, const char *vg, uint64_t max_age_ms, bool facts_only,
		  struct sf_lvm_report **ret, struct sf_err *err);
/* Parses the JSON that `lvs` prints; for sf_lvm_report() and tests. -EPROTO, -ENOMEM. */
int sf_lvm_parse(const char *text, size_t len, struct sf_lvm_report **ret, struct sf_err *err);
/* Calls fn with a report younger than SF_LVM_FACTS_MS of every remembered VG that LVM can report. */
void sf_lvm_each_vg(struct sf_lvm *lvm, void (*fn)(void *arg, struct sf_lvm_report *report), void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "known.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "instance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct sf_lvm_known *known_vg(struct sf_lvm *lvm, const char *vg)
{
	struct sf_lvm_known *known;

	for (size_t i = 0; i < lvm->nknown; i++)
		if (strcmp(lvm->known[i].vg, vg) == 0)
			return &lvm->known[i];
	if (lvm->nknown < SF_LVM_VGS) {
		known = &lvm->known[lvm->nknown++];
	} else { /* more VGs than any known host has: they take turns in the last place */
		known = &lvm->known[SF_LVM_VGS - 1];
		sf_lvm_report_unref(known->report);
	}
	/* A report asked for before the place was reused must not count as newer than the last change. */
	*known = (struct sf_lvm_known){.changed_at = lvm->nknown == SF_LVM_VGS ? ++lvm->changes : 0};
	(void)snprintf(known->vg, sizeof(known->vg), "%s", vg);
	return known;
}

struct sf_lvm_report *sf_lvm_known(struct sf_lvm *lvm, const char *vg, uint64_t max_age_ms, bool facts_only,
				   uint64_t *ret_changes)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);
	struct sf_lvm_known *known = known_vg(lvm, vg);

	*ret_changes = lvm->changes;
	if (!known->report || (known->report->missing_pvs > 0 && max_age_ms != UINT64_MAX) ||
	    (known->changed_at > known->asked_at && !facts_only) ||
	    sf_clock_mono_ms() - known->asked_ms >= max_age_ms)
		return NULL;
	atomic_fetch_add(&known->report->refs, 1);
	return known->report;
}

void sf_lvm_remember(struct sf_lvm *lvm, const char *vg, struct sf_lvm_report *report, uint64_t asked_ms,
		     uint64_t asked_at)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);
	struct sf_lvm_known *known = known_vg(lvm, vg);

	sf_lvm_report_unref(known->report);
	atomic_fetch_add(&report->refs, 1);
	known->report = report;
	known->asked_ms = asked_ms;
	known->asked_at = asked_at;
}

void sf_lvm_changed(struct sf_lvm *lvm, const char *vg)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);
	struct sf_lvm_known *known = known_vg(lvm, vg);

	known->changed_at = ++lvm->changes;
	known->changed_ms = sf_clock_mono_ms();
}

struct sf_lvm_report *sf_lvm_remembered(struct sf_lvm *lvm, const char *vg)
{
	uint64_t changes;

	return sf_lvm_known(lvm, vg, UINT64_MAX, true, &changes);
}

bool sf_lvm_is_quiet(struct sf_lvm *lvm, const char *vg, uint64_t quiet_ms)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);

	return !lvm->running && sf_clock_mono_ms() - known_vg(lvm, vg)->changed_ms >= quiet_ms;
}

bool sf_lvm_known_vg(struct sf_lvm *lvm, size_t i, char vg[static SF_LVM_NAME])
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);

	if (i >= lvm->nknown || !lvm->known[i].report)
		return false;
	memcpy(vg, lvm->known[i].vg, SF_LVM_NAME);
	return true;
}

void sf_lvm_forget_reports(struct sf_lvm *lvm)
{
	for (size_t i = 0; i < lvm->nknown; i++)
		sf_lvm_report_unref(lvm->known[i].report);
	lvm->nknown = 0;
}

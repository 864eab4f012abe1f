/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which snapshots of a VM go by the rules of retention, and their removal: what prune and run share. */
#ifndef SF_SNAPFSCTL_COMMANDS_PRUNING_H
#define SF_SNAPFSCTL_COMMANDS_PRUNING_H

#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"

#include "core/calendar/retention.h"

struct sf_prune {
	struct sf_keep_rules rules;
	const char *timezone; /* NULL: the VM's own, which is the host's unless snapfs.conf says otherwise */
	const char *pattern;  /* fnmatch(3) of the names that the rules see; NULL: all */
	bool pre_revert;      /* the rules see the states that reverts left, too */
	uint64_t now_ns;
};

/* One VM's snapshots as the rules decided, in the order of time; those that the pattern leaves out are not
 * among them. */
struct sf_pruned {
	struct sf_snaps snaps;
	struct sf_kept *kept; /* one for each */
};

/*
 * Held, broken and unreadable snapshots and, unless asked for, those that a revert left are exempt. -ENOENT
 * for an unknown VM, -EINVAL for rules that would keep nothing and for an unknown time zone.
 */
int sf_prune_plan(const struct sf_mount *mount, const char *vm, const struct sf_prune *prune,
		  struct sf_pruned *ret, struct sf_err *err);
/* All zeros is none. */
void sf_pruned_fini(struct sf_pruned *pruned);

size_t sf_pruned_nremoved(const struct sf_pruned *pruned);

/* Deletes what does not stay, the oldest first, until an interrupt. Returns how many that were. What has gone
 * or is held by now is no failure. */
size_t sf_prune_delete(struct sf_ctl *ctl, const struct sf_pruned *pruned, struct sf_results *results);

#endif

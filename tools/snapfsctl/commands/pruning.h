/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chooses the snapshots of a VM that the retention rules remove, and deletes them. Shared by prune and run.
 */
#ifndef SF_SNAPFSCTL_COMMANDS_PRUNING_H
#define SF_SNAPFSCTL_COMMANDS_PRUNING_H

#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"

#include "core/calendar/retention.h"

struct sf_prune {
	struct sf_keep_rules rules;
	const char *timezone; /* NULL: the VM's own, which is the host's unless snapfs.conf says otherwise */
	const char *pattern;  /* fnmatch(3) pattern of the names that the rules apply to; NULL: all */
	bool pre_revert;      /* the rules also apply to the snapshots that reverts made */
	uint64_t now_ns;
};

/* The snapshots of one VM that match the pattern, by time, and the rules' decision on each. */
struct sf_pruned {
	struct sf_snaps snaps;
	struct sf_kept *kept; /* one for each snapshot */
};

/*
 * Applies the rules and deletes nothing. Held, broken and unreadable snapshots are exempt; so are pre-revert
 * snapshots, unless prune->pre_revert is set. -ENOENT for an unknown VM, -EINVAL for rules that keep nothing
 * and for an unknown time zone.
 */
int sf_prune_plan(const struct sf_mount *mount, const char *vm, const struct sf_prune *prune,
		  struct sf_pruned *ret, struct sf_err *err);
/* All zeros is an empty value. */
void sf_pruned_fini(struct sf_pruned *pruned);

size_t sf_pruned_nremoved(const struct sf_pruned *pruned);

/*
 * Deletes the snapshots that the rules do not keep, oldest first, until an interrupt. Returns how many it
 * deleted. A snapshot that is gone or held by now does not count as a failure.
 */
size_t sf_prune_delete(struct sf_ctl *ctl, const struct sf_pruned *pruned, struct sf_results *results);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pruning.h"

#include "tools/snapfsctl/tree/act.h"
#include "tools/snapfsctl/tree/interrupt.h"

#include "core/calendar/zone.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sf_pruned_fini(struct sf_pruned *pruned)
{
	sf_snaps_fini(&pruned->snaps);
	free(pruned->kept);
	pruned->kept = NULL;
}

/* Why the rules do not apply to a snapshot; NULL if they do. */
static const char *exempt(const struct sf_prune *prune, const struct sf_snap *snap)
{
	if (*snap->problem)
		return "broken";
	if (strcmp(snap->state, "ready") != 0)
		return "not ready";
	if (snap->held)
		return "held";
	if (!prune->pre_revert && sf_snap_is_pre_revert(snap))
		return "pre-revert";
	return NULL;
}

/* Removes the snapshots whose names do not match the pattern. */
static void select_names(struct sf_snaps *snaps, const char *pattern)
{
	size_t n = 0;

	for (size_t i = 0; i < snaps->n; i++) {
		if (pattern && fnmatch(pattern, snaps->list[i].name, 0) != 0)
			sf_snap_fini(&snaps->list[i]);
		else
			snaps->list[n++] = snaps->list[i];
	}
	snaps->n = n;
}

/*
 * The time zone that the daemon's configuration sets for a VM; empty for the host's. A user who may not read
 * it prunes by the host's days. Any other failure is an error, because other days would remove other
 * snapshots.
 */
static int own_zone(const struct sf_mount *mount, const char *vm, char zone[static SF_ZONE_MAX],
		    struct sf_err *err)
{
	auto_json json_t *root = NULL;
	int rc = sf_vm_load(mount, vm, &root, err);

	*zone = '\0';
	if (rc < 0)
		return rc == -EACCES ? 0 : rc;
	if (json_is_string(json_object_get(json_object_get(root, "policy"), "timezone")))
		return sf_json_string(json_object_get(root, "policy"), "timezone", zone, SF_ZONE_MAX, err);
	return 0;
}

int sf_prune_plan(const struct sf_mount *mount, const char *vm, const struct sf_prune *prune,
		  struct sf_pruned *ret, struct sf_err *err)
{
	struct sf_pruned pruned = {0};
	char zone[SF_ZONE_MAX];
	const char *named = prune->timezone;
	int rc = sf_snaps_load(mount, vm, &pruned.snaps, err);

	if (rc == 0 && !named && (rc = own_zone(mount, vm, zone, err)) == 0 && *zone)
		named = zone;
	if (rc < 0) {
		sf_pruned_fini(&pruned);
		return rc;
	}
	select_names(&pruned.snaps, prune->pattern);
	pruned.kept = calloc(pruned.snaps.n + 1, sizeof(*pruned.kept));
	for (size_t i = 0; i < pruned.snaps.n && pruned.kept; i++) {
		pruned.kept[i].taken_ns = pruned.snaps.list[i].taken_ns;
		pruned.kept[i].exempt = exempt(prune, &pruned.snaps.list[i]);
	}
	if (pruned.kept)
		rc = sf_retention_apply(&prune->rules, named, prune->now_ns, pruned.kept, pruned.snaps.n,
					err);
	else
		rc = sf_fail(err, -ENOMEM, "out of memory");
	if (rc < 0)
		sf_pruned_fini(&pruned);
	else
		*ret = pruned;
	return rc;
}

size_t sf_pruned_nremoved(const struct sf_pruned *pruned)
{
	size_t n = 0;

	for (size_t i = 0; i < pruned->snaps.n; i++)
		n += !pruned->kept[i].keep;
	return n;
}

/*
 * Deletes one snapshot and returns how many that were. Another user may have held, deleted or renamed it
 * since it was loaded: then it stays or is gone already, and neither is a failure.
 */
static size_t delete_one(struct sf_ctl *ctl, const struct sf_snap *snap, struct sf_results *results)
{
	char path[SF_SNAP_PATH], done[SF_SNAP_PATH + 32];
	const char *action = "remove", *why = "removed";
	struct sf_err err = {0};
	int rc = sf_act_delete(&ctl->mount, ctl->json, snap, "yes", &err);
	bool removed = rc == 0;

	sf_snap_path(snap, path);
	if (rc == -ENOENT || rc == -ESTALE) {
		action = "gone";
		why = "gone meanwhile:";
		rc = 0;
	} else if (rc == -EBUSY && strstr(err.text, "is held")) {
		action = "keep";
		why = "kept, as it is held now:";
		rc = 0;
	}
	(void)snprintf(done, sizeof(done), "%s %s", why, path);
	sf_results_add(results, path, rc, &err, done, json_pack("{s:s}", "action", action));
	return removed;
}

size_t sf_prune_delete(struct sf_ctl *ctl, const struct sf_pruned *pruned, struct sf_results *results)
{
	size_t nremoved = 0;

	for (size_t i = 0; i < pruned->snaps.n; i++) {
		if (pruned->kept[i].keep)
			continue;
		if (sf_interrupted()) {
			sf_results_interrupted(results);
			break;
		}
		nremoved += delete_one(ctl, &pruned->snaps.list[i], results);
	}
	return nremoved;
}

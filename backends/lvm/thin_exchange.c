/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverts a thin volume whose snapshot LVM would not merge: the volume's name passes to a new snapshot of the
 * snapshot. All LVs involved have the object's token and our state id as tags:
 *
 * lvcreate -s  SNAP -> NEW
 * lvchange     the volume gets the tags, so that it can be found and removed once it is OLD
 * lvrename     volume -> OLD      if it is open now, it is renamed back: -EBUSY
 * lvrename     NEW -> volume
 * lvchange     the volume loses the tags
 * lvremove     OLD
 *
 * Between the two renames, no LV has the volume's name. After a crash there, the next lookup of the volume
 * finds NEW and OLD and gives OLD its name back; the revert is then repeated. After a later crash, the watch
 * removes OLD; the next exchange removes what else is left. The volume keeps its tags, but all its other LVM
 * settings become those of a new LV.
 */
#include "thin_exchange.h"

#include "backends/common/users.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "command.h"
#include "internal.h"
#include "object.h"
#include "report.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

struct exchange {
	struct sf_lvm *lvm;
	const char *vg;
	const char *lv;
	const struct sf_lvm_tags *tags; /* of the snapshot */
	char successor[SF_LVM_NAME], old[SF_LVM_NAME];
};

static void name_exchange(struct exchange *x)
{
	sf_lvm_object_name(&x->tags->object.token, SF_LVM_NEW, x->successor);
	sf_lvm_object_name(&x->tags->object.token, SF_LVM_OLD, x->old);
}

static int rename_lv(const struct exchange *x, const char *from, const char *to, struct sf_err *err)
{
	const char *const argv[] = {"lvrename", "--yes", "--", x->vg, from, to, NULL};

	return sf_lvm_run(x->lvm, x->vg, argv, NULL, err);
}

static int remove_role(const struct exchange *x, enum sf_lvm_role role, struct sf_err *err)
{
	char select[SF_LVM_SELECT];
	const char *const argv[] = {"lvremove", "--yes", "-S", select, "--", x->vg, NULL};

	sf_lvm_select_role(&x->lvm->state_id, &x->tags->object.token, role, select);
	return sf_lvm_run(x->lvm, x->vg, argv, NULL, err);
}

/* Fails when other LVs depend on it. */
static int remove_old(const struct exchange *x, const struct sf_lvm_report *report, struct sf_err *err)
{
	char old[SF_LVM_NAME];
	int rc;

	sf_lvm_object_name(&x->tags->object.token, SF_LVM_OLD, old);
	rc = sf_lvm_check_no_dependents(report, old, err);
	return rc < 0 ? rc : remove_role(x, SF_LVM_OLD, err);
}

/*
 * Adds the exchange's tags to the volume, or removes them. The volume has no other tags of ours, so this
 * selects it by name only. Tags of an earlier unfinished exchange are removed, or the volume would belong to
 * that one as well. A tag that is to stay must not be among them: LVM drops a tag that one command both adds
 * and deletes.
 */
static int tag_volume(const struct exchange *x, bool add, const struct sf_lv *lv, struct sf_err *err)
{
	auto_free char *left = add && lv->own_tags ? strdup(lv->own_tags) : NULL;
	char target[2 * SF_LVM_NAME], *rest = left, *tag;
	struct sf_lvm_tag_list tags;
	const char *argv[4 * SF_LVM_TAGS_MAX + 5] = {"lvchange", "--yes"};
	size_t n = 2;

	sf_lvm_tags_format(x->tags, &tags);
	while (n < 2 * SF_LVM_TAGS_MAX && (tag = strsep(&rest, ","))) {
		if (sf_lvm_tags_have(&tags, tag))
			continue;
		argv[n++] = "--deltag";
		argv[n++] = tag;
	}
	for (size_t i = 0; i < tags.n; i++) {
		argv[n++] = add ? "--addtag" : "--deltag";
		argv[n++] = tags.text[i];
	}
	(void)snprintf(target, sizeof(target), "%s/%s", x->vg, x->lv);
	argv[n++] = "--";
	argv[n++] = target;
	return sf_lvm_run(x->lvm, x->vg, argv, NULL, err);
}

static void say_left(const struct exchange *x, const char *what, const struct sf_err *why)
{
	sf_log(SF_LOG_WARNING, "after the revert of %s/%s, %s: %s", x->vg, x->lv, what, why->text);
}

/* An LV of such a name without our tags is foreign, and must not be removed. */
static int check_cleared(const struct exchange *x, struct sf_err *err)
{
	auto_report struct sf_lvm_report *now = NULL;
	int rc = sf_lvm_report(x->lvm, x->vg, SF_LVM_NOW, false, &now, err);

	if (rc == 0 && (sf_lvm_find(now, x->old) || sf_lvm_find(now, x->successor)))
		rc = sf_fail(err, -EEXIST, "%s/%s or %s exists without our tags; rename or remove it", x->vg,
			     x->old, x->successor);
	return rc;
}

/* Removes what an interrupted attempt left. */
static int clear_way(const struct exchange *x, const struct sf_lvm_report *report, struct sf_err *err)
{
	int rc = 0;

	if (sf_lvm_find(report, x->successor))
		rc = remove_role(x, SF_LVM_NEW, err);
	if (rc == 0 && sf_lvm_find(report, x->old))
		rc = remove_old(x, report, err);
	if (rc == 0 && (sf_lvm_find(report, x->old) || sf_lvm_find(report, x->successor)))
		rc = check_cleared(x, err);
	return rc;
}

static int make_successor(const struct exchange *x, struct sf_storage *storage, const struct sf_lv *lv,
			  const struct sf_lv *snapshot, struct sf_err *err)
{
	const struct sf_lvm_new_lv spec = {.vg = x->vg,
					   .from = snapshot->name,
					   .name = x->successor,
					   .tags = *x->tags,
					   .writable = true,
					   .active = lv->active,
					   .other_tags = lv->other_tags};

	return sf_lvm_create_lv(storage, &spec, err);
}

/* Nobody opens the LV under its new name, so whoever has it open opened it before the rename. */
static int check_left_alone(const struct exchange *x, struct sf_err *err)
{
	char dm[SF_DM_NAME], users[SF_USERS_TEXT];
	struct sf_dm_info info;
	int rc = sf_dm_name(x->vg, x->old, NULL, dm, err);

	if (rc < 0)
		return rc;
	rc = sf_dm_info(dm, &info, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (info.open_count == 0)
		return 0;
	return sf_fail(err, -EBUSY, "%s/%s was opened meanwhile%s", x->vg, x->lv,
		       sf_users_of_device(makedev(info.major, info.minor), users));
}

/* A rename that failed or timed out may have happened; LVM's metadata shows it. */
static bool has_name(const struct exchange *x, const char *name)
{
	auto_report struct sf_lvm_report *report = NULL;

	return sf_lvm_report(x->lvm, x->vg, SF_LVM_NOW, false, &report, NULL) == 0 &&
	       sf_lvm_find(report, name);
}

static int pass_name(const struct exchange *x, struct sf_err *err)
{
	struct sf_err why = {0};
	int rc = rename_lv(x, x->lv, x->old, err);

	if (rc < 0 && has_name(x, x->lv))
		return rc;
	if (rc == 0)
		rc = check_left_alone(x, err);
	if (rc == 0)
		rc = rename_lv(x, x->successor, x->lv, err);
	if (rc == 0 || has_name(x, x->lv))
		return 0;
	if (rename_lv(x, x->old, x->lv, &why) < 0)
		return sf_fail(err, -EUCLEAN, "%s/%s is temporarily named %s: %s", x->vg, x->lv, x->old,
			       why.text);
	return rc;
}

/* Whether the exchange succeeded or not, the volume has its name, and the other LV is superfluous. */
static void clean_up(const struct exchange *x, enum sf_lvm_role left)
{
	auto_report struct sf_lvm_report *now = NULL;
	struct sf_err why = {0};
	int rc;

	if (tag_volume(x, false, NULL, &why) < 0)
		say_left(x, "it still has tags of snapfs", &why);
	if (left == SF_LVM_NEW)
		rc = remove_role(x, SF_LVM_NEW, &why);
	else if ((rc = sf_lvm_report(x->lvm, x->vg, SF_LVM_NOW, false, &now, &why)) == 0)
		rc = remove_old(x, now, &why);
	if (rc < 0)
		say_left(x,
			 left == SF_LVM_OLD ? "its previous content was not removed"
					    : "its unused successor was not removed",
			 &why);
}

int sf_lvm_exchange(struct sf_lvm_volume *volume, const struct sf_lvm_report *report,
		    const struct sf_lv *snapshot, struct sf_err *err)
{
	struct sf_lvm_storage *storage = sf_lvm_storage(volume->base.storage);
	struct exchange x = {
		.lvm = storage->lvm, .vg = volume->vg, .lv = volume->lv, .tags = &snapshot->tags};
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->exchange);
	const struct sf_lv *lv = sf_lvm_find(report, volume->lv);
	int rc;

	if (!lv)
		return sf_fail(err, -ENOENT, "%s is gone", volume->base.origin);
	name_exchange(&x);
	rc = clear_way(&x, report, err);
	if (rc == 0)
		rc = make_successor(&x, volume->base.storage, lv, snapshot, err);
	if (rc < 0)
		return rc;
	rc = tag_volume(&x, true, lv, err);
	if (rc == 0)
		rc = pass_name(&x, err);
	if (rc != -EUCLEAN)
		clean_up(&x, rc == 0 ? SF_LVM_OLD : SF_LVM_NEW);
	return rc;
}

/* --- after a crash --- */

static const struct sf_lv *find_old(struct sf_lvm *lvm, const struct sf_lvm_report *report, const char *lv)
{
	for (size_t i = 0; i < report->n; i++) {
		char successor[SF_LVM_NAME];
		const struct sf_lv *old = &report->lvs[i];

		if (!sf_lvm_has_role(&lvm->state_id, old, SF_LVM_OLD) || strcmp(old->tags.origin, lv) != 0)
			continue;
		sf_lvm_object_name(&old->tags.object.token, SF_LVM_NEW, successor);
		if (sf_lvm_find(report, successor))
			return old;
	}
	return NULL;
}

int sf_lvm_heal(struct sf_lvm_storage *storage, const char *vg, const char *lv, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&storage->exchange);
	auto_report struct sf_lvm_report *report = NULL;
	struct exchange x = {.lvm = storage->lvm, .vg = vg, .lv = lv};
	const struct sf_lv *old;
	int rc = sf_lvm_report(storage->lvm, vg, SF_LVM_NOW, false, &report, err);

	if (rc < 0 || sf_lvm_find(report, lv))
		return rc;
	old = find_old(storage->lvm, report, lv);
	if (!old)
		return sf_fail(err, -ENOENT, "VG %s has no logical volume '%s'", vg, lv);
	x.tags = &old->tags;
	rc = rename_lv(&x, old->name, lv, err);
	if (rc == 0)
		sf_log(SF_LOG_WARNING,
		       "%s/%s had lost its name in an interrupted revert; the name is restored", vg, lv);
	return rc;
}

/* Needs the lock `exchange`, and a new report. */
static void sweep_vg(struct sf_lvm_storage *storage, const char *vg)
{
	auto_report struct sf_lvm_report *report = NULL;

	if (sf_lvm_report(storage->lvm, vg, SF_LVM_NOW, false, &report, NULL) < 0)
		return;
	for (size_t i = 0; i < report->n; i++) {
		const struct sf_lv *old = &report->lvs[i];
		struct exchange x = {.lvm = storage->lvm, .vg = vg, .tags = &old->tags};
		struct sf_err err = {0};

		if (!sf_lvm_has_role(&storage->lvm->state_id, old, SF_LVM_OLD) ||
		    !sf_lvm_find(report, old->tags.origin) ||
		    find_old(storage->lvm, report, old->tags.origin))
			continue;
		x.lv = old->tags.origin;
		if (remove_old(&x, report, &err) < 0)
			say_left(&x, "its previous content was not removed", &err);
	}
}

void sf_lvm_sweep_left(struct sf_lvm_storage *storage, const struct sf_lvm_report *report)
{
	bool any = false;

	for (size_t i = 0; i < report->n; i++)
		any = any || sf_lvm_has_role(&storage->lvm->state_id, &report->lvs[i], SF_LVM_OLD);
	if (!any || pthread_mutex_trylock(&storage->exchange) != 0)
		return; /* an exchange is running, and cleans up itself */
	sweep_vg(storage, report->vg);
	pthread_mutex_unlock(&storage->exchange);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "object.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/id.h"
#include "command.h"
#include "internal.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Our tags twice, some options, and up to sixteen foreign tags. sf_lvm_run() takes no more. */
#define ARGS_MAX 64

/* --- finding --- */

static const struct sf_lv *pick(struct sf_lvm *lvm, const struct sf_lvm_report *report,
				const struct sf_object *object, const char *origin_lv)
{
	static const enum sf_lvm_role roles[] = {SF_LVM_COPY, SF_LVM_SNAPSHOT};
	const struct sf_lv *found = NULL;

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		char name[SF_LVM_NAME];
		const struct sf_lv *lv;

		sf_lvm_object_name(&object->token, roles[i], name);
		lv = sf_lvm_find(report, name);
		if (lv && !lv->merging && sf_lvm_is_ours(&lvm->state_id, lv) &&
		    strcmp(lv->tags.origin, origin_lv) == 0)
			found = lv;
	}
	return found;
}

int sf_lvm_find_known_object(struct sf_storage *storage, const struct sf_object *object,
			     struct sf_lvm_report **ret_report, const struct sf_lv **ret)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME];
	const struct sf_lv *found;
	int rc = sf_lvm_split_origin(object->origin, vg, lv, NULL);

	if (rc < 0)
		return rc;
	report = sf_lvm_remembered(lvm, vg);
	found = report ? pick(lvm, report, object, lv) : NULL;
	if (!found)
		return -ENOENT;
	*ret = found;
	*ret_report = sf_take_ptr(&report);
	return 0;
}

int sf_lvm_find_object(struct sf_storage *storage, const struct sf_object *object, uint64_t max_age_ms,
		       struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME], name[SF_LVM_NAME];
	const struct sf_lv *found;
	int rc = sf_lvm_split_origin(object->origin, vg, lv, err);

	if (rc == 0)
		rc = sf_lvm_report(lvm, vg, max_age_ms, false, &report, err);
	if (rc < 0)
		return rc;
	found = pick(lvm, report, object, lv);
	if (!found) {
		sf_lvm_object_name(&object->token, SF_LVM_SNAPSHOT, name);
		return sf_fail(err, -ENOENT, "there is no snapshot %s/%s of %s", vg, name, object->origin);
	}
	*ret = found;
	*ret_report = sf_take_ptr(&report);
	return 0;
}

/* --- slots that read --- */

/* An overflowed classic snapshot exists without its content; of an inactive one, only opening it tells. */
static int check_content(const char *vg, const struct sf_lv *lv, struct sf_err *err)
{
	struct sf_dm_snapshot snapshot;
	char dm[SF_DM_NAME];
	int rc = sf_dm_name(vg, lv->name, NULL, dm, err);

	if (rc < 0 || sf_dm_snapshot(dm, &snapshot, NULL) < 0 || snapshot.state == SF_DM_SNAPSHOT_OK)
		return rc;
	return sf_fail(err, -ESTALE, "snapshot %s/%s has lost its content: its COW store %s", vg, lv->name,
		       snapshot.state == SF_DM_SNAPSHOT_OVERFLOW ? "overflowed" : "is invalid");
}

static uint64_t size_of(const struct sf_lvm_report *report, const struct sf_lv *lv)
{
	struct sf_dm_target target;
	const struct sf_lv *origin;
	char dm[SF_DM_NAME];

	if (sf_lvm_is_thin(lv))
		return lv->size_bytes;
	/* LVM's size is that of the COW store; the device has the size that the origin had. */
	if (sf_dm_name(report->vg, lv->name, NULL, dm, NULL) == 0 && sf_dm_table(dm, &target, NULL) == 0)
		return target.size_bytes;
	origin = sf_lvm_find(report, lv->tags.origin);
	return origin ? origin->size_bytes : lv->size_bytes;
}

int sf_lvm_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		struct sf_err *err)
{
	bool thin = sf_lvm_storage(storage)->thin;
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv;
	int rc = sf_lvm_find_object(storage, object, SF_LVM_OBJECTS_MS, &report, &lv, err);

	if (rc == 0 && !thin)
		rc = check_content(report->vg, lv, err);
	if (rc < 0)
		return rc;
	ret->size_bytes = size_of(report, lv);
	ret->allocated_bytes = ret->size_bytes;
	if (thin && lv->tags.data_known && lv->tags.data_bytes < ret->size_bytes)
		ret->allocated_bytes = lv->tags.data_bytes;
	ret->method = thin ? "thin" : "classic";
	return 0;
}

/* Needs a new report: other programs make snapshots too. */
static int check_removable(struct sf_lvm *lvm, const struct sf_lvm_report *report,
			   const struct sf_object *object, struct sf_err *err)
{
	static const enum sf_lvm_role roles[] = {SF_LVM_SNAPSHOT, SF_LVM_COPY, SF_LVM_NEW};
	int rc = sf_lvm_check_vg(report, err);

	for (size_t i = 0; rc == 0 && i < sizeof(roles) / sizeof(roles[0]); i++) {
		char name[SF_LVM_NAME];
		const struct sf_lv *lv;

		sf_lvm_object_name(&object->token, roles[i], name);
		lv = sf_lvm_find(report, name);
		if (!lv || !sf_lvm_has_role(&lvm->state_id, lv, roles[i]))
			continue;
		if (lv->merging)
			return sf_fail(err, -EBUSY, "a merge of %s/%s into %s is pending", report->vg, name,
				       object->origin);
		rc = sf_lvm_check_no_dependents(report, name, err);
	}
	return rc;
}

int sf_lvm_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME], select[SF_LVM_SELECT];
	const char *const argv[] = {"lvremove", "--yes", "-S", select, "--", vg, NULL};
	int rc = sf_lvm_split_origin(object->origin, vg, lv, err);

	if (rc == 0)
		rc = sf_lvm_report(lvm, vg, SF_LVM_NOW, false, &report, err);
	if (rc == 0)
		rc = check_removable(lvm, report, object, err);
	if (rc < 0)
		return rc;
	sf_lvm_select(&lvm->state_id, &object->token, select);
	return sf_lvm_run(lvm, vg, argv, NULL, err);
}

int sf_lvm_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	char vg[SF_LVM_NAME], lv[SF_LVM_NAME], where[2 * SF_LVM_NAME + 8];
	int rc = sf_lvm_split_origin(origin, vg, lv, err);

	if (rc == 0)
		rc = sf_lvm_report(lvm, vg, SF_LVM_OBJECTS_MS, false, &report, err);
	for (size_t i = 0; rc == 0 && i < report->n; i++) {
		struct sf_object object = report->lvs[i].tags.object;

		if (!sf_lvm_is_ours(&lvm->state_id, &report->lvs[i]) ||
		    strcmp(report->lvs[i].tags.origin, lv) != 0 ||
		    pick(lvm, report, &object, lv) != &report->lvs[i])
			continue;
		object.origin = origin;
		(void)snprintf(where, sizeof(where), "/dev/%s/%s", vg, report->lvs[i].name);
		rc = fn(arg, &object, where, err);
	}
	return rc;
}

int sf_lvm_foreign(struct sf_volume *base, sf_foreign_fn *fn, void *arg, struct sf_err *err)
{
	struct sf_lvm_volume *volume = sf_lvm_volume(base);
	struct sf_lvm *lvm = sf_lvm_of(base);
	auto_report struct sf_lvm_report *report = NULL;
	char where[2 * SF_LVM_NAME + 8];
	int rc = sf_lvm_report(lvm, volume->vg, SF_LVM_OBJECTS_MS, false, &report, err);

	for (size_t i = 0; rc == 0 && i < report->n; i++) {
		const struct sf_lv *lv = &report->lvs[i];
		const char *origin = lv->tagged ? lv->tags.origin : lv->origin;

		if (strcmp(origin, volume->lv) != 0 || strcmp(lv->name, volume->lv) == 0 ||
		    (lv->tagged && sf_id_equal(&lv->tags.state_id, &lvm->state_id)))
			continue;
		(void)snprintf(where, sizeof(where), "/dev/%s/%s", volume->vg, lv->name);
		rc = fn(arg, where, lv->tagged ? &lv->tags.state_id : NULL, err);
	}
	return rc;
}

/* --- changing --- */

int sf_lvm_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	auto_report struct sf_lvm_report *report = NULL;
	struct sf_lvm_tag_list old_tags, new_tags;
	char select[SF_LVM_SELECT];
	const char *argv[ARGS_MAX] = {"lvchange", "-S", select};
	const struct sf_lv *lv;
	struct sf_lvm_tags tags;
	size_t n = 3;
	int rc = sf_lvm_find_object(storage, object, SF_LVM_OBJECTS_MS, &report, &lv, err);

	if (rc < 0)
		return rc;
	tags = lv->tags;
	tags.object = *object;
	sf_lvm_tags_format(&lv->tags, &old_tags);
	sf_lvm_tags_format(&tags, &new_tags);
	for (size_t i = 0; i < old_tags.n; i++)
		if (!sf_lvm_tags_have(&new_tags, old_tags.text[i])) {
			argv[n++] = "--deltag";
			argv[n++] = old_tags.text[i];
		}
	for (size_t i = 0; i < new_tags.n; i++)
		if (!sf_lvm_tags_have(&old_tags, new_tags.text[i])) {
			argv[n++] = "--addtag";
			argv[n++] = new_tags.text[i];
		}
	if (n == 3)
		return 0;
	sf_lvm_select(&lvm->state_id, &object->token, select);
	argv[n++] = "--";
	argv[n++] = report->vg;
	return sf_lvm_run(lvm, report->vg, argv, NULL, err);
}

/* The name exists: success if an interrupted create of ours made it, a failure if the LV is foreign. */
static int check_existing(struct sf_lvm *lvm, const struct sf_lvm_new_lv *spec, struct sf_err *err)
{
	auto_report struct sf_lvm_report *report = NULL;
	const struct sf_lv *lv;
	int rc = sf_lvm_report(lvm, spec->vg, SF_LVM_NOW, false, &report, err);

	if (rc < 0)
		return rc;
	lv = sf_lvm_find(report, spec->name);
	if (lv && lv->tagged && sf_id_equal(&lv->tags.state_id, &lvm->state_id) &&
	    sf_id_equal(&lv->tags.object.token, &spec->tags.object.token) &&
	    strcmp(lv->tags.origin, spec->tags.origin) == 0 && !spec->writable &&
	    (spec->size_bytes > 0 ? sf_lvm_is_cow(lv, spec->from) : sf_lvm_is_thin(lv)))
		return 0;
	return sf_fail(err, -EEXIST, "%s/%s exists and is not ours", spec->vg, spec->name);
}

int sf_lvm_create_lv(struct sf_storage *storage, const struct sf_lvm_new_lv *spec, struct sf_err *err)
{
	struct sf_lvm *lvm = sf_lvm_storage(storage)->lvm;
	struct sf_lvm_tag_list tags;
	struct sf_err why = {0};
	auto_free char *others = spec->other_tags ? strdup(spec->other_tags) : NULL;
	char size[32], from[2 * SF_LVM_NAME], *rest = others, *tag;
	/* With a size, LVM makes a classic snapshot, even of a thin volume; without, a thin one. */
	const char *argv[ARGS_MAX] = {"lvcreate", "--yes",    "--snapshot",
				      "--name",   spec->name, "--permission"};
	size_t n = 6;
	int rc;

	argv[n++] = spec->writable ? "rw" : "r";
	if (spec->size_bytes > 0) {
		(void)snprintf(size, sizeof(size), "%" PRIu64 "b", spec->size_bytes);
		argv[n++] = "--size";
		argv[n++] = size;
	} else {
		argv[n++] = "--setactivationskip";
		argv[n++] = spec->writable ? "n" : "y";
	}
	if (spec->writable)
		argv[n++] = spec->active ? "-ay" : "-an";
	sf_lvm_tags_format(&spec->tags, &tags);
	for (size_t i = 0; i < tags.n; i++) {
		argv[n++] = "--addtag";
		argv[n++] = tags.text[i];
	}
	while (n + 5 < ARGS_MAX && (tag = strsep(&rest, ","))) {
		argv[n++] = "--addtag";
		argv[n++] = tag;
	}
	if (rest)
		return sf_fail(err, -E2BIG, "%s/%s has more tags than snapfs can carry over", spec->vg,
			       spec->tags.origin);
	(void)snprintf(from, sizeof(from), "%s/%s", spec->vg, spec->from);
	argv[n++] = "--";
	argv[n++] = from;
	rc = sf_lvm_run(lvm, spec->vg, argv, NULL, &why);
	if (rc == -EEXIST)
		return check_existing(lvm, spec, err);
	return rc < 0 ? sf_fail(err, rc, "%s", why.text) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recovery: at start for every VM, later for unsettled ones. The order is: at start, resume guests; settle
 * half-done snapshots; settle half-done reverts; at start, look for orphans. Unreadable records are set
 * aside, those of a newer schema left in place; work that cannot be finished is reported and kept. Nothing is
 * guessed.
 */
#include "recover.h"

#include "actions.h"
#include "directories.h"
#include "internal.h"
#include "operation.h"
#include "orphans.h"
#include "revert_found.h"
#include "vms.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ASIDE_PREFIX ".aside-"

static bool is_directory(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* ".<uuid>": being deleted. */
static bool is_deleting_name(const char *name)
{
	struct sf_id uuid;

	return name[0] == '.' && sf_id_parse(name + 1, &uuid) == 0;
}

static int read_record(int vm_dir, const char *name, struct sf_record *ret, struct sf_err *err)
{
	auto_fd int dir = sf_open_dir(vm_dir, name, err);

	return dir < 0 ? dir : sf_state_read_record(dir, ret, err);
}

/* --- copies --- */

/* Whether the directory that the record's VM and name lead to is another one, and has the same snapshot. */
static bool has_its_original(struct sf_vm_op *op, const char *name, const struct sf_record *record)
{
	char home[SF_VM_DIR];
	struct sf_record other;
	auto_fd int dir = -1;
	bool own = sf_engine_home(op->engine, record->vm_uuid, record->vm_name, home) == op->vm;
	bool same;

	if (own && strcmp(record->name, name) == 0)
		return false;
	if (!own && *home)
		dir = sf_state_vm_dir(op->engine->state, home, false, NULL);
	if (read_record(own ? op->dir : dir, record->name, &other, NULL) < 0)
		return false;
	same = sf_id_equal(&other.uuid, &record->uuid);
	sf_record_fini(&other);
	return same;
}

/* Whether this is a copy of another snapshot's directory: two records would own the same volumes. */
static bool is_copy(struct sf_vm_op *op, const char *name, const struct sf_record *record)
{
	struct sf_snapshot *known;
	bool copy;

	if (has_its_original(op, name, record))
		return true;
	if (sf_catalog_snapshot_by_id(op->engine->catalog, sf_snapshot_id(&record->uuid), &known) < 0)
		return false;
	copy = known->vm_id != op->vm->id ||
	       (!is_deleting_name(name) && strcmp(known->record.name, name) != 0 &&
		is_directory(op->dir, known->record.name));
	sf_snapshot_unref(known);
	return copy;
}

/* --- guests --- */

/* *ret_newer: the record says so, but this version cannot change it. */
static bool is_leased(struct sf_vm_op *op, const char *name, bool *ret_newer)
{
	auto_fd int dir = *name == '.' ? -1 : sf_open_dir(op->dir, name, NULL);
	struct sf_newer_record newer;
	struct sf_record record;
	bool leased;
	int rc = dir < 0 ? dir : sf_state_read_record(dir, &record, NULL);

	*ret_newer = rc == -EOPNOTSUPP;
	if (*ret_newer)
		return sf_state_read_newer(dir, &newer, NULL) == 0 && newer.leased;
	if (rc < 0)
		return false;
	leased = record.state == SF_RECORD_CREATING && record.leased && !is_copy(op, name, &record);
	sf_record_fini(&record);
	return leased;
}

/* Whether a record or plan in the open directory says that the guest may be at rest because of us. */
static bool find_leases(struct sf_vm_op *op)
{
	struct sf_dir_names names;
	bool newer = false, found = sf_plan_is_leased(op->dir, &newer);

	op->vm->resume_due = op->vm->resume_due || (found && newer);
	if (sf_dir_names_read(op->dir, &names, NULL) < 0)
		return found;
	for (size_t i = 0; i < names.n; i++) {
		if (!is_leased(op, names.list[i], &newer))
			continue;
		op->vm->resume_due = op->vm->resume_due || newer;
		found = true;
	}
	sf_dir_names_fini(&names);
	return found;
}

/* For a contested directory: recovery does not read its records, so nothing else would resume the guest. */
static void mark_guest(struct sf_vm_op *op)
{
	op->vm->resume_due = find_leases(op) || op->vm->resume_due;
}

/*
 * Resumes a guest before anything slow is done for any VM, so that none stays at rest longer than necessary.
 * A failure is retried with the record or plan, or because it is due.
 */
static void free_guest(struct sf_vm_op *op)
{
	bool leased = (sf_op_dir(op, false, NULL) == 0 && find_leases(op)) || op->vm->resume_due;

	if (leased && op->present && sf_resume_forgotten(op, &(struct sf_err){0}) == 0)
		op->vm->resume_due = false;
}

/* Resumes a guest whose record cannot be changed: only once, since its owner may pause it later. */
static void resume_marked_guest(struct sf_vm_op *op)
{
	if (!op->vm->resume_due)
		return;
	op->vm->resume_due = sf_resume_forgotten(op, &(struct sf_err){0}) < 0;
	if (op->vm->resume_due)
		sf_op_unsettle(op);
}

/* --- records --- */

static void report_stray(struct sf_vm_op *op, const char *name, const char *what)
{
	char subject[SF_NAME_MAX + NAME_MAX + 2];

	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, name);
	sf_health_set(op->engine->health, "stray", subject, "%s", what);
}

static void report_newer(struct sf_vm_op *op, const char *name, const struct sf_err *why)
{
	char subject[SF_NAME_MAX + NAME_MAX + 2];

	op->vm->unsure = true;
	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, name);
	sf_health_set(op->engine->health, "newer", subject,
		      "a newer version of snapfs wrote it (%s): it is left in place and not shown",
		      why->text);
}

static void set_aside(struct sf_vm_op *op, const char *name, const struct sf_err *why)
{
	char aside[NAME_MAX + 1], subject[SF_NAME_MAX + NAME_MAX + 2];
	struct sf_err err = {0};
	int rc = -EEXIST;

	(void)snprintf(aside, sizeof(aside), ASIDE_PREFIX "%.200s", name);
	for (int i = 2; i < 100 && rc == -EEXIST; i++) {
		rc = sf_durable_rename(op->dir, name, op->dir, aside, &err);
		if (rc == -EEXIST)
			(void)snprintf(aside, sizeof(aside), ASIDE_PREFIX "%.200s-%d", name, i);
	}
	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, rc < 0 ? name : aside);
	sf_health_set(op->engine->health, "set-aside", subject, "the record of '%s' cannot be read: %s", name,
		      why->text);
}

/* Whether the directory holds at most what an interrupted first write of its record leaves behind. */
static bool is_unborn(int vm_dir, const char *name)
{
	auto_fd int dir = sf_open_dir(vm_dir, name, NULL);
	struct sf_dir_names names;
	bool unborn = true;

	if (dir < 0 || sf_dir_names_read(dir, &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		unborn = unborn && strcmp(names.list[i], "." SF_STATE_META SF_DURABLE_TMP_SUFFIX) == 0;
	sf_dir_names_fini(&names);
	return unborn;
}

/* The directory's name is authoritative: updates a record that was not rewritten after a rename. */
static int fix_name(struct sf_vm_op *op, const char *name, struct sf_record *record, struct sf_err *err)
{
	auto_fd int dir = -1;
	int rc;

	if (strcmp(record->name, name) == 0)
		return 0;
	rc = sf_name_check(name, err);
	if (rc < 0)
		return rc;
	(void)snprintf(record->name, sizeof(record->name), "%s", name);
	sf_record_label(record);
	dir = sf_open_dir(op->dir, name, err);
	rc = dir < 0 ? dir : sf_state_write_record(dir, record, err);
	if (rc == 0)
		sf_relabel_disks(op, record);
	return rc;
}

static bool is_shown(struct sf_vm_op *op, const struct sf_record *record)
{
	struct sf_snapshot *known;

	if (sf_catalog_snapshot_by_id(op->engine->catalog, sf_snapshot_id(&record->uuid), &known) < 0)
		return false;
	sf_snapshot_unref(known);
	return true;
}

static int recover_ready(struct sf_vm_op *op, const char *name, struct sf_record *record, struct sf_err *err)
{
	auto_fd int dir = -1;
	int rc = fix_name(op, name, record, err);

	if (rc < 0)
		return rc;
	dir = sf_open_dir(op->dir, name, err);
	if (dir < 0)
		return dir;
	/*
	 * A create could not tell whether this record is durable: write it again, as what is shown must
	 * survive a power cut. At start such a record cannot be told from thousands of durable ones.
	 */
	if (!op->engine->starting && !is_shown(op, record)) {
		rc = sf_state_write_record(dir, record, err);
		if (rc < 0)
			return rc;
	}
	(void)unlinkat(dir, "." SF_STATE_META SF_DURABLE_TMP_SUFFIX, 0); /* usually absent */
	(void)unlinkat(dir, "." SF_STATE_MANIFEST SF_DURABLE_TMP_SUFFIX, 0);
	return sf_lead(op, record, name, SF_LIFE_READY, SF_EVENT_FOUND, err);
}

/*
 * Resumes a deletion that stopped before its directory got the deleting name. Publishes what the record on
 * disk says (its volumes may be forgotten). Renames the directory to the name under which the last reader's
 * close, or the next start, looks for it.
 */
static int catch_up(struct sf_vm_op *op, const char *name, const char *deleting,
		    const struct sf_record *record, bool broken, struct sf_err *err)
{
	struct sf_record copy;
	int rc;

	if (sf_record_copy(record, &copy) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_publish_record(op, &copy, broken, err);
	return rc < 0 ? rc : sf_durable_rename(op->dir, name, op->dir, deleting, err);
}

static int recover_deleting(struct sf_vm_op *op, const char *name, const struct sf_record *record,
			    struct sf_err *err)
{
	uint64_t id = sf_snapshot_id(&record->uuid);
	char deleting[SF_ID_TEXT + 1], subject[2 * SF_NAME_MAX + 2];
	struct sf_snapshot *known;
	int rc = 0;

	if (sf_catalog_snapshot_by_id(op->engine->catalog, id, &known) < 0)
		return sf_lead(op, record, name, SF_LIFE_DELETING, SF_EVENT_FOUND, err);
	sf_state_deleting_name(&record->uuid, deleting);
	if (strcmp(name, deleting) != 0)
		rc = catch_up(op, name, deleting, record, known->broken, err);
	sf_snapshot_unref(known);
	if (rc < 0)
		return rc;
	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, record->name);
	sf_health_clear(op->engine->health, "broken", subject);
	sf_health_clear(op->engine->health, "unreachable", subject);
	if (!sf_catalog_hide(op->engine->catalog, id))
		return 0; /* being read: the last close continues from here */
	return sf_lead(op, record, deleting, SF_LIFE_DELETING, SF_EVENT_UNUSED, err);
}

static int recover_creating(struct sf_vm_op *op, const char *name, const struct sf_record *record,
			    struct sf_err *err)
{
	int rc = sf_lead(op, record, name, SF_LIFE_CREATING, SF_EVENT_FOUND, err);

	if (rc == 0)
		sf_log(SF_LOG_INFO, "%s/%s: incomplete snapshot undone", op->name, name);
	return rc;
}

static int recover_record(struct sf_vm_op *op, const char *name, struct sf_record *record, struct sf_err *err)
{
	if (is_copy(op, name, record)) {
		report_stray(op, name, "is a copy of a snapshot's directory; it is left alone");
		return 0;
	}
	if (is_deleting_name(name) || record->state == SF_RECORD_DELETING)
		return recover_deleting(op, name, record, err);
	if (record->state == SF_RECORD_READY)
		return recover_ready(op, name, record, err);
	return recover_creating(op, name, record, err);
}

static int recover_snapshot(struct sf_vm_op *op, const char *name, struct sf_err *err)
{
	struct sf_record record;
	struct sf_err why = {0};
	int rc = read_record(op->dir, name, &record, &why);

	if (rc == 0) {
		rc = recover_record(op, name, &record, err);
		sf_record_fini(&record);
		return rc;
	}
	if (rc == -EOPNOTSUPP) {
		report_newer(op, name, &why);
		return 0;
	}
	if (rc == -ENOENT && is_unborn(op->dir, name))
		return sf_state_remove_snapshot(op->dir, name, err);
	if (rc == -ENOENT || rc == -EINVAL || rc == -EFBIG || rc == -ELOOP) {
		set_aside(op, name, &why);
		return 0;
	}
	return sf_fail(err, rc, "%s", why.text);
}

static void recover_entry(struct sf_vm_op *op, const char *name)
{
	char subject[SF_NAME_MAX + NAME_MAX + 2];
	struct sf_err err = {0};

	(void)snprintf(subject, sizeof(subject), "%s/%s", op->name, name);
	if (strcmp(name, SF_STATE_PLAN) == 0)
		return;
	if (strcmp(name, "." SF_STATE_PLAN SF_DURABLE_TMP_SUFFIX) == 0) {
		(void)unlinkat(op->dir, name, 0); /* best effort: retried at the next start */
	} else if (strncmp(name, ASIDE_PREFIX, strlen(ASIDE_PREFIX)) == 0) {
		sf_health_set(op->engine->health, "set-aside", subject,
			      "an unreadable record was set aside in the state directory");
	} else if (!is_directory(op->dir, name) || (*name == '.' && !is_deleting_name(name))) {
		report_stray(op, name, "does not belong to snapfs, but is in its state directory");
	} else if (recover_snapshot(op, name, &err) < 0) {
		op->vm->unsure = true;
		sf_op_unsettle(op);
		sf_health_set(op->engine->health, "undo", subject, "%s", err.text);
	} else {
		sf_health_clear(op->engine->health, "undo", subject);
	}
}

/* *ret_newer: the plan has a newer schema; this is reported. */
static int recover_plan(struct sf_vm_op *op, bool *ret_newer, struct sf_err *err)
{
	struct sf_plan plan;
	int rc = sf_plan_read(op->dir, &plan, err);

	if (rc == -ENOENT)
		return 0;
	*ret_newer = rc == -EOPNOTSUPP;
	if (*ret_newer)
		report_newer(op, SF_STATE_PLAN, err);
	if (rc < 0)
		return rc;
	rc = sf_revert_found(op, &plan, err);
	if (rc == 0)
		sf_log(SF_LOG_INFO, "VM '%s': settled a revert that was interrupted while %s", op->name,
		       sf_life_name(plan.phase));
	return rc;
}

static int recover_entries(struct sf_vm_op *op, struct sf_err *err)
{
	struct sf_dir_names names;
	struct sf_err none = {0};
	int rc = sf_op_dir(op, false, &none);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return sf_fail(err, rc, "%s", none.text);
	rc = sf_dir_names_read(op->dir, &names, err);
	if (rc < 0)
		return rc;
	sf_health_clear(op->engine->health, "undo", op->name);
	op->vm->unsure = false;
	for (size_t i = 0; i < names.n; i++)
		recover_entry(op, names.list[i]);
	sf_dir_names_fini(&names);
	return 0;
}

int sf_recover_vm(struct sf_vm_op *op, struct sf_err *err)
{
	bool newer = false;
	int rc;

	resume_marked_guest(op);
	rc = recover_entries(op, err);
	if (rc == 0 && op->dir >= 0)
		rc = recover_plan(op, &newer, err);
	if (rc < 0) {
		sf_op_unsettle(op);
		if (!newer)
			sf_health_set(op->engine->health, "revert", op->name, "%s", err->text);
		return rc;
	}
	sf_health_clear(op->engine->health, "revert", op->name);
	return 0;
}

int sf_op_settle(struct sf_vm_op *op, struct sf_err *err)
{
	{
		auto_unlock pthread_mutex_t *held = sf_lock(&op->engine->lock);

		if (!op->vm->unsettled)
			return 0;
		op->vm->unsettled = false; /* recovery sets it again if something cannot be finished */
	}
	return sf_recover_vm(op, err);
}

/* --- all VMs, at start --- */

static void each_vm(struct sf_engine *engine, void (*fn)(struct sf_vm_op *op))
{
	for (size_t i = 0; i < engine->nvms; i++) {
		struct sf_vm_op op = {0};

		if (sf_op_enter(engine, engine->vms[i], true, &op, NULL) < 0)
			continue;
		fn(&op);
		sf_op_leave(&op);
	}
}

static void recover_one(struct sf_vm_op *op)
{
	(void)sf_recover_vm(op, &(struct sf_err){0}); /* reported in health.json, retried later */
}

void sf_recover_all(struct sf_engine *engine)
{
	bool all_known = sf_adopt_directories(engine, mark_guest);

	each_vm(engine, free_guest);
	each_vm(engine, recover_one);
	sf_find_orphans(engine, all_known);
}

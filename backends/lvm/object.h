/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots: LVs with our tags. The slots are the same for thin and classic. No changing command here names
 * an existing LV without selecting its tags as well.
 */
#ifndef SF_BACKENDS_LVM_OBJECT_H
#define SF_BACKENDS_LVM_OBJECT_H

#include "core/contract/storage.h"

#include "lv.h"

int sf_lvm_stat(struct sf_storage *storage, const struct sf_object *object, struct sf_object_stat *ret,
		struct sf_err *err);
int sf_lvm_remove(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_lvm_list(struct sf_storage *storage, const char *origin, sf_object_fn *fn, void *arg,
		struct sf_err *err);
int sf_lvm_relabel(struct sf_storage *storage, const struct sf_object *object, struct sf_err *err);
int sf_lvm_foreign(struct sf_volume *volume, sf_foreign_fn *fn, void *arg, struct sf_err *err);

/*
 * The object's LV in a report younger than max_age_ms: under its lasting name, or its copy's if a revert was
 * interrupted. *ret lives as long as *ret_report, which is the caller's to release. -ENOENT.
 */
int sf_lvm_find_object(struct sf_storage *storage, const struct sf_object *object, uint64_t max_age_ms,
		       struct sf_lvm_report **ret_report, const struct sf_lv **ret, struct sf_err *err);
/* The same from the remembered report, whatever its age. Does not ask LVM. */
int sf_lvm_find_known_object(struct sf_storage *storage, const struct sf_object *object,
			     struct sf_lvm_report **ret_report, const struct sf_lv **ret);

struct sf_lvm_new_lv {
	const char *vg;
	const char *from; /* the LV that it is a snapshot of */
	const char *name;
	uint64_t size_bytes; /* of the COW store; 0: a thin snapshot, inactive unless active is set */
	struct sf_lvm_tags tags;
	bool writable;          /* a volume's successor, not a snapshot */
	bool active;            /* of a writable one */
	const char *other_tags; /* with commas; NULL: none */
};
/*
 * Makes a snapshot with `lvcreate -s`. A read-only snapshot of ours that already exists with the same name,
 * token and origin is success. -EEXIST: another LV has the name. -E2BIG: too many tags.
 */
int sf_lvm_create_lv(struct sf_storage *storage, const struct sf_lvm_new_lv *spec, struct sf_err *err);

#endif

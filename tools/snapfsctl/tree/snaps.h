/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads VMs and snapshots as the tree shows them: from directories, .snapshots.json and .vm.json. */
#ifndef SF_SNAPFSCTL_TREE_SNAPS_H
#define SF_SNAPFSCTL_TREE_SNAPS_H

#include "base/json.h"
#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_mount;

/* "VM/NAME" and its NUL. */
#define SF_SNAP_PATH (2 * SF_NAME_MAX + 2)

struct sf_snap {
	char vm[SF_NAME_MAX + 1];
	char name[SF_NAME_MAX + 1];
	json_t *meta;      /* its meta.json */
	char problem[160]; /* empty if there is none; "broken: ..." if its content cannot be read */
	uint64_t taken_ns;
	uint64_t size_bytes, allocated_bytes; /* the sum of its disks */
	uint64_t memory_bytes;                /* 0: no RAM was saved */
	bool held;
	/* Never NULL; valid as long as meta. */
	const char *state, *consistency, *power, *description;
};

struct sf_snaps {
	struct sf_snap *list;
	size_t n;
};

/* All zeros is an empty value. */
void sf_snaps_fini(struct sf_snaps *snaps);
void sf_snap_fini(struct sf_snap *snap);

/*
 * Loads all snapshots of a VM, or of all VMs (vm NULL), sorted by VM, then by time. A VM that disappears
 * meanwhile is left out. -ENOENT for an unknown vm, suggesting a similar name; -EPROTO; -errno of the tree.
 */
int sf_snaps_load(const struct sf_mount *mount, const char *vm, struct sf_snaps *ret, struct sf_err *err);

/*
 * Loads one snapshot, "VM/NAME", from its meta.json, which does not tell whether it is broken. -ENOENT,
 * suggesting a similar name; -EINVAL if the argument is not of that form.
 */
int sf_snap_load(const struct sf_mount *mount, const char *argument, struct sf_snap *ret, struct sf_err *err);

/*
 * Splits "VM/NAME" (accepted as by sf_mount_path()) without checking that it exists. -EINVAL, -ENAMETOOLONG.
 */
int sf_snap_split(const struct sf_mount *mount, const char *argument, char vm[static SF_NAME_MAX + 1],
		  char name[static SF_NAME_MAX + 1], struct sf_err *err);

void sf_snap_path(const struct sf_snap *snap, char path[static SF_SNAP_PATH]);

/* Whether a revert made it, to keep the state that the revert replaced. */
bool sf_snap_is_pre_revert(const struct sf_snap *snap);

/* Checks that the VM exists. -ENOENT, suggesting a similar name. */
int sf_vm_check(const struct sf_mount *mount, const char *vm, struct sf_err *err);

/* The names of all VMs, sorted, each allocated. sf_names_free() accepts NULL. */
int sf_vms_load(const struct sf_mount *mount, char ***ret, size_t *ret_n, struct sf_err *err);
void sf_names_free(char **names, size_t n);

/* A VM's .vm.json; the caller frees it with json_decref(). -EACCES if the user may not read it. */
int sf_vm_load(const struct sf_mount *mount, const char *vm, json_t **ret, struct sf_err *err);

/* Loads a document of .snapfs ("health.json"). */
int sf_report_load(const struct sf_mount *mount, const char *name, json_t **ret, struct sf_err *err);

/* A snapshot as --json prints it; see schema.json. New reference; NULL if out of memory. */
json_t *sf_snap_json(const struct sf_snap *snap);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMs and snapshots as the tree shows them: directories, .snapshots.json and .vm.json. */
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
	json_t *meta;      /* what its meta.json says */
	char problem[160]; /* empty when all is well; "broken: ..." when its content cannot be read */
	uint64_t taken_ns;
	uint64_t size_bytes, allocated_bytes; /* of its disks together */
	uint64_t memory_bytes;                /* 0: no RAM was saved */
	bool held;
	/* Never NULL; they live as long as meta. */
	const char *state, *consistency, *power, *description;
};

struct sf_snaps {
	struct sf_snap *list;
	size_t n;
};

/* All zeros is none. */
void sf_snaps_fini(struct sf_snaps *snaps);
void sf_snap_fini(struct sf_snap *snap);

/*
 * All snapshots of a VM, or of all VMs (vm NULL), by VM and then by time. A VM that goes away meanwhile is
 * left out. -ENOENT for one that is not there, with the name that was perhaps meant; -errno of the tree,
 * -EPROTO.
 */
int sf_snaps_load(const struct sf_mount *mount, const char *vm, struct sf_snaps *ret, struct sf_err *err);

/*
 * "VM/NAME" alone, by its meta.json, which does not say whether it is broken. -ENOENT with the name that was
 * perhaps meant, -EINVAL for an argument of another form.
 */
int sf_snap_load(const struct sf_mount *mount, const char *argument, struct sf_snap *ret, struct sf_err *err);

/* Splits "VM/NAME" (as sf_mount_path() takes it) without looking whether it is there. -EINVAL, -ENAMETOOLONG.
 */
int sf_snap_split(const struct sf_mount *mount, const char *argument, char vm[static SF_NAME_MAX + 1],
		  char name[static SF_NAME_MAX + 1], struct sf_err *err);

void sf_snap_path(const struct sf_snap *snap, char path[static SF_SNAP_PATH]);

/* Made by a revert, of the state that it left. */
bool sf_snap_is_pre_revert(const struct sf_snap *snap);

/* Whether there is such a VM: 0, or -ENOENT with the name that was perhaps meant. */
int sf_vm_check(const struct sf_mount *mount, const char *vm, struct sf_err *err);

/* All VMs' names, sorted, allocated one by one. sf_names_free() accepts NULL. */
int sf_vms_load(const struct sf_mount *mount, char ***ret, size_t *ret_n, struct sf_err *err);
void sf_names_free(char **names, size_t n);

/* A VM's .vm.json, to be freed with json_decref(). -EACCES for those who may not. */
int sf_vm_load(const struct sf_mount *mount, const char *vm, json_t **ret, struct sf_err *err);

/* A document of .snapfs ("health.json"). */
int sf_report_load(const struct sf_mount *mount, const char *name, json_t **ret, struct sf_err *err);

/* What --json says of a snapshot; see the schema. New, NULL when out of memory. */
json_t *sf_snap_json(const struct sf_snap *snap);

#endif

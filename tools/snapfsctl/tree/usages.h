/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can run full below the VMs' disks: pools, COW stores, and the file systems of images; from .vm.json.
 */
#ifndef SF_SNAPFSCTL_TREE_USAGES_H
#define SF_SNAPFSCTL_TREE_USAGES_H

#include "base/json.h"
#include "base/names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_err;
struct sf_mount;

struct sf_usage_entry {
	char *kind;               /* "pool data", "COW store", "space" */
	char *subject;            /* its name */
	char *problem;            /* a sentence; empty when all is well */
	char vm[SF_NAME_MAX + 1]; /* the one VM that it concerns; empty: several */
	uint64_t used_bytes, total_bytes;
	unsigned warn_percent; /* where snapfs warns or extends; 0: nowhere */
	unsigned stop_percent; /* where no more snapshots are taken; 0: nowhere */
};

struct sf_usages {
	struct sf_usage_entry *list;
	size_t n;
};

/* Of the VMs named, or of all (nvms 0); each once. -EACCES for those who may not. */
int sf_usages_load(const struct sf_mount *mount, char **vms, size_t nvms, struct sf_usages *ret,
		   struct sf_err *err);
/* All zeros is none. */
void sf_usages_fini(struct sf_usages *usages);

/* 0 to 100. */
unsigned sf_usage_percent(const struct sf_usage_entry *usage);

/* "[#####...|..]" of width columns within the brackets (at most 60), '|' where snapfs warns. */
#define SF_USAGE_BAR 64
void sf_usage_bar(const struct sf_usage_entry *usage, unsigned width, char bar[static SF_USAGE_BAR]);

json_t *sf_usages_json(const struct sf_usages *usages);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists what can run full below the VMs' disks: pools, COW stores, and the file systems of images. The source
 * is .vm.json.
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
	char *problem;            /* a sentence; empty if there is none */
	char vm[SF_NAME_MAX + 1]; /* the only loaded VM that uses it; empty: several */
	uint64_t used_bytes, total_bytes;
	unsigned warn_percent; /* where snapfs warns or extends; 0: nowhere */
	unsigned stop_percent; /* where snapfs takes no more snapshots; 0: nowhere */
};

struct sf_usages {
	struct sf_usage_entry *list;
	size_t n;
};

/* Loads the usages of the named VMs, or of all (nvms 0), each once. -EACCES if the user may not read them. */
int sf_usages_load(const struct sf_mount *mount, char **vms, size_t nvms, struct sf_usages *ret,
		   struct sf_err *err);
/* All zeros is an empty value. */
void sf_usages_fini(struct sf_usages *usages);

/* 0 to 100. */
unsigned sf_usage_percent(const struct sf_usage_entry *usage);

/*
 * "[#####...|..]", with width columns (at most SF_USAGE_BAR - 3) between the brackets; '|' marks where snapfs
 * warns.
 */
#define SF_USAGE_BAR 64
void sf_usage_bar(const struct sf_usage_entry *usage, unsigned width, char bar[static SF_USAGE_BAR]);

json_t *sf_usages_json(const struct sf_usages *usages);

#endif

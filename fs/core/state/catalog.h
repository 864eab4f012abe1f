/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tree shows: VMs and their snapshots, in memory. The face reads it, the engine changes it.
 *
 * A struct sf_snapshot is immutable and reference-counted; an edit publishes a new one in its place. A struct
 * sf_vm lives as long as the catalog. One mutex guards everything else; it is held for look-ups and list
 * changes only, never across a call into a backend or the kernel, so readers never wait for operators.
 */
#ifndef SF_CORE_STATE_CATALOG_H
#define SF_CORE_STATE_CATALOG_H

#include "core/contract/hypervisor.h"
#include "record.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_catalog;

/*
 * Durable 64-bit ids whose low 8 bits are 0 and which are never below 256: the rest of an inode number. Of
 * snapshots from their uuid, of VMs from a hash of the uuid or, lacking one, the name.
 */
#define SF_ID_SLOTS 256
uint64_t sf_snapshot_id(const struct sf_id *uuid);
uint64_t sf_vm_id(const char *uuid, const char *name);

struct sf_snapshot {
	atomic_uint refs;
	uint64_t id;
	uint64_t vm_id;
	struct sf_record record; /* as it was when it was ready */
	size_t meta_len;         /* bytes of meta.json, which is made of the record when it is opened */
	uint32_t manifest_bytes; /* of manifest.json; 0: there is none */
	uint64_t manifest_ns;    /* when that was made */
	bool broken;             /* a disk or its RAM is missing: shown, deletable, not revertible */
};

struct sf_vm_info {
	uint64_t id;
	char name[SF_NAME_MAX + 1]; /* the directory's name */
	uint64_t changed_ns;        /* instant of the newest snapshot or edit; 0 without any */
	bool present;               /* the hypervisor knows it now */
	size_t nsnapshots;
};

int sf_catalog_new(struct sf_catalog **ret);
void sf_catalog_free(struct sf_catalog *catalog);

/* Takes over record. broken as above. NULL when out of memory. The caller owns one reference. */
struct sf_snapshot *sf_snapshot_new(struct sf_record *record, uint64_t vm_id, bool broken);
struct sf_snapshot *sf_snapshot_ref(struct sf_snapshot *snapshot);
/* Accepts NULL. */
void sf_snapshot_unref(struct sf_snapshot *snapshot);

/* --- Looking up: -ENOENT when it is not there. Snapshots come with a reference of the caller's. --- */
int sf_catalog_vm(struct sf_catalog *catalog, const char *name, struct sf_vm_info *ret);
int sf_catalog_vm_by_id(struct sf_catalog *catalog, uint64_t id, struct sf_vm_info *ret);
/* Sorted by name, allocated; the caller frees it. Only VMs that are present or have snapshots. */
int sf_catalog_vms(struct sf_catalog *catalog, struct sf_vm_info **ret, size_t *ret_n);
int sf_catalog_snapshot(struct sf_catalog *catalog, uint64_t vm_id, const char *name,
			struct sf_snapshot **ret);
/* Also finds snapshots whose name is gone and which readers still hold. */
int sf_catalog_snapshot_by_id(struct sf_catalog *catalog, uint64_t id, struct sf_snapshot **ret);
/* Sorted by name; release with sf_catalog_snapshots_free(). */
int sf_catalog_snapshots(struct sf_catalog *catalog, uint64_t vm_id, struct sf_snapshot ***ret,
			 size_t *ret_n);
void sf_catalog_snapshots_free(struct sf_snapshot **list, size_t n);

/* --- Readers: an open file keeps the storage of its snapshot. --- */
/* -ENOENT once the storage is being removed. */
int sf_catalog_open(struct sf_catalog *catalog, uint64_t snapshot_id);
/* True when this was the last reader of a snapshot whose name is gone: the caller has the storage removed. */
bool sf_catalog_close(struct sf_catalog *catalog, uint64_t snapshot_id);

/* --- Changing: the engine only. --- */
/* Adds the VM or updates its name and presence; that names are unique is the caller's business. */
int sf_catalog_vm_put(struct sf_catalog *catalog, uint64_t id, const char *name, bool present);
/*
 * Adds the snapshot (-EEXIST for a name or id in use) or replaces the one with the same id. Takes a reference
 * of its own.
 */
int sf_catalog_publish(struct sf_catalog *catalog, struct sf_snapshot *snapshot);
/*
 * The name goes. True when nobody reads it, which also bars new readers: the caller removes the storage now.
 */
bool sf_catalog_hide(struct sf_catalog *catalog, uint64_t snapshot_id);
/* The last trace goes. */
void sf_catalog_forget(struct sf_catalog *catalog, uint64_t snapshot_id);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-memory catalog of VMs and their snapshots: what the mounted tree shows. The face reads it, the
 * engine changes it.
 *
 * A struct sf_snapshot is immutable and reference-counted; an edit publishes a new one in its place. A VM's
 * entry lives as long as the catalog. One mutex guards everything else. It is held for look-ups and list
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
 * Durable 64-bit ids, which inode numbers are built from: the low 8 bits are 0, and the value is at least
 * SF_ID_SLOTS. A snapshot's id comes from its uuid. A VM's id is a hash of its uuid or, without one, of its
 * name.
 */
#define SF_ID_SLOTS 256
uint64_t sf_snapshot_id(const struct sf_id *uuid);
uint64_t sf_vm_id(const char *uuid, const char *name);

struct sf_snapshot {
	atomic_uint refs;
	uint64_t id;
	uint64_t vm_id;
	struct sf_record record; /* as published, in state ready */
	size_t meta_len;         /* bytes of meta.json, which is generated from the record when opened */
	uint32_t manifest_bytes; /* size of manifest.json; 0: none */
	uint64_t manifest_ns;    /* when it was made, ns since the epoch */
	bool broken;             /* a disk or the RAM is missing: listed and deletable, not revertible */
};

struct sf_vm_info {
	uint64_t id;
	char name[SF_NAME_MAX + 1]; /* the directory's name */
	uint64_t changed_ns;        /* time of the newest snapshot or edit; 0: none */
	bool present;               /* the hypervisor currently lists it */
	size_t nsnapshots;
};

int sf_catalog_new(struct sf_catalog **ret);
void sf_catalog_free(struct sf_catalog *catalog);

/*
 * Takes over the contents of record. Returns a snapshot with one reference, owned by the caller. NULL when
 * out of memory; record is then untouched. broken: see struct sf_snapshot.
 */
struct sf_snapshot *sf_snapshot_new(struct sf_record *record, uint64_t vm_id, bool broken);
struct sf_snapshot *sf_snapshot_ref(struct sf_snapshot *snapshot);
/* Accepts NULL. */
void sf_snapshot_unref(struct sf_snapshot *snapshot);

/* --- Look-ups: -ENOENT when not found. A returned snapshot carries a reference that the caller drops. --- */
int sf_catalog_vm(struct sf_catalog *catalog, const char *name, struct sf_vm_info *ret);
int sf_catalog_vm_by_id(struct sf_catalog *catalog, uint64_t id, struct sf_vm_info *ret);
/* Lists the VMs that are present or have snapshots, sorted by name. The caller frees *ret. -ENOMEM. */
int sf_catalog_vms(struct sf_catalog *catalog, struct sf_vm_info **ret, size_t *ret_n);
int sf_catalog_snapshot(struct sf_catalog *catalog, uint64_t vm_id, const char *name,
			struct sf_snapshot **ret);
/* Also finds a snapshot whose name is gone while readers still hold it. */
int sf_catalog_snapshot_by_id(struct sf_catalog *catalog, uint64_t id, struct sf_snapshot **ret);
/* Lists a VM's named snapshots, sorted by name. Release with sf_catalog_snapshots_free(). -ENOMEM. */
int sf_catalog_snapshots(struct sf_catalog *catalog, uint64_t vm_id, struct sf_snapshot ***ret,
			 size_t *ret_n);
void sf_catalog_snapshots_free(struct sf_snapshot **list, size_t n);

/* --- Readers: an open file keeps its snapshot's storage. --- */
/* Adds a reader. -ENOENT once the storage is being removed. */
int sf_catalog_open(struct sf_catalog *catalog, uint64_t snapshot_id);
/*
 * Drops a reader. True when it was the last reader of a snapshot whose name is gone: the caller must
 * then have the storage removed.
 */
bool sf_catalog_close(struct sf_catalog *catalog, uint64_t snapshot_id);

/* --- Changes: for the engine only. --- */
/* Adds the VM, or updates its name and presence. The caller keeps names unique. -ENOMEM. */
int sf_catalog_vm_put(struct sf_catalog *catalog, uint64_t id, const char *name, bool present);
/*
 * Adds the snapshot, or replaces the one with the same id. Takes its own reference. -EEXIST for a name or id
 * in use, -ENOENT for an unknown VM, -ENOMEM.
 */
int sf_catalog_publish(struct sf_catalog *catalog, struct sf_snapshot *snapshot);
/*
 * Removes the snapshot's name. True when it has no readers: new ones are then refused, and the caller removes
 * the storage now.
 */
bool sf_catalog_hide(struct sf_catalog *catalog, uint64_t snapshot_id);
/* Removes the snapshot from the catalog. */
void sf_catalog_forget(struct sf_catalog *catalog, uint64_t snapshot_id);

#endif

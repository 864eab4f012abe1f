/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one snapshot, and its one form on disk and in the tree: meta.json (schema 1). Input is
 * untrusted: every member is checked for type, range and form. Unknown members are ignored, so that a later
 * version can add some.
 */
#ifndef SF_CORE_STATE_RECORD_H
#define SF_CORE_STATE_RECORD_H

#include "core/contract/hypervisor.h"
#include "base/id.h"
#include "base/names.h"
#include "core/contract/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct sf_err;

#define SF_RECORD_SCHEMA 1
/* A record is a few KiB; anything above this was not written by snapfs. */
#define SF_RECORD_BYTES_MAX (1024 * 1024)

enum sf_record_state { SF_RECORD_CREATING, SF_RECORD_READY, SF_RECORD_DELETING };

/* How consistent the snapshot is, from weakest to strongest. */
enum sf_consistency {
	SF_CONSISTENCY_CRASH,    /* a running guest's disks at one instant, as after pulling the plug */
	SF_CONSISTENCY_QUIESCED, /* the guest had flushed and frozen its file systems */
	SF_CONSISTENCY_MEMORY,   /* disks and RAM of the same instant */
	SF_CONSISTENCY_PAUSED,   /* somebody else kept the guest paused, before and after */
	SF_CONSISTENCY_OFF,      /* nothing was writing */
};

struct sf_record_disk {
	struct sf_object object; /* vdev, origin, token; vm and snapshot are filled from the record */
	char *origin;            /* owned by the record; object.origin points to it */
	char storage[16];        /* the backend's name */
	struct sf_object_stat stat;
	char method[16];
};

struct sf_record_memory {
	bool present;
	uint64_t size_bytes;
	unsigned char xxh3_128[16]; /* canonical (big-endian) XXH3 128-bit of the whole file, seed 0 */
	char *host; /* what a restore requires of a host, in the hypervisor's format; NULL: nothing */
};

/* Owns everything it points to. */
struct sf_record {
	struct sf_id uuid;
	enum sf_record_state state;
	char name[SF_NAME_MAX + 1];
	char vm_name[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	uint64_t taken_ns;  /* the instant it shows, CLOCK_REALTIME */
	uint64_t edited_ns; /* last change of name, description or hold; taken_ns if never changed */
	enum sf_consistency consistency;
	enum sf_power power; /* the guest's power state at that instant */
	bool leased;         /* while creating: the guest may be paused because of us */
	bool quiesced;       /* while creating: the guest may be frozen because of us */
	bool paused;         /* we paused the guest for it, for pause_ms */
	uint64_t pause_ms;
	bool held;
	bool rebuilt;                 /* reconstructed from labels after the record itself was lost */
	bool forgotten;               /* while deleting: its disks' objects are left in place */
	bool left;                    /* holds the state that a revert to left_for replaced */
	struct sf_id left_for;        /* uuid of the snapshot that was reverted to */
	char *description;            /* NULL: none */
	struct sf_record_disk *disks; /* boot disk first */
	size_t ndisks;
	struct sf_record_memory memory;
};

void sf_record_fini(struct sf_record *record);
/* Deep copy into *ret, which may be uninitialised. -ENOMEM. */
int sf_record_copy(const struct sf_record *record, struct sf_record *ret);

/*
 * Set a copy of the text. An empty or NULL description or host means none. -ENOMEM; the former text then
 * stays.
 */
int sf_record_set_description(struct sf_record *record, const char *text);
int sf_record_set_host(struct sf_record_memory *memory, const char *host);
int sf_record_set_origin(struct sf_record_disk *disk, const char *origin);

/* Fills in the labels of the disks' objects from the record. */
void sf_record_label(struct sf_record *record);

/* Pretty JSON with a final newline, allocated; NULL only when out of memory. ret_len may be NULL. */
char *sf_record_format(const struct sf_record *record, size_t *ret_len);
/* Prints the same object on one line, without the newline. -ENOMEM, -EIO. */
int sf_record_print(const struct sf_record *record, FILE *out);
/*
 * -EINVAL names the bad member; -EOPNOTSUPP: a newer schema; -ENOMEM. On failure *ret is untouched.
 */
int sf_record_parse(const char *text, size_t len, struct sf_record *ret, struct sf_err *err);

/*
 * What a record of a newer schema says. Every schema keeps the form and meaning of the members "schema",
 * "vm", "state" and "leased", so that an older version does not forget a guest.
 */
struct sf_newer_record {
	char vm_name[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	bool leased; /* the guest may be at rest because of us */
};
/* Reads such a record. -EINVAL, -ENOMEM. */
int sf_record_parse_newer(const char *text, size_t len, struct sf_newer_record *ret, struct sf_err *err);

const char *sf_record_state_name(enum sf_record_state state);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one snapshot and its one form on disk and in the tree: meta.json (schema 1). Reading trusts
 * nothing: every member is checked for type, range and form, unknown members are ignored (a later version may
 * add some).
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

/* How the instant was secured, from weakest to strongest. */
enum sf_consistency {
	SF_CONSISTENCY_CRASH,    /* one instant of a running guest's disks, as after pulling the plug */
	SF_CONSISTENCY_QUIESCED, /* the guest had flushed and frozen its file systems */
	SF_CONSISTENCY_MEMORY,   /* disks and RAM of one instant */
	SF_CONSISTENCY_PAUSED,   /* somebody else had paused the guest, before and after */
	SF_CONSISTENCY_OFF,      /* nobody was writing */
};

struct sf_record_disk {
	struct sf_object object; /* vdev, origin, token; vm and snapshot are filled from the record */
	char *origin;            /* the record's own text, which object.origin points to */
	char storage[16];        /* the backend's name */
	struct sf_object_stat stat;
	char method[16];
};

struct sf_record_memory {
	bool present;
	uint64_t size_bytes;
	unsigned char xxh3_128[16]; /* canonical (big-endian) XXH3 128-bit of the whole file, seed 0 */
	char *host; /* what a restore needs of a host, in the hypervisor's words; NULL: nothing */
};

/* Owns what it points to. */
struct sf_record {
	struct sf_id uuid;
	enum sf_record_state state;
	char name[SF_NAME_MAX + 1];
	char vm_name[SF_NAME_MAX + 1];
	char vm_uuid[SF_VM_UUID];
	uint64_t taken_ns;  /* the instant, CLOCK_REALTIME */
	uint64_t edited_ns; /* last change of name, description or hold; taken_ns when there was none */
	enum sf_consistency consistency;
	enum sf_power power; /* the guest's at the instant */
	bool leased;         /* while creating: the guest may be at rest because of us */
	bool quiesced;       /* while creating: the guest may be frozen because of us */
	bool paused;         /* we brought the guest to rest for it, for pause_ms until it was resumed */
	uint64_t pause_ms;
	bool held;
	bool rebuilt;                 /* from labels, after the record itself was lost */
	bool forgotten;               /* while deleting: its disks' objects stay where they are */
	bool left;                    /* of the state that a revert left, to that of left_for */
	struct sf_id left_for;        /* uuid of the snapshot that was reverted to */
	char *description;            /* NULL: none */
	struct sf_record_disk *disks; /* boot disk first */
	size_t ndisks;
	struct sf_record_memory memory;
};

void sf_record_fini(struct sf_record *record);
/* Deep copy into *ret (uninitialised before); -ENOMEM. */
int sf_record_copy(const struct sf_record *record, struct sf_record *ret);

/* Copies of the text; "" and NULL are no description and no host. -ENOMEM, and the former text stays. */
int sf_record_set_description(struct sf_record *record, const char *text);
int sf_record_set_host(struct sf_record_memory *memory, const char *host);
int sf_record_set_origin(struct sf_record_disk *disk, const char *origin);

/* Gives the disks' objects the labels that follow from the record. */
void sf_record_label(struct sf_record *record);

/* Pretty JSON with a final newline, allocated; NULL only when out of memory. ret_len may be NULL. */
char *sf_record_format(const struct sf_record *record, size_t *ret_len);
/* The same object in one line, without the newline. -ENOMEM, -EIO. */
int sf_record_print(const struct sf_record *record, FILE *out);
/* -EINVAL with the member's name, -ENOMEM. On failure *ret is untouched. */
int sf_record_parse(const char *text, size_t len, struct sf_record *ret, struct sf_err *err);

const char *sf_record_state_name(enum sf_record_state state);

#endif

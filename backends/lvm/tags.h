/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tags that mark an LV as ours, and the names of such LVs. The form of the tags is described in tags.c.
 * Removing, relabelling and activating thin LVs select by name and tags together; lvrename, lvextend,
 * lvconvert and the activation of a classic snapshot take a name that a report has shown to be ours. The live
 * volume has no tags of ours: a revert selects it by name.
 */
#ifndef SF_BACKENDS_LVM_TAGS_H
#define SF_BACKENDS_LVM_TAGS_H

#include "core/contract/storage.h"

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Size of a buffer for the name of a VG or LV. Together they have at most 127 characters (lvm(8)). */
#define SF_LVM_NAME 128

/* What our tags on an LV say. */
struct sf_lvm_tags {
	struct sf_id state_id;
	struct sf_object object;  /* token, labels and vdev; origin is NULL */
	char origin[SF_LVM_NAME]; /* name of the LV that it is a snapshot of */
	bool data_known;
	uint64_t data_bytes; /* mapped in the origin when the snapshot was taken; thin only */
};

/* Most tags of one object, and the size of the longest: three bytes for each byte of a name, and a key. */
#define SF_LVM_TAGS_MAX 12
#define SF_LVM_TAG      (3 * SF_NAME_MAX + 32)

struct sf_lvm_tag_list {
	char text[SF_LVM_TAGS_MAX][SF_LVM_TAG];
	size_t n;
};
void sf_lvm_tags_format(const struct sf_lvm_tags *tags, struct sf_lvm_tag_list *ret);
bool sf_lvm_tags_have(const struct sf_lvm_tag_list *list, const char *tag);
/* list: separated by commas, as lvs prints it. False when our tags are missing, incomplete or malformed. */
bool sf_lvm_tags_parse(const char *list, struct sf_lvm_tags *ret);

/*
 * What an LV of ours is. A snapshot has its lasting name, and during a revert of a thin volume
 * - the COPY takes the place of the snapshot that LVM merges,
 * - NEW becomes the volume, and OLD was the volume (thin_exchange.c).
 */
enum sf_lvm_role { SF_LVM_SNAPSHOT, SF_LVM_COPY, SF_LVM_NEW, SF_LVM_OLD };
/* "snapfs_", the token, and a suffix for the role. */
void sf_lvm_object_name(const struct sf_id *token, enum sf_lvm_role role, char name[static SF_LVM_NAME]);

/*
 * Selections (lvmreport(7)) that match only LVs with the object's token and our state id as tags, and with
 * sf_lvm_select            the name of any role except OLD
 * sf_lvm_select_snapshot   the lasting name or the copy's: those that readers may have open
 * sf_lvm_select_role       the name of one role
 */
#define SF_LVM_SELECT 512
void sf_lvm_select(const struct sf_id *state_id, const struct sf_id *token, char text[static SF_LVM_SELECT]);
void sf_lvm_select_snapshot(const struct sf_id *state_id, const struct sf_id *token,
			    char text[static SF_LVM_SELECT]);
void sf_lvm_select_role(const struct sf_id *state_id, const struct sf_id *token, enum sf_lvm_role role,
			char text[static SF_LVM_SELECT]);

#endif

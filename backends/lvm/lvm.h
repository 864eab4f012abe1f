/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LVM, changed only through its own commands, one at a time on the whole host. What there is, is asked of
 * `lvs` and remembered for a while. Shared by the storages lvm_thin and lvm_classic; thread-safe.
 *
 * The lock on the host is a flock on a file in the run directory, and that file is also the standard output
 * of the command: so the lock lasts as long as the command does, whatever becomes of us. A command is never
 * killed; one that is not back at its deadline goes on, and the next waits for it. Sources: lvm(8),
 * lvcreate(8), lvmthin(7), lvmreport(7).
 */
#ifndef SF_BACKENDS_STORAGE_LVM_H
#define SF_BACKENDS_STORAGE_LVM_H

#include "core/contract/storage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sf_lvm;
struct sf_lvm_config;

/* Names of VGs and LVs are shorter than a device-mapper name (lvm(8): 127 characters together). */
#define SF_LVM_NAME 128
/* "32 letters and digits in seven groups", with the NUL (lvm2, uuid.h). */
#define SF_LVM_UUID 39

/* --- What there is --- */

/* What our tags on an LV say; see lvm_tags.c. */
struct sf_lvm_tags {
	struct sf_id state_id;
	struct sf_object object;  /* token, labels and vdev; origin stays NULL */
	char origin[SF_LVM_NAME]; /* the LV's name that it is a snapshot of */
	bool data_known;
	uint64_t data_bytes; /* mapped when it was taken; thin only */
};

struct sf_lv {
	char name[SF_LVM_NAME];
	char uuid[SF_LVM_UUID];
	char segtype[32];
	char pool[SF_LVM_NAME];
	char origin[SF_LVM_NAME]; /* as LVM has it */
	uint64_t thin_id;
	uint64_t size_bytes;
	bool active;
	bool merging;
	char *own_tags;   /* those of snapfs, whoever's it is, with commas; NULL: none */
	char *other_tags; /* all others */
	bool tagged;      /* tags is valid */
	struct sf_lvm_tags tags;
};

/* One VG at one moment. Immutable, counted references. */
struct sf_lvm_report {
	char vg[SF_LVM_NAME];
	char vg_uuid[SF_LVM_UUID];
	uint64_t extent_bytes;
	uint64_t vg_bytes;
	unsigned missing_pvs;
	struct sf_lv *lvs;
	size_t n;
	_Atomic unsigned refs;
	_Atomic uint64_t free_bytes; /* lowered by what we take before the next report */
};

/* Ages for sf_lvm_report(). */
#define SF_LVM_FACTS_MS   60000 /* of volumes that nobody of ours changes: type, size, pool */
#define SF_LVM_OBJECTS_MS 2000  /* of snapshots: only others could have changed them */
#define SF_LVM_NOW        0

/*
 * What is in the VG, not older than max_age_ms; facts_only also accepts one from before our own last change.
 * -ENODEV: there is no such VG. -EPERM: it is exported. Release with sf_lvm_report_unref().
 */
int sf_lvm_report(struct sf_lvm *lvm, const char *vg, uint64_t max_age_ms, bool facts_only,
		  struct sf_lvm_report **ret, struct sf_err *err);
/* The last report, however old it is and whatever has changed since; NULL: none. */
struct sf_lvm_report *sf_lvm_remembered(struct sf_lvm *lvm, const char *vg);
void sf_lvm_report_unref(struct sf_lvm_report *report);
/* NULL: none of that name. */
const struct sf_lv *sf_lvm_find(const struct sf_lvm_report *report, const char *name);
/* Reads the JSON of `lvs` (lvmreport(7)); for sf_lvm_report() and tests. -EPROTO. */
int sf_lvm_parse(const char *text, size_t len, struct sf_lvm_report **ret, struct sf_err *err);

#define auto_report __attribute__((cleanup(sf_lvm_cleanup_report)))
static inline void sf_lvm_cleanup_report(struct sf_lvm_report **report)
{
	sf_lvm_report_unref(*report);
}

/* A command of ours has changed, or may have changed, the VG. */
void sf_lvm_changed(struct sf_lvm *lvm, const char *vg);
/* Calls fn for every VG that was asked about, with a report that may be SF_LVM_FACTS_MS old. */
void sf_lvm_each_vg(struct sf_lvm *lvm, void (*fn)(void *arg, struct sf_lvm_report *report), void *arg);

/* --- Tags --- */

/* Most that one object has, and the longest: three bytes for each of a name's, and a word. */
#define SF_LVM_TAGS_MAX 12
#define SF_LVM_TAG      (3 * SF_NAME_MAX + 32)

struct sf_lvm_tag_list {
	char text[SF_LVM_TAGS_MAX][SF_LVM_TAG];
	size_t n;
};
void sf_lvm_tags_format(const struct sf_lvm_tags *tags, struct sf_lvm_tag_list *ret);
/* list: as lvs prints it, with commas. False when it is not, or not wholly, ours. */
bool sf_lvm_tags_parse(const char *list, struct sf_lvm_tags *ret);

/*
 * Generated names: "snapfs_", the token, and what the LV is for a while in a revert: the snapshot's stand-in,
 * the volume's successor, the volume that was left.
 */
enum sf_lvm_role { SF_LVM_SNAPSHOT, SF_LVM_COPY, SF_LVM_NEW, SF_LVM_OLD };
void sf_lvm_object_name(const struct sf_id *token, enum sf_lvm_role role, char name[static SF_LVM_NAME]);
/*
 * A selection (lvmreport(7)) of exactly the LVs with this object's names, token and state id; all of its
 * names but the last. select_role: the one of that role alone.
 */
#define SF_LVM_SELECT 512
void sf_lvm_select(const struct sf_id *state_id, const struct sf_id *token, char text[static SF_LVM_SELECT]);
/* The snapshot under its lasting or its copy's name: what readers may have open. */
void sf_lvm_select_snapshot(const struct sf_id *state_id, const struct sf_id *token,
			    char text[static SF_LVM_SELECT]);
void sf_lvm_select_role(const struct sf_id *state_id, const struct sf_id *token, enum sf_lvm_role role,
			char text[static SF_LVM_SELECT]);

/* --- Changing --- */

/*
 * Runs `lvm ARGV…` (argv[0]: "lvcreate"; ends with NULL). What it says on failure becomes the sentence, its
 * sense the errno: -ENOSPC, -EBUSY, -EEXIST, -ENOENT, -ENODEV, -EPERM, -EIO; -ETIMEDOUT when it, or the
 * command before it, is not done by the deadline. ret_said (optional, allocated): all it printed.
 */
int sf_lvm_run(struct sf_lvm *lvm, const char *vg, const char *const *argv, char **ret_said,
	       struct sf_err *err);

/* --- The instance --- */

struct sf_lvm_options {
	const char *program; /* NULL: "lvm" */
	const char *run_dir; /* NULL: "/run/snapfs" */
	const char *state_dir;
	const struct sf_lvm_config *config;
	struct sf_id state_id;
};
/* One reference; -ENOENT where LVM is not installed. */
int sf_lvm_new(const struct sf_lvm_options *options, struct sf_lvm **ret, struct sf_err *err);
struct sf_lvm *sf_lvm_ref(struct sf_lvm *lvm);
void sf_lvm_unref(struct sf_lvm *lvm);
const struct sf_lvm_config *sf_lvm_config(const struct sf_lvm *lvm);
const struct sf_id *sf_lvm_state_id(const struct sf_lvm *lvm);
/* Where snapfs keeps what must outlive a power cut, and what need not (a directory of root's alone). */
const char *sf_lvm_state_dir(const struct sf_lvm *lvm);
/* Opens a file there; O_CREAT and O_CLOEXEC are added. -EPERM when the directory is not root's alone. */
int sf_lvm_open_run_file(struct sf_lvm *lvm, const char *name, int flags, struct sf_err *err);

/* The two storages; each takes a reference. */
int sf_lvm_thin_open(struct sf_lvm *lvm, struct sf_storage **ret, struct sf_err *err);
int sf_lvm_classic_open(struct sf_lvm *lvm, struct sf_storage **ret, struct sf_err *err);

#endif

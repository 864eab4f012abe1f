/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses what users write into control files and xattrs, and formats the answers. Knows nothing of FUSE. */
#ifndef SF_FACE_CONTROL_H
#define SF_FACE_CONTROL_H

#include "core/engine/engine.h"
#include "core/state/manifest.h"
#include "core/state/schedules.h"

#include <stdbool.h>
#include <stddef.h>

struct sf_err;

/* Longest command: a description of 4000 bytes fits with every byte escaped. */
#define SF_CONTROL_BYTES_MAX (64 * 1024)

/* A create request with the storage it points to. Do not copy it: the pointers refer to this instance. */
struct sf_control_create {
	struct sf_create_request request;
	char description[SF_DESCRIPTION_MAX + 1];
	char disks[SF_VM_DISKS_MAX][SF_VDEV_MAX + 1];
};

/*
 * Parses the words written into revert: "yes" (the recorded power state), "paused", "running" or "off", then
 * optionally "discard". *ret_given is false for blank input, which is a no-op; *ret is then untouched.
 * -EINVAL quotes the bad word.
 */
int sf_control_parse_revert(const char *text, size_t len, struct sf_revert_request *ret, bool *ret_given,
			    struct sf_err *err);

/*
 * Parses the JSON object written into .create. *ret_given as above; *ret is valid only if it is true. -EINVAL
 * names the key, -ENAMETOOLONG the name.
 */
int sf_control_parse_create(const char *text, size_t len, struct sf_control_create *ret, bool *ret_given,
			    struct sf_err *err);

/*
 * Parses the JSON object written into .manifest; see sf_manifest_parse(). *ret_given as above; *ret is valid
 * only if it is true.
 */
int sf_control_parse_manifest(const char *text, size_t len, struct sf_manifest *ret, bool *ret_given,
			      struct sf_err *err);

/*
 * Parses the word written into .delete: "yes", or "forget", which leaves the volumes in place. *ret_given as
 * above.
 */
int sf_control_parse_delete(const char *text, size_t len, bool *ret_forget, bool *ret_given,
			    struct sf_err *err);

enum sf_run_command { SF_RUN_BEGIN, SF_RUN_END, SF_RUN_FORGET };

struct sf_control_run {
	enum sf_run_command command;
	struct sf_run_request request; /* of SF_RUN_BEGIN; SF_RUN_FORGET sets the schedule only */
	struct sf_run_result result;   /* of SF_RUN_END */
};

/*
 * Parses the JSON object written into .snapfs/run. One key selects the command:
 * "schedule"  begins a run; optional: "due" (seconds since the epoch)
 * "result"    ends it; optional: "text", "created", "deleted" and "failed"
 * "forget"    takes no other keys
 * *ret_given as above. -EINVAL names the key, -ENAMETOOLONG the name, -E2BIG the text.
 */
int sf_control_parse_run(const char *text, size_t len, struct sf_control_run *ret, bool *ret_given,
			 struct sf_err *err);

/* Parses a value of user.snapfs.hold: empty, "1" and "yes" hold; "0" and "no" release. -EINVAL. */
int sf_control_parse_hold(const char *value, size_t len, bool *ret, struct sf_err *err);

/*
 * The text that a reader of .create gets after a command: one line of JSON, allocated; NULL when out of
 * memory. If rc is 0, name is the new snapshot's name, and note (empty: none) is a remark for the user.
 */
char *sf_control_outcome(const char *vm, const char *name, const char *note, int rc,
			 const struct sf_err *err);

/* The same for .snapfs/run. */
char *sf_control_run_outcome(int rc, const struct sf_err *err);

#endif

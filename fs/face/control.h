/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may be written into control files and xattrs, and what those answer that do. Knows nothing of FUSE. */
#ifndef SF_FACE_CONTROL_H
#define SF_FACE_CONTROL_H

#include "core/engine/engine.h"
#include "core/state/manifest.h"
#include "core/state/schedules.h"

#include <stdbool.h>
#include <stddef.h>

struct sf_err;

/* One command; a description of 4000 bytes escaped byte by byte fits well. */
#define SF_CONTROL_BYTES_MAX (64 * 1024)

/* A create request with room for what it points to, hence not to be copied. */
struct sf_control_create {
	struct sf_create_request request;
	char description[SF_DESCRIPTION_MAX + 1];
	char disks[SF_VM_DISKS_MAX][SF_VDEV_MAX + 1];
};

/*
 * A word written into revert: "yes" (the recorded power state), "paused", "running" or "off", then perhaps
 * "discard". *ret_given is false for nothing but blanks: nothing is to be done. -EINVAL quotes what is wrong.
 */
int sf_control_parse_revert(const char *text, size_t len, struct sf_revert_request *ret, bool *ret_given,
			    struct sf_err *err);

/*
 * The JSON object written into .create. *ret_given as above; *ret counts only when it is true. -EINVAL names
 * the key, -ENAMETOOLONG the name.
 */
int sf_control_parse_create(const char *text, size_t len, struct sf_control_create *ret, bool *ret_given,
			    struct sf_err *err);

/*
 * The JSON object written into .manifest; see sf_manifest_parse(). *ret_given as above; *ret counts only when
 * it is true.
 */
int sf_control_parse_manifest(const char *text, size_t len, struct sf_manifest *ret, bool *ret_given,
			      struct sf_err *err);

/*
 * The word written into .delete: "yes", or "forget" to leave the volumes. Nothing but blanks means nothing:
 * *ret_given as above.
 */
int sf_control_parse_delete(const char *text, size_t len, bool *ret_forget, bool *ret_given,
			    struct sf_err *err);

enum sf_run_command { SF_RUN_BEGIN, SF_RUN_END, SF_RUN_FORGET };

struct sf_control_run {
	enum sf_run_command command;
	struct sf_run_request request; /* SF_RUN_FORGET: its schedule alone */
	struct sf_run_result result;   /* of SF_RUN_END */
};

/*
 * The JSON object written into .snapfs/run: "schedule", perhaps "due" (seconds since the epoch), begin a run;
 * "result", perhaps "text", "created", "deleted" and "failed", end it; "forget" stands alone. *ret_given as
 * above. -EINVAL names the key, -ENAMETOOLONG the name, -E2BIG the text.
 */
int sf_control_parse_run(const char *text, size_t len, struct sf_control_run *ret, bool *ret_given,
			 struct sf_err *err);

/* The value of user.snapfs.hold: empty, "1", "yes" hold; "0", "no" release. */
int sf_control_parse_hold(const char *value, size_t len, bool *ret, struct sf_err *err);

/*
 * What .create reads back, one line of JSON, allocated; NULL when out of memory. rc 0: name is the new
 * snapshot's, and note (empty: none) what its user should know besides.
 */
char *sf_control_outcome(const char *vm, const char *name, const char *note, int rc,
			 const struct sf_err *err);

/* The same of .snapfs/run. */
char *sf_control_run_outcome(int rc, const struct sf_err *err);

#endif

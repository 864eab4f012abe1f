/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The history of one schedule: its last run, or the run in progress, and the JSON form of that, on disk and
 * in the tree. Input is untrusted.
 */
#ifndef SF_CORE_STATE_SCHEDULE_H
#define SF_CORE_STATE_SCHEDULE_H

#include "base/json.h"
#include "base/names.h"

#include <stdint.h>

struct sf_err;

/* Maximum bytes of a result's text, without the NUL. */
#define SF_RUN_TEXT_MAX 1000

enum sf_run_state { SF_RUN_RUNNING, SF_RUN_OK, SF_RUN_PARTLY, SF_RUN_FAILED };

/* "running", "ok", "partly", "failed". */
const char *sf_run_state_name(enum sf_run_state state);
/* -EINVAL for any other word. */
int sf_run_state_parse(const char *word, enum sf_run_state *ret);

/* -EINVAL unless it is one line of UTF-8 without control characters, maybe empty; -E2BIG when too long. */
int sf_run_text_check(const char *text, struct sf_err *err);

struct sf_run_result {
	enum sf_run_state state;
	uint64_t created, deleted, failed; /* snapshots, as the client counted them */
	char text[SF_RUN_TEXT_MAX + 1];    /* passes sf_run_text_check() */
};

struct sf_schedule {
	char name[SF_NAME_MAX + 1]; /* passes sf_name_check() */
	uint64_t began_ns;          /* start of the last run */
	uint64_t ended_ns;          /* its end; 0: it is in progress */
	uint64_t due_ns;            /* the time it was due; 0: not given */
	uint64_t last_ok_ns;        /* end of the last run that was ok; 0: none ever was */
	enum sf_run_state result;   /* of the last run that ended; SF_RUN_RUNNING: none known */
	struct sf_run_result last;  /* of the last run; in progress: SF_RUN_RUNNING, the rest 0 */
	const void *owner;          /* of the run in progress; not stored on disk */
};

/*
 * {"name", "state", "began", "ended", "due", "last_ok", "text", "created", "deleted", "failed"}; a time of 0
 * becomes null. NULL when out of memory.
 */
json_t *sf_schedule_json(const struct sf_schedule *schedule);
/* -EINVAL names the bad member. On failure *ret may be partly filled. */
int sf_schedule_parse(const json_t *item, struct sf_schedule *ret, struct sf_err *err);

#endif

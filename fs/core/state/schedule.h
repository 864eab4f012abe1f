/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of one schedule: its last run, or the one under way; and that as JSON, on disk and in the
 * tree. Reading trusts nothing.
 */
#ifndef SF_CORE_STATE_SCHEDULE_H
#define SF_CORE_STATE_SCHEDULE_H

#include "base/json.h"
#include "base/names.h"

#include <stdint.h>

struct sf_err;

/* Bytes of a result's text, without the NUL. */
#define SF_RUN_TEXT_MAX 1000

enum sf_run_state { SF_RUN_RUNNING, SF_RUN_OK, SF_RUN_PARTLY, SF_RUN_FAILED };

/* "running", "ok", "partly", "failed". */
const char *sf_run_state_name(enum sf_run_state state);
/* -EINVAL for any other word. */
int sf_run_state_parse(const char *word, enum sf_run_state *ret);

/* One line: valid UTF-8 without control characters; may be empty. -EINVAL, or -E2BIG above SF_RUN_TEXT_MAX.
 */
int sf_run_text_check(const char *text, struct sf_err *err);

struct sf_run_result {
	enum sf_run_state state;
	uint64_t created, deleted, failed; /* snapshots, by the client's own count */
	char text[SF_RUN_TEXT_MAX + 1];    /* keeps sf_run_text_check() */
};

struct sf_schedule {
	char name[SF_NAME_MAX + 1]; /* keeps sf_name_check() */
	uint64_t began_ns;          /* the last run, as all that follows but last_ok_ns */
	uint64_t ended_ns;          /* 0 while it is under way */
	uint64_t due_ns;            /* the instant that it is for; 0: none was given */
	uint64_t last_ok_ns;        /* when a run ended well; 0: none ever did */
	enum sf_run_state result;   /* of the last run that has ended; SF_RUN_RUNNING: none is known */
	struct sf_run_result last;  /* SF_RUN_RUNNING, and the rest 0, while it is under way */
	const void *owner;          /* of the run under way; not kept on disk */
};

/*
 * {"name", "state", "began", "ended", "due", "last_ok", "text", "created", "deleted", "failed"}, times that
 * are 0 as null; NULL when out of memory.
 */
json_t *sf_schedule_json(const struct sf_schedule *schedule);
/* -EINVAL with the member's name. On failure *ret may be half filled. */
int sf_schedule_parse(const json_t *item, struct sf_schedule *ret, struct sf_err *err);

#endif

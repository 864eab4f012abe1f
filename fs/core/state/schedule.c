/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "schedule.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <string.h>

static const char *const state_names[] = {"running", "ok", "partly", "failed"};

const char *sf_run_state_name(enum sf_run_state state)
{
	return state_names[state];
}

int sf_run_state_parse(const char *word, enum sf_run_state *ret)
{
	for (size_t i = 0; i < sizeof(state_names) / sizeof(state_names[0]); i++) {
		if (strcmp(word, state_names[i]) == 0) {
			*ret = (enum sf_run_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

int sf_run_text_check(const char *text, struct sf_err *err)
{
	if (strlen(text) > SF_RUN_TEXT_MAX)
		return sf_fail(err, -E2BIG, "the text is longer than %d bytes", SF_RUN_TEXT_MAX);
	if (strpbrk(text, "\n\t") || sf_description_check(text, NULL) < 0)
		return sf_fail(err, -EINVAL, "the text is not one line of UTF-8 without control characters");
	return 0;
}

static json_t *time_json(uint64_t real_ns)
{
	char text[SF_TIME_TEXT];

	if (real_ns == 0)
		return json_null();
	sf_time_format(real_ns, text);
	return json_string(text);
}

json_t *sf_schedule_json(const struct sf_schedule *schedule)
{
	const struct sf_run_result *last = &schedule->last;

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:I}", "name", schedule->name,
			 "state", sf_run_state_name(last->state), "began", time_json(schedule->began_ns),
			 "ended", time_json(schedule->ended_ns), "due", time_json(schedule->due_ns),
			 "last_ok", time_json(schedule->last_ok_ns), "text", last->text, "created",
			 (json_int_t)last->created, "deleted", (json_int_t)last->deleted, "failed",
			 (json_int_t)last->failed);
}

/* A time or null. */
static int parse_time(const json_t *item, const char *key, uint64_t *ret, struct sf_err *err)
{
	*ret = 0;
	return json_is_null(json_object_get(item, key)) ? 0 : sf_json_time(item, key, ret, err);
}

static int parse_last(const json_t *item, struct sf_run_result *last, struct sf_err *err)
{
	char state[16];
	int rc;

	if ((rc = sf_json_string(item, "state", state, sizeof(state), err)) < 0 ||
	    (rc = sf_json_string(item, "text", last->text, sizeof(last->text), err)) < 0 ||
	    (rc = sf_run_text_check(last->text, err)) < 0 ||
	    (rc = sf_json_u64(item, "created", &last->created, err)) < 0 ||
	    (rc = sf_json_u64(item, "deleted", &last->deleted, err)) < 0 ||
	    (rc = sf_json_u64(item, "failed", &last->failed, err)) < 0)
		return rc;
	if (sf_run_state_parse(state, &last->state) < 0)
		return sf_fail(err, -EINVAL, "\"state\" has the unknown value '%s'", state);
	return 0;
}

int sf_schedule_parse(const json_t *item, struct sf_schedule *ret, struct sf_err *err)
{
	int rc;

	if ((rc = sf_json_string(item, "name", ret->name, sizeof(ret->name), err)) < 0 ||
	    (rc = sf_name_check(ret->name, err)) < 0 ||
	    (rc = sf_json_time(item, "began", &ret->began_ns, err)) < 0 ||
	    (rc = parse_time(item, "ended", &ret->ended_ns, err)) < 0 ||
	    (rc = parse_time(item, "due", &ret->due_ns, err)) < 0 ||
	    (rc = parse_time(item, "last_ok", &ret->last_ok_ns, err)) < 0)
		return rc;
	rc = parse_last(item, &ret->last, err);
	ret->result = ret->last.state;
	return rc;
}

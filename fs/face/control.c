/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include "base/json.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"
/* Bytes of a bad word that an error quotes: enough to recognise it, too few to flood the log. */
#define QUOTED 40
/* The year 2400, where the range of sf_time_parse() ends. */
#define DUE_END  13569465600U
#define NS_PER_S 1000000000U

/* Quotes a user's word in an error: cut, and without bytes that control a terminal. */
static int refuse_word(const char *word, const char *why, struct sf_err *err)
{
	char quoted[QUOTED + 1];
	size_t len = strnlen(word, QUOTED);

	for (size_t i = 0; i < len; i++)
		quoted[i] = word[i] >= 0x20 && word[i] < 0x7f ? word[i] : '?';
	quoted[len] = '\0';
	return sf_fail(err, -EINVAL, "'%s%s' %s", quoted, word[len] ? "..." : "", why);
}

/* *ret: a copy of the command as a string, without leading and trailing blanks. */
static int take_command(const char *text, size_t len, char **ret, struct sf_err *err)
{
	char *copy;

	if (len > SF_CONTROL_BYTES_MAX)
		return sf_fail(err, -EINVAL, "the command is longer than %d bytes", SF_CONTROL_BYTES_MAX);
	if (len > 0 && memchr(text, '\0', len))
		return sf_fail(err, -EINVAL, "the command contains a NUL byte");
	while (len > 0 && strchr(BLANKS, text[len - 1]))
		len--;
	while (len > 0 && strchr(BLANKS, *text)) {
		text++;
		len--;
	}
	copy = strndup(len > 0 ? text : "", len);
	if (!copy)
		return sf_fail(err, -ENOMEM, "out of memory");
	*ret = copy;
	return 0;
}

static int parse_power_word(const char *word, struct sf_revert_request *request, struct sf_err *err)
{
	enum sf_power power;

	if (strcmp(word, "yes") == 0)
		return 0;
	if (sf_power_parse(word, &power) < 0 || power == SF_POWER_UNKNOWN)
		return refuse_word(word, "is not one of yes, paused, running, off", err);
	request->power_given = true;
	request->power = power;
	return 0;
}

int sf_control_parse_revert(const char *text, size_t len, struct sf_revert_request *ret, bool *ret_given,
			    struct sf_err *err)
{
	struct sf_revert_request request = {0};
	auto_free char *command = NULL;
	char *rest;
	int rc = take_command(text, len, &command, err);

	if (rc < 0)
		return rc;
	if (!*command) {
		*ret_given = false;
		return 0;
	}
	rest = command + strcspn(command, " \t");
	if (*rest) {
		*rest++ = '\0';
		rest += strspn(rest, " \t");
	}
	if ((rc = parse_power_word(command, &request, err)) < 0)
		return rc;
	request.discard = *rest != '\0';
	if (request.discard && strcmp(rest, "discard") != 0)
		return refuse_word(rest, "is not discard, which is all that may follow", err);
	*ret = request;
	*ret_given = true;
	return 0;
}

/* *ret: NULL for blank input. */
static int take_object(const char *text, size_t len, const char *what, json_t **ret, struct sf_err *err)
{
	auto_free char *command = NULL;
	json_t *object;
	int rc = take_command(text, len, &command, err);

	if (rc < 0)
		return rc;
	object = *command ? sf_json_parse_object(command, strlen(command), what, err) : NULL;
	if (*command && !object)
		return -EINVAL;
	*ret = object;
	return 0;
}

static int parse_choice(const json_t *object, const char *key, enum sf_tristate *ret, struct sf_err *err)
{
	bool wanted;
	int rc = sf_json_bool(object, key, &wanted, err);

	if (rc == 0)
		*ret = wanted ? SF_YES : SF_NO;
	return rc;
}

static int parse_name(const json_t *object, const char *key, char *name, size_t size, struct sf_err *err)
{
	const char *text = json_string_value(json_object_get(object, key));
	int rc;

	if (!text)
		return sf_fail(err, -EINVAL, "\"%s\" is not a string", key);
	if ((rc = sf_name_check(text, err)) < 0)
		return sf_wrap(err, rc, "\"%s\"", key);
	(void)snprintf(name, size, "%s", text);
	return 0;
}

static int parse_disk(struct sf_control_create *create, const json_t *item, struct sf_err *err)
{
	size_t n = create->request.ndisks;
	const char *vdev = json_string_value(item);

	if (!vdev || sf_vdev_check(vdev, NULL) < 0)
		return sf_fail(err, -EINVAL, "an item of \"disks\" is not the name of a disk");
	for (size_t i = 0; i < n; i++)
		if (strcmp(create->disks[i], vdev) == 0)
			return sf_fail(err, -EINVAL, "\"disks\" names '%s' twice", vdev);
	(void)snprintf(create->disks[n], sizeof(create->disks[n]), "%s", vdev);
	create->request.ndisks++;
	return 0;
}

static int parse_disks(const json_t *object, struct sf_control_create *create, struct sf_err *err)
{
	const json_t *list = json_object_get(object, "disks");
	size_t n = json_array_size(list);
	int rc = 0;

	if (n == 0 || n > SF_VM_DISKS_MAX)
		return sf_fail(err, -EINVAL, "\"disks\" is not a list of 1 to %d names", SF_VM_DISKS_MAX);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = parse_disk(create, json_array_get(list, i), err);
	create->request.disks = create->disks;
	return rc;
}

static int parse_member(const json_t *object, const char *key, struct sf_control_create *create,
			struct sf_err *err)
{
	struct sf_create_request *request = &create->request;

	if (strcmp(key, "name") == 0)
		return parse_name(object, key, request->name, sizeof(request->name), err);
	if (strcmp(key, "memory") == 0)
		return parse_choice(object, key, &request->memory, err);
	if (strcmp(key, "quiesce") == 0)
		return parse_choice(object, key, &request->quiesce, err);
	if (strcmp(key, "disks") == 0)
		return parse_disks(object, create, err);
	if (strcmp(key, "description") == 0) {
		request->description = create->description;
		return sf_json_string(object, key, create->description, sizeof(create->description), err);
	}
	return refuse_word(key, "is not one of name, memory, disks, description, quiesce", err);
}

int sf_control_parse_create(const char *text, size_t len, struct sf_control_create *ret, bool *ret_given,
			    struct sf_err *err)
{
	auto_json json_t *object = NULL;
	const char *key;
	json_t *value;
	int rc = take_object(text, len, ".create", &object, err);

	if (rc < 0)
		return rc;
	if (!object) {
		*ret_given = false;
		return 0;
	}
	memset(ret, 0, sizeof(*ret));
	json_object_foreach(object, key, value)
	{
		if ((rc = parse_member(object, key, ret, err)) < 0)
			return rc;
	}
	*ret_given = true;
	return 0;
}

int sf_control_parse_manifest(const char *text, size_t len, struct sf_manifest *ret, bool *ret_given,
			      struct sf_err *err)
{
	auto_free char *command = NULL;
	int rc = take_command(text, len, &command, err);

	if (rc == 0 && *command)
		rc = sf_manifest_parse(command, strlen(command), ret, err);
	if (rc == 0)
		*ret_given = *command != '\0';
	return rc;
}

int sf_control_parse_delete(const char *text, size_t len, bool *ret_forget, bool *ret_given,
			    struct sf_err *err)
{
	auto_free char *command = NULL;
	int rc = take_command(text, len, &command, err);

	if (rc == 0 && *command && strcmp(command, "yes") != 0 && strcmp(command, "forget") != 0)
		rc = refuse_word(command, "is neither yes nor forget", err);
	if (rc < 0)
		return rc;
	*ret_given = *command != '\0';
	*ret_forget = strcmp(command, "forget") == 0;
	return rc;
}

/* --- .snapfs/run --- */

static int parse_due(const json_t *object, uint64_t *ret_ns, struct sf_err *err)
{
	uint64_t seconds;
	int rc = sf_json_u64(object, "due", &seconds, err);

	if (rc < 0)
		return rc;
	if (seconds == 0 || seconds >= DUE_END)
		return sf_fail(err, -EINVAL, "\"due\" is not a time before the year 2400");
	*ret_ns = seconds * NS_PER_S;
	return 0;
}

static int parse_begin_member(const json_t *object, const char *key, struct sf_control_run *run,
			      struct sf_err *err)
{
	if (strcmp(key, "schedule") == 0)
		return parse_name(object, key, run->request.schedule, sizeof(run->request.schedule), err);
	if (strcmp(key, "due") == 0)
		return parse_due(object, &run->request.due_ns, err);
	return refuse_word(key, "is not one of schedule, due", err);
}

static int parse_result(const json_t *object, enum sf_run_state *ret, struct sf_err *err)
{
	char word[16];

	if (sf_json_string(object, "result", word, sizeof(word), NULL) < 0 ||
	    sf_run_state_parse(word, ret) < 0 || *ret == SF_RUN_RUNNING)
		return sf_fail(err, -EINVAL, "\"result\" is not one of ok, partly, failed");
	return 0;
}

static int parse_run_text(const json_t *object, struct sf_run_result *result, struct sf_err *err)
{
	const char *text = json_string_value(json_object_get(object, "text"));
	int rc = text ? sf_run_text_check(text, err) : sf_fail(err, -EINVAL, "it is not a string");

	if (rc < 0)
		return sf_wrap(err, rc, "\"text\"");
	(void)snprintf(result->text, sizeof(result->text), "%s", text);
	return 0;
}

static int parse_end_member(const json_t *object, const char *key, struct sf_control_run *run,
			    struct sf_err *err)
{
	struct sf_run_result *result = &run->result;

	if (strcmp(key, "result") == 0)
		return parse_result(object, &result->state, err);
	if (strcmp(key, "text") == 0)
		return parse_run_text(object, result, err);
	if (strcmp(key, "created") == 0)
		return sf_json_u64(object, key, &result->created, err);
	if (strcmp(key, "deleted") == 0)
		return sf_json_u64(object, key, &result->deleted, err);
	if (strcmp(key, "failed") == 0)
		return sf_json_u64(object, key, &result->failed, err);
	return refuse_word(key, "is not one of result, text, created, deleted, failed", err);
}

static int parse_forget_member(const json_t *object, const char *key, struct sf_control_run *run,
			       struct sf_err *err)
{
	if (strcmp(key, "forget") == 0)
		return parse_name(object, key, run->request.schedule, sizeof(run->request.schedule), err);
	return refuse_word(key, "is not forget, which takes no other keys", err);
}

/* Each command has one required key, which tells the commands apart. */
static int parse_run(json_t *object, struct sf_control_run *run, struct sf_err *err)
{
	static int (*const parsers[])(const json_t *object, const char *key, struct sf_control_run *run,
				      struct sf_err *err) = {parse_begin_member, parse_end_member,
							     parse_forget_member};
	static const char *const keys[] = {"schedule", "result", "forget"};
	size_t what = 0;
	const char *key;
	json_t *value;
	int rc = 0;

	while (what < sizeof(keys) / sizeof(keys[0]) && !json_object_get(object, keys[what]))
		what++;
	if (what == sizeof(keys) / sizeof(keys[0]))
		return sf_fail(err, -EINVAL, "one of \"schedule\", \"result\", \"forget\" is required");
	run->command = (enum sf_run_command)what;
	json_object_foreach(object, key, value)
	{
		if ((rc = parsers[what](object, key, run, err)) < 0)
			return rc;
	}
	return 0;
}

int sf_control_parse_run(const char *text, size_t len, struct sf_control_run *ret, bool *ret_given,
			 struct sf_err *err)
{
	auto_json json_t *object = NULL;
	int rc = take_object(text, len, ".snapfs/run", &object, err);

	if (rc < 0)
		return rc;
	memset(ret, 0, sizeof(*ret));
	if (object && (rc = parse_run(object, ret, err)) < 0)
		return rc;
	*ret_given = object != NULL;
	return 0;
}

int sf_control_parse_hold(const char *value, size_t len, bool *ret, struct sf_err *err)
{
	static const struct {
		const char *word;
		bool held;
	} words[] = {{"", true}, {"1", true}, {"yes", true}, {"0", false}, {"no", false}};
	char word[QUOTED + 2] = "";

	memcpy(word, value, len < sizeof(word) - 1 ? len : sizeof(word) - 1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (len == strlen(words[i].word) && memcmp(word, words[i].word, len) == 0) {
			*ret = words[i].held;
			return 0;
		}
	}
	return refuse_word(word, "is not one of 1, yes, 0, no", err);
}

static json_t *failure_object(int rc, const struct sf_err *err)
{
	return json_pack("{s:b, s:s, s:o}", "ok", 0, "errno", sf_errno_name(rc), "error",
			 sf_json_lossy(err->text));
}

static json_t *outcome_object(const char *vm, const char *name, const char *note, int rc,
			      const struct sf_err *err)
{
	char path[2 * SF_NAME_MAX + 2];
	json_t *root;

	if (rc < 0)
		return failure_object(rc, err);
	(void)snprintf(path, sizeof(path), "%s/%s", vm, name);
	root = json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "vm", vm, "name", name, "path", path);
	if (root && *note)
		json_object_set_new(root, "note", sf_json_lossy(note));
	return root;
}

/* root as one line; NULL when out of memory. A NULL root also means out of memory. */
static char *line_of(const json_t *root)
{
	size_t len = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
	char *text = len ? malloc(len + 2) : NULL;

	if (!text)
		return NULL;
	(void)json_dumpb(root, text, len, JSON_COMPACT); /* same length as above */
	text[len] = '\n';
	text[len + 1] = '\0';
	return text;
}

char *sf_control_outcome(const char *vm, const char *name, const char *note, int rc, const struct sf_err *err)
{
	auto_json json_t *root = outcome_object(vm, name, note, rc, err);

	return line_of(root);
}

char *sf_control_run_outcome(int rc, const struct sf_err *err)
{
	auto_json json_t *root = rc < 0 ? failure_object(rc, err) : json_pack("{s:b}", "ok", 1);

	return line_of(root);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include "core/json.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n"
/* Bytes of a refused word that are quoted: enough to recognise it, too few to flood the log. */
#define QUOTED 40

/* Junk from a user goes into an error line: cut, and with nothing in it that a terminal would obey. */
static int refuse_word(const char *word, const char *why, struct sf_err *err)
{
	char quoted[QUOTED + 1];
	size_t len = strnlen(word, QUOTED);

	for (size_t i = 0; i < len; i++)
		quoted[i] = word[i] >= 0x20 && word[i] < 0x7f ? word[i] : '?';
	quoted[len] = '\0';
	return sf_fail(err, -EINVAL, "'%s%s' %s", quoted, word[len] ? "..." : "", why);
}

/* A copy of a command as a string without surrounding blanks. */
static int take_command(const char *text, size_t len, char **ret, struct sf_err *err)
{
	char *copy;

	if (len > SF_CONTROL_BYTES_MAX)
		return sf_fail(err, -EINVAL, "control write of more than %d bytes", SF_CONTROL_BYTES_MAX);
	if (len > 0 && memchr(text, '\0', len))
		return sf_fail(err, -EINVAL, "control write with a NUL byte");
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
		return refuse_word(rest, "is not discard", err);
	*ret = request;
	*ret_given = true;
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

static int parse_name(const json_t *object, char *name, size_t size, struct sf_err *err)
{
	const char *text = json_string_value(json_object_get(object, "name"));
	int rc;

	if (!text)
		return sf_fail(err, -EINVAL, "\"name\" is not a string");
	if ((rc = sf_name_check(text, err)) < 0)
		return sf_wrap(err, rc, "\"name\"");
	(void)snprintf(name, size, "%s", text);
	return 0;
}

static int parse_disk(struct sf_control_create *create, const json_t *item, struct sf_err *err)
{
	size_t n = create->request.ndisks;
	const char *vdev = json_string_value(item);

	if (!vdev || sf_vdev_check(vdev, NULL) < 0)
		return sf_fail(err, -EINVAL, "\"disks\" holds something that is not a disk's name");
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
		return parse_name(object, request->name, sizeof(request->name), err);
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
	auto_free char *command = NULL;
	auto_json json_t *object = NULL;
	const char *key;
	json_t *value;
	int rc = take_command(text, len, &command, err);

	if (rc < 0)
		return rc;
	if (!*command) {
		*ret_given = false;
		return 0;
	}
	object = sf_json_parse_object(command, strlen(command), ".create", err);
	if (!object)
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	json_object_foreach(object, key, value)
	{
		if ((rc = parse_member(object, key, ret, err)) < 0)
			return rc;
	}
	*ret_given = true;
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

static json_t *outcome_object(const char *vm, const char *name, const char *note, int rc,
			      const struct sf_err *err)
{
	char path[2 * SF_NAME_MAX + 2];
	json_t *root;

	if (rc < 0)
		return json_pack("{s:b, s:s, s:o}", "ok", 0, "errno", sf_errno_name(rc), "error",
				 sf_json_lossy(err->text));
	(void)snprintf(path, sizeof(path), "%s/%s", vm, name);
	root = json_pack("{s:b, s:s, s:s, s:s}", "ok", 1, "vm", vm, "name", name, "path", path);
	if (root && *note)
		json_object_set_new(root, "note", sf_json_lossy(note));
	return root;
}

char *sf_control_outcome(const char *vm, const char *name, const char *note, int rc, const struct sf_err *err)
{
	auto_json json_t *root = outcome_object(vm, name, note, rc, err);
	size_t len = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
	char *text = len ? malloc(len + 2) : NULL;

	if (!text)
		return NULL;
	(void)json_dumpb(root, text, len, JSON_COMPACT); /* the same length as a moment ago */
	text[len] = '\n';
	text[len + 1] = '\0';
	return text;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Formats and parses our tags. Each is "snapfs.KEY=VALUE":
 *
 * - token, state: 32 hex digits, the object and its state directory
 * - origin: name of the LV that it is a snapshot of
 * - snapshot: UUID/INDEX/NDISKS, the snapshot and which of its disks this is
 * - taken: nanoseconds since the epoch
 * - data: bytes that the origin had mapped at that instant (thin only)
 * - vdev, vm, vmuuid, name: labels
 *
 * An LV without token, state or origin is foreign.
 *
 * Tags consist of letters, digits and _ + . - / = ! : # & (lvm(8)). In a text, any byte but letters, digits
 * and _ + . - is written as '#' and two hex digits.
 */
#include "tags.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "snapfs."

void sf_lvm_object_name(const struct sf_id *token, enum sf_lvm_role role, char name[static SF_LVM_NAME])
{
	static const char *const suffixes[] = {"", "_copy", "_new", "_old"};
	char text[SF_ID_TEXT];

	sf_id_format(token, text);
	(void)snprintf(name, SF_LVM_NAME, "snapfs_%s%s", text, suffixes[role]);
}

static void select_names(const struct sf_id *state_id, const struct sf_id *token, const char *names,
			 char text[static SF_LVM_SELECT])
{
	char state[SF_ID_TEXT], own[SF_ID_TEXT];

	sf_id_format(state_id, state);
	sf_id_format(token, own);
	(void)snprintf(text, SF_LVM_SELECT,
		       "(%s) && lv_tags=\"" PREFIX "token=%s\" && lv_tags=\"" PREFIX "state=%s\"", names, own,
		       state);
}

void sf_lvm_select(const struct sf_id *state_id, const struct sf_id *token, char text[static SF_LVM_SELECT])
{
	char name[SF_LVM_NAME], copy[SF_LVM_NAME], successor[SF_LVM_NAME], names[256];

	sf_lvm_object_name(token, SF_LVM_SNAPSHOT, name);
	sf_lvm_object_name(token, SF_LVM_COPY, copy);
	sf_lvm_object_name(token, SF_LVM_NEW, successor);
	(void)snprintf(names, sizeof(names), "lv_name=\"%s\" || lv_name=\"%s\" || lv_name=\"%s\"", name, copy,
		       successor);
	select_names(state_id, token, names, text);
}

void sf_lvm_select_snapshot(const struct sf_id *state_id, const struct sf_id *token,
			    char text[static SF_LVM_SELECT])
{
	char name[SF_LVM_NAME], copy[SF_LVM_NAME], names[256];

	sf_lvm_object_name(token, SF_LVM_SNAPSHOT, name);
	sf_lvm_object_name(token, SF_LVM_COPY, copy);
	(void)snprintf(names, sizeof(names), "lv_name=\"%s\" || lv_name=\"%s\"", name, copy);
	select_names(state_id, token, names, text);
}

void sf_lvm_select_role(const struct sf_id *state_id, const struct sf_id *token, enum sf_lvm_role role,
			char text[static SF_LVM_SELECT])
{
	char name[SF_LVM_NAME], names[SF_LVM_NAME + 16];

	sf_lvm_object_name(token, role, name);
	(void)snprintf(names, sizeof(names), "lv_name=\"%s\"", name);
	select_names(state_id, token, names, text);
}

/* --- writing --- */

static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '+' || c == '.' || c == '-';
}

static void add(struct sf_lvm_tag_list *list, const char *key, const char *value)
{
	char *tag = list->text[list->n];
	size_t len = (size_t)snprintf(tag, SF_LVM_TAG, PREFIX "%s=", key);

	if (!*value)
		return;
	for (; *value && len + 4 < SF_LVM_TAG; value++) {
		if (is_plain(*value))
			tag[len++] = *value;
		else
			len += (size_t)snprintf(tag + len, SF_LVM_TAG - len, "#%02X", (unsigned char)*value);
	}
	tag[len] = '\0';
	list->n++;
}

static void add_number(struct sf_lvm_tag_list *list, const char *key, uint64_t value)
{
	char text[24] = "";

	if (value > 0)
		(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	add(list, key, text);
}

static void add_id(struct sf_lvm_tag_list *list, const char *key, const struct sf_id *id)
{
	char text[SF_ID_TEXT];

	sf_id_format(id, text);
	add(list, key, text);
}

void sf_lvm_tags_format(const struct sf_lvm_tags *tags, struct sf_lvm_tag_list *ret)
{
	const struct sf_object *object = &tags->object;
	char uuid[SF_ID_TEXT];

	ret->n = 0;
	add_id(ret, "token", &object->token);
	add_id(ret, "state", &tags->state_id);
	add(ret, "origin", tags->origin);
	if (object->ndisks > 0) {
		sf_id_format(&object->uuid, uuid);
		(void)snprintf(ret->text[ret->n++], SF_LVM_TAG, PREFIX "snapshot=%s/%u/%u", uuid,
			       object->index, object->ndisks);
	}
	add_number(ret, "taken", object->taken_ns);
	if (tags->data_known)
		(void)snprintf(ret->text[ret->n++], SF_LVM_TAG, PREFIX "data=%" PRIu64, tags->data_bytes);
	add(ret, "vdev", object->vdev);
	add(ret, "vm", object->vm);
	add(ret, "vmuuid", object->vm_uuid);
	add(ret, "name", object->snapshot);
}

bool sf_lvm_tags_have(const struct sf_lvm_tag_list *list, const char *tag)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->text[i], tag) == 0)
			return true;
	return false;
}

/* --- reading; tags are untrusted --- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_text(const char *value, char *buf, size_t size)
{
	size_t len = 0;

	for (; *value && len + 1 < size; value++) {
		if (*value == '#') {
			int high = hex(value[1]), low = high < 0 ? -1 : hex(value[2]);

			if (low < 0 || high + low == 0)
				return false;
			buf[len++] = (char)(high << 4 | low);
			value += 2;
		} else {
			buf[len++] = *value;
		}
	}
	buf[len] = '\0';
	return !*value;
}

static bool read_number(const char *value, char end, uint64_t *ret, const char **ret_rest)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)*value))
		return false;
	for (; isdigit((unsigned char)*value); value++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *value - '0', &n))
			return false;
	if (*value != end)
		return false;
	*ret = n;
	if (ret_rest)
		*ret_rest = value + 1;
	return true;
}

/* UUID/INDEX/NDISKS */
static bool read_part(const char *value, struct sf_object *object)
{
	char uuid[SF_ID_TEXT];
	uint64_t index, ndisks;
	const char *rest;

	if (strlen(value) < SF_ID_TEXT || value[SF_ID_TEXT - 1] != '/')
		return false;
	memcpy(uuid, value, SF_ID_TEXT - 1);
	uuid[SF_ID_TEXT - 1] = '\0';
	if (sf_id_parse(uuid, &object->uuid) < 0 || !read_number(value + SF_ID_TEXT, '/', &index, &rest) ||
	    !read_number(rest, '\0', &ndisks, NULL) || index >= ndisks || ndisks > UINT16_MAX)
		return false;
	object->index = (unsigned)index;
	object->ndisks = (unsigned)ndisks;
	return true;
}

static bool read_tag(const char *key, const char *value, struct sf_lvm_tags *tags)
{
	struct sf_object *object = &tags->object;

	if (strcmp(key, "token") == 0)
		return sf_id_parse(value, &object->token) == 0;
	if (strcmp(key, "state") == 0)
		return sf_id_parse(value, &tags->state_id) == 0;
	if (strcmp(key, "origin") == 0)
		return read_text(value, tags->origin, sizeof(tags->origin));
	if (strcmp(key, "snapshot") == 0)
		return read_part(value, object);
	if (strcmp(key, "taken") == 0)
		return read_number(value, '\0', &object->taken_ns, NULL);
	if (strcmp(key, "data") == 0)
		return tags->data_known = read_number(value, '\0', &tags->data_bytes, NULL);
	if (strcmp(key, "vdev") == 0)
		return read_text(value, object->vdev, sizeof(object->vdev));
	if (strcmp(key, "vm") == 0)
		return read_text(value, object->vm, sizeof(object->vm));
	if (strcmp(key, "vmuuid") == 0)
		return read_text(value, object->vm_uuid, sizeof(object->vm_uuid));
	if (strcmp(key, "name") == 0)
		return read_text(value, object->snapshot, sizeof(object->snapshot));
	return true; /* written by a later version */
}

bool sf_lvm_tags_parse(const char *list, struct sf_lvm_tags *ret)
{
	static const struct sf_id none;
	struct sf_lvm_tags tags = {.data_known = false};
	char *copy = strdup(list), *rest = copy, *tag;
	bool ok = copy != NULL;

	while (ok && (tag = strsep(&rest, ","))) {
		char *value = strchr(tag, '=');

		if (strncmp(tag, PREFIX, strlen(PREFIX)) != 0 || !value)
			continue; /* set by an administrator */
		*value++ = '\0';
		ok = read_tag(tag + strlen(PREFIX), value, &tags);
	}
	free(copy);
	ok = ok && !sf_id_equal(&tags.object.token, &none) && !sf_id_equal(&tags.state_id, &none) &&
	     *tags.origin;
	if (ok)
		*ret = tags;
	return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include "base/json.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_TEXT (2 * sizeof(((struct sf_record_memory *)0)->xxh3_128) + 1)

static const char *const state_names[] = {"creating", "ready", "deleting"};
static const char *const consistency_names[] = {"crash", "quiesced", "memory", "paused", "off", "offline"};
#define NCONSISTENCIES (sizeof(consistency_names) / sizeof(consistency_names[0]))
/* The former word for "off". */
#define OFFLINE (NCONSISTENCIES - 1)

const char *sf_record_state_name(enum sf_record_state state)
{
	return state_names[state];
}

void sf_record_fini(struct sf_record *record)
{
	for (size_t i = 0; i < record->ndisks; i++)
		free(record->disks[i].origin);
	free(record->disks);
	free(record->description);
	free(record->memory.host);
	record->disks = NULL;
	record->ndisks = 0;
	record->description = record->memory.host = NULL;
}

/* Frees the former text. NULL stays NULL. */
static int set_text(char **at, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

int sf_record_set_description(struct sf_record *record, const char *text)
{
	return set_text(&record->description, text && *text ? text : NULL);
}

int sf_record_set_host(struct sf_record_memory *memory, const char *host)
{
	return set_text(&memory->host, host && *host ? host : NULL);
}

int sf_record_set_origin(struct sf_record_disk *disk, const char *origin)
{
	int rc = set_text(&disk->origin, origin);

	if (rc == 0)
		disk->object.origin = disk->origin;
	return rc;
}

static int copy_disk(const struct sf_record_disk *disk, struct sf_record_disk *ret)
{
	*ret = *disk;
	ret->origin = NULL;
	return sf_record_set_origin(ret, disk->object.origin);
}

int sf_record_copy(const struct sf_record *record, struct sf_record *ret)
{
	struct sf_record copy = *record;
	int rc;

	copy.ndisks = 0;
	copy.description = copy.memory.host = NULL;
	copy.disks = calloc(record->ndisks ? record->ndisks : 1, sizeof(*copy.disks));
	if (!copy.disks)
		return -ENOMEM;
	if ((rc = sf_record_set_description(&copy, record->description)) == 0)
		rc = sf_record_set_host(&copy.memory, record->memory.host);
	for (; rc == 0 && copy.ndisks < record->ndisks; copy.ndisks++)
		rc = copy_disk(&record->disks[copy.ndisks], &copy.disks[copy.ndisks]);
	if (rc < 0)
		sf_record_fini(&copy);
	else
		*ret = copy;
	return rc;
}

void sf_record_label(struct sf_record *record)
{
	for (size_t i = 0; i < record->ndisks; i++) {
		struct sf_object *object = &record->disks[i].object;

		object->uuid = record->uuid;
		object->index = (unsigned)i;
		object->ndisks = (unsigned)record->ndisks;
		object->taken_ns = record->taken_ns;
		memcpy(object->vm, record->vm_name, sizeof(object->vm));
		memcpy(object->vm_uuid, record->vm_uuid, sizeof(object->vm_uuid));
		memcpy(object->snapshot, record->name, sizeof(object->snapshot));
	}
}

static void format_hash(const struct sf_record_memory *memory, char text[static HASH_TEXT])
{
	for (size_t i = 0; i < sizeof(memory->xxh3_128); i++)
		(void)snprintf(text + 2 * i, 3, "%02x", memory->xxh3_128[i]);
}

static json_t *format_disk(const struct sf_record *record, size_t index)
{
	const struct sf_record_disk *disk = &record->disks[index];
	char file[SF_DISK_FILE], token[SF_ID_TEXT];

	sf_disk_file_name(index, disk->object.vdev, file);
	sf_id_format(&disk->object.token, token);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "vdev", disk->object.vdev, "file", file,
			 "storage", disk->storage, "method", disk->method, "origin", disk->object.origin,
			 "token", token, "size_bytes", (json_int_t)disk->stat.size_bytes, "allocated_bytes",
			 (json_int_t)disk->stat.allocated_bytes);
}

static json_t *format_disks(const struct sf_record *record)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < record->ndisks; i++) {
		if (json_array_append_new(list, format_disk(record, i)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *format_memory(const struct sf_record_memory *memory)
{
	auto_json json_t *object = NULL;
	char hash[HASH_TEXT];

	if (!memory->present)
		return json_null();
	format_hash(memory, hash);
	object = json_pack("{s:s, s:I, s:s}", "file", "memory.sav", "size_bytes",
			   (json_int_t)memory->size_bytes, "xxh3_128", hash);
	if (object && memory->host && json_object_set_new(object, "host", json_string(memory->host)) < 0)
		return NULL;
	return json_incref(object);
}

/* The optional members; false when out of memory. */
static bool format_rest(const struct sf_record *record, json_t *root)
{
	bool creating = record->state == SF_RECORD_CREATING;
	char left_for[SF_ID_TEXT];

	sf_id_format(&record->left_for, left_for);
	return (!creating || (json_object_set_new(root, "leased", json_boolean(record->leased)) == 0 &&
			      json_object_set_new(root, "quiesced", json_boolean(record->quiesced)) == 0)) &&
	       (!record->paused ||
		json_object_set_new(root, "pause_ms", json_integer((json_int_t)record->pause_ms)) == 0) &&
	       (!record->forgotten || json_object_set_new(root, "forgotten", json_true()) == 0) &&
	       (!record->left || json_object_set_new(root, "left_for", json_string(left_for)) == 0) &&
	       (!record->rebuilt || json_object_set_new(root, "rebuilt", json_true()) == 0);
}

/* A new reference; NULL when out of memory. */
static json_t *make_object(const struct sf_record *record)
{
	char uuid[SF_ID_TEXT], taken[SF_TIME_TEXT], edited[SF_TIME_TEXT];
	auto_json json_t *root = NULL;

	sf_id_format(&record->uuid, uuid);
	sf_time_format(record->taken_ns, taken);
	sf_time_format(record->edited_ns, edited);
	root = json_pack("{s:i, s:s, s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o}",
			 "schema", SF_RECORD_SCHEMA, "uuid", uuid, "name", record->name, "state",
			 state_names[record->state], "vm", "name", record->vm_name, "uuid", record->vm_uuid,
			 "taken", taken, "edited", edited, "consistency",
			 consistency_names[record->consistency], "power", sf_power_name(record->power),
			 "held", record->held, "description", record->description ? record->description : "",
			 "disks", format_disks(record), "memory", format_memory(&record->memory));
	return root && format_rest(record, root) ? json_incref(root) : NULL;
}

char *sf_record_format(const struct sf_record *record, size_t *ret_len)
{
	auto_json json_t *root = make_object(record);

	return sf_json_text(root, ret_len);
}

int sf_record_print(const struct sf_record *record, FILE *out)
{
	auto_json json_t *root = make_object(record);

	if (!root)
		return -ENOMEM;
	return json_dumpf(root, out, JSON_COMPACT) < 0 ? -EIO : 0;
}

/* *ret: the index in names of a string member; -EINVAL names the member. */
static int parse_word(const json_t *object, const char *key, const char *const *names, size_t nnames,
		      size_t *ret, struct sf_err *err)
{
	char word[16];
	int rc = sf_json_string(object, key, word, sizeof(word), err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < nnames; i++) {
		if (strcmp(word, names[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return sf_fail(err, -EINVAL, "\"%s\" has the unknown value '%s'", key, word);
}

static int parse_disk(const json_t *item, struct sf_record_disk *disk, struct sf_err *err)
{
	int rc;

	if (!json_is_object(item))
		return sf_fail(err, -EINVAL, "an item of \"disks\" is not an object");
	if ((rc = sf_json_string(item, "vdev", disk->object.vdev, sizeof(disk->object.vdev), err)) < 0 ||
	    (rc = sf_vdev_check(disk->object.vdev, err)) < 0 ||
	    (rc = sf_json_string(item, "storage", disk->storage, sizeof(disk->storage), err)) < 0 ||
	    (rc = sf_json_string(item, "method", disk->method, sizeof(disk->method), err)) < 0 ||
	    (rc = sf_json_strdup(item, "origin", SF_ORIGIN_MAX, &disk->origin, err)) < 0 ||
	    (rc = sf_json_id(item, "token", &disk->object.token, err)) < 0 ||
	    (rc = sf_json_u64(item, "size_bytes", &disk->stat.size_bytes, err)) < 0 ||
	    (rc = sf_json_u64(item, "allocated_bytes", &disk->stat.allocated_bytes, err)) < 0)
		return rc;
	disk->object.origin = disk->origin;
	disk->stat.method = NULL;
	return 0;
}

static int refuse_twins(const struct sf_record *record, size_t index, struct sf_err *err)
{
	const struct sf_object *object = &record->disks[index].object;

	for (size_t i = 0; i < index; i++) {
		const struct sf_object *other = &record->disks[i].object;

		if (strcmp(other->vdev, object->vdev) == 0 || sf_id_equal(&other->token, &object->token))
			return sf_fail(err, -EINVAL, "\"disks\" lists '%s' or its token twice", object->vdev);
	}
	return 0;
}

static int parse_disks(const json_t *root, struct sf_record *record, struct sf_err *err)
{
	const json_t *list = json_object_get(root, "disks");
	size_t n = json_array_size(list);
	int rc = 0;

	if (!json_is_array(list) || n == 0 || n > SF_VM_DISKS_MAX)
		return sf_fail(err, -EINVAL, "\"disks\" is not a list of 1 to %d", SF_VM_DISKS_MAX);
	record->disks = calloc(n, sizeof(*record->disks));
	if (!record->disks)
		return sf_fail(err, -ENOMEM, "out of memory");
	for (record->ndisks = 0; record->ndisks < n && rc == 0; record->ndisks++) {
		rc = parse_disk(json_array_get(list, record->ndisks), &record->disks[record->ndisks], err);
		if (rc == 0)
			rc = refuse_twins(record, record->ndisks, err);
	}
	return rc;
}

/* Added after schema 1, so it may be missing. */
static int parse_host(const json_t *value, struct sf_record_memory *memory, struct sf_err *err)
{
	char host[SF_HOST_MAX];
	int rc;

	if (!json_object_get(value, "host"))
		return 0;
	if ((rc = sf_json_string(value, "host", host, sizeof(host), err)) < 0 ||
	    (rc = sf_host_check(host, err)) < 0)
		return rc;
	return sf_record_set_host(memory, host) < 0 ? sf_fail(err, -ENOMEM, "out of memory") : 0;
}

static int parse_memory(const json_t *root, struct sf_record_memory *memory, struct sf_err *err)
{
	const json_t *value = json_object_get(root, "memory");
	struct sf_id hash; /* the same form as an id: 16 bytes as hex */
	int rc;

	_Static_assert(sizeof(hash) == sizeof(memory->xxh3_128), "an id and the hash have the same form");
	memory->present = json_is_object(value);
	if (!memory->present)
		return json_is_null(value)
			       ? 0
			       : sf_fail(err, -EINVAL, "\"memory\" is neither an object nor null");
	if ((rc = sf_json_u64(value, "size_bytes", &memory->size_bytes, err)) < 0 ||
	    (rc = sf_json_id(value, "xxh3_128", &hash, err)) < 0)
		return rc;
	memcpy(memory->xxh3_128, &hash, sizeof(hash));
	return parse_host(value, memory, err);
}

static int parse_identity(const json_t *root, struct sf_record *record, struct sf_err *err)
{
	const json_t *vm = json_object_get(root, "vm");
	size_t word = 0;
	int rc;

	if ((rc = sf_json_schema(root, SF_RECORD_SCHEMA, err)) < 0 ||
	    (rc = sf_json_id(root, "uuid", &record->uuid, err)) < 0 ||
	    (rc = parse_word(root, "state", state_names, 3, &word, err)) < 0)
		return rc;
	record->state = (enum sf_record_state)word;
	if ((rc = sf_json_string(root, "name", record->name, sizeof(record->name), err)) < 0 ||
	    (rc = sf_name_check(record->name, err)) < 0 ||
	    (rc = sf_json_string(vm, "name", record->vm_name, sizeof(record->vm_name), err)) < 0 ||
	    (rc = sf_name_check(record->vm_name, err)) < 0)
		return sf_wrap(err, rc, "identity");
	return sf_json_string(vm, "uuid", record->vm_uuid, sizeof(record->vm_uuid), err);
}

static int parse_facts(const json_t *root, struct sf_record *record, struct sf_err *err)
{
	char power[16], description[SF_DESCRIPTION_MAX + 1];
	size_t word = 0;
	int rc;

	if ((rc = sf_json_time(root, "taken", &record->taken_ns, err)) < 0 ||
	    (rc = sf_json_time(root, "edited", &record->edited_ns, err)) < 0 ||
	    (rc = parse_word(root, "consistency", consistency_names, NCONSISTENCIES, &word, err)) < 0 ||
	    (rc = sf_json_string(root, "power", power, sizeof(power), err)) < 0 ||
	    (rc = sf_json_bool(root, "held", &record->held, err)) < 0 ||
	    (rc = sf_json_string(root, "description", description, sizeof(description), err)) < 0)
		return rc;
	if (sf_record_set_description(record, description) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	record->consistency = word == OFFLINE ? SF_CONSISTENCY_OFF : (enum sf_consistency)word;
	if (sf_power_parse(power, &record->power) < 0)
		return sf_fail(err, -EINVAL, "\"power\" has the unknown value '%s'", power);
	if (record->state == SF_RECORD_CREATING &&
	    ((rc = sf_json_bool(root, "leased", &record->leased, err)) < 0 ||
	     (rc = sf_json_bool(root, "quiesced", &record->quiesced, err)) < 0))
		return rc;
	return 0;
}

/* Members added after schema 1, which may be missing. */
static int parse_rest(const json_t *root, struct sf_record *record, struct sf_err *err)
{
	int rc = 0;

	if (json_object_get(root, "rebuilt"))
		rc = sf_json_bool(root, "rebuilt", &record->rebuilt, err);
	if (rc == 0 && json_object_get(root, "forgotten"))
		rc = sf_json_bool(root, "forgotten", &record->forgotten, err);
	record->left = json_object_get(root, "left_for") != NULL;
	if (rc == 0 && record->left)
		rc = sf_json_id(root, "left_for", &record->left_for, err);
	record->paused = json_object_get(root, "pause_ms") != NULL;
	if (rc == 0 && record->paused)
		rc = sf_json_u64(root, "pause_ms", &record->pause_ms, err);
	return rc;
}

int sf_record_parse(const char *text, size_t len, struct sf_record *ret, struct sf_err *err)
{
	struct sf_err why = {0};
	auto_json json_t *root = sf_json_parse_object(text, len, "meta.json", &why);
	auto_free struct sf_record *record = calloc(1, sizeof(*record));
	int rc;

	if (!root)
		return sf_fail(err, why.code, "%s", why.text);
	if (!record)
		return sf_fail(err, -ENOMEM, "out of memory");
	if ((rc = parse_identity(root, record, err)) < 0 || (rc = parse_facts(root, record, err)) < 0 ||
	    (rc = parse_rest(root, record, err)) < 0 || (rc = parse_disks(root, record, err)) < 0 ||
	    (rc = parse_memory(root, &record->memory, err)) < 0) {
		sf_record_fini(record);
		return rc;
	}
	sf_record_label(record);
	*ret = *record;
	return 0;
}

int sf_record_parse_newer(const char *text, size_t len, struct sf_newer_record *ret, struct sf_err *err)
{
	auto_json json_t *root = sf_json_parse_object(text, len, "meta.json", err);
	const json_t *vm = json_object_get(root, "vm"), *leased = json_object_get(root, "leased");
	struct sf_newer_record newer = {.leased = json_is_true(leased)};
	char word[16];
	int rc;

	if (!root)
		return err ? err->code : -EINVAL;
	if (!leased && sf_json_string(root, "state", word, sizeof(word), NULL) == 0)
		newer.leased = strcmp(word, state_names[SF_RECORD_CREATING]) == 0;
	if ((rc = sf_json_string(vm, "name", newer.vm_name, sizeof(newer.vm_name), err)) < 0 ||
	    (rc = sf_name_check(newer.vm_name, err)) < 0 ||
	    (rc = sf_json_string(vm, "uuid", newer.vm_uuid, sizeof(newer.vm_uuid), err)) < 0)
		return rc;
	*ret = newer;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "manifest.h"

#include "base/json.h"
#include "state.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* --- reading --- */

/* -EINVAL names a member that is not in keys, a list that ends with NULL. */
static int refuse_others(json_t *object, const char *const *keys, struct sf_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return sf_fail(err, -EINVAL, "unknown member \"%.40s\" in the manifest", key);
	}
	return 0;
}

static const struct sf_manifest_file *find(const struct sf_manifest *manifest, const char *name)
{
	for (size_t i = 0; i < manifest->n; i++)
		if (strcmp(manifest->files[i].name, name) == 0)
			return &manifest->files[i];
	return NULL;
}

static int parse_file(json_t *item, struct sf_manifest *manifest, struct sf_err *err)
{
	static const char *const keys[] = {"name", "size_bytes", "xxh3_128", NULL};
	struct sf_manifest_file file;
	int rc;

	if (!json_is_object(item))
		return sf_fail(err, -EINVAL, "an item of \"files\" is not an object");
	if ((rc = refuse_others(item, keys, err)) < 0 ||
	    (rc = sf_json_string(item, "name", file.name, sizeof(file.name), err)) < 0 ||
	    (rc = sf_json_u64(item, "size_bytes", &file.size_bytes, err)) < 0 ||
	    (rc = sf_json_id(item, "xxh3_128", &file.xxh3_128, err)) < 0)
		return rc;
	if (file.name[strspn(file.name, "abcdefghijklmnopqrstuvwxyz0123456789.-")])
		return sf_fail(err, -EINVAL, "\"name\" is not the name of a data file");
	if (find(manifest, file.name))
		return sf_fail(err, -EINVAL, "\"files\" lists '%s' twice", file.name);
	manifest->files[manifest->n++] = file;
	return 0;
}

static int parse(json_t *root, struct sf_manifest *manifest, struct sf_err *err)
{
	static const char *const keys[] = {"schema", "files", NULL};
	const json_t *list = json_object_get(root, "files");
	size_t n = json_array_size(list);
	uint64_t schema;
	int rc;

	if ((rc = refuse_others(root, keys, err)) < 0 || (rc = sf_json_u64(root, "schema", &schema, err)) < 0)
		return rc;
	if (schema != SF_MANIFEST_SCHEMA)
		return sf_fail(err, -EINVAL, "\"schema\" is %llu, this version reads %d",
			       (unsigned long long)schema, SF_MANIFEST_SCHEMA);
	if (n == 0 || n > SF_MANIFEST_FILES_MAX)
		return sf_fail(err, -EINVAL, "\"files\" is not a list of 1 to %d", SF_MANIFEST_FILES_MAX);
	manifest->n = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = parse_file(json_array_get(list, i), manifest, err);
	return rc;
}

int sf_manifest_parse(const char *text, size_t len, struct sf_manifest *ret, struct sf_err *err)
{
	struct sf_err why = {0};
	auto_json json_t *root = sf_json_parse_object(text, len, "the manifest", &why);

	return root ? parse(root, ret, err) : sf_fail(err, why.code, "%s", why.text);
}

/* --- comparing --- */

static int check_size(const struct sf_manifest_file *file, const char *name, uint64_t size_bytes,
		      struct sf_err *err)
{
	if (!file)
		return sf_fail(err, -EINVAL, "the manifest lacks %s", name);
	if (file->size_bytes != size_bytes)
		return sf_fail(err, -EINVAL, "%s has %llu bytes, but %llu in the manifest", name,
			       (unsigned long long)size_bytes, (unsigned long long)file->size_bytes);
	return 0;
}

static int check_memory(const struct sf_manifest *manifest, const struct sf_record_memory *memory,
			struct sf_err *err)
{
	const struct sf_manifest_file *file = find(manifest, SF_STATE_MEMORY);
	int rc = check_size(file, SF_STATE_MEMORY, memory->size_bytes, err);

	if (rc < 0)
		return rc;
	if (memcmp(file->xxh3_128.bytes, memory->xxh3_128, sizeof(memory->xxh3_128)) != 0)
		return sf_fail(err, -EIO,
			       SF_STATE_MEMORY " does not have the recorded hash: it is not what was saved");
	return 0;
}

static bool is_data_file(const char *name, const struct sf_record *record)
{
	char disk[SF_DISK_FILE];

	for (size_t i = 0; i < record->ndisks; i++) {
		sf_disk_file_name(i, record->disks[i].object.vdev, disk);
		if (strcmp(name, disk) == 0)
			return true;
	}
	return record->memory.present && strcmp(name, SF_STATE_MEMORY) == 0;
}

int sf_manifest_check(const struct sf_manifest *manifest, const struct sf_record *record, struct sf_err *err)
{
	char disk[SF_DISK_FILE];
	int rc = 0;

	for (size_t i = 0; i < manifest->n; i++)
		if (!is_data_file(manifest->files[i].name, record))
			return sf_fail(err, -EINVAL, "'%s' is not a data file of this snapshot",
				       manifest->files[i].name);
	for (size_t i = 0; i < record->ndisks && rc == 0; i++) {
		sf_disk_file_name(i, record->disks[i].object.vdev, disk);
		rc = check_size(find(manifest, disk), disk, record->disks[i].stat.size_bytes, err);
	}
	if (rc == 0 && record->memory.present)
		rc = check_memory(manifest, &record->memory, err);
	return rc;
}

/* --- writing --- */

static json_t *file_json(const struct sf_manifest_file *file)
{
	char hash[SF_ID_TEXT];

	sf_id_format(&file->xxh3_128, hash);
	return json_pack("{s:s, s:I, s:s}", "name", file->name, "size_bytes", (json_int_t)file->size_bytes,
			 "xxh3_128", hash);
}

char *sf_manifest_format(const struct sf_manifest *manifest, const struct sf_id *snapshot, uint64_t made_ns,
			 size_t *ret_len)
{
	char uuid[SF_ID_TEXT], made[SF_TIME_TEXT];
	auto_json json_t *root = NULL;

	sf_id_format(snapshot, uuid);
	sf_time_format(made_ns, made);
	root = json_pack("{s:i, s:s, s:s, s:[]}", "schema", SF_MANIFEST_SCHEMA, "snapshot", uuid, "made",
			 made, "files");
	for (size_t i = 0; i < manifest->n; i++)
		if (json_array_append_new(json_object_get(root, "files"), file_json(&manifest->files[i])) < 0)
			return NULL;
	return sf_json_text(root, ret_len);
}

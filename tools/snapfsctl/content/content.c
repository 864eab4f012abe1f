/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "content.h"

#include "tools/snapfsctl/tree/mount.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More disks than any VM has. */
#define FILES_MAX 1024

void sf_content_close(struct sf_content *content)
{
	sf_snap_fini(&content->snap);
	if (*content->path && content->dir >= 0)
		(void)close(content->dir); /* nothing was written */
	free(content->meta);
	free(content->manifest);
	free(content->files);
	*content = (struct sf_content){0};
}

/* --- documents --- */

static int read_document(const struct sf_content *content, const char *name, char **ret, size_t *ret_len,
			 struct sf_err *err)
{
	struct sf_mount below = {.fd = content->dir};

	(void)snprintf(below.path, sizeof(below.path), "%s", content->path);
	return sf_mount_read(&below, name, ret, ret_len, err);
}

/* Opens the directory of the loaded snapshot, and checks by uuid that it is the same one. */
static int open_directory(struct sf_content *content, const struct sf_mount *mount, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(mount);
	auto_json json_t *meta = NULL;
	char uuid[SF_ID_TEXT];
	int rc;

	if (sf_json_string(content->snap.meta, "uuid", content->uuid, sizeof(content->uuid), err) < 0)
		return sf_wrap(err, -EPROTO, "%s/%s: meta.json", content->snap.vm, content->snap.name);
	sf_snap_path(&content->snap, content->path);
	content->dir = openat(mount->fd, content->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (content->dir < 0)
		return sf_fail(err, -errno, "%s: %s", content->path, strerror(errno));
	rc = read_document(content, "meta.json", &content->meta, &content->meta_len, err);
	if (rc < 0)
		return rc;
	meta = sf_json_parse_object(content->meta, content->meta_len, "meta.json", err);
	if (!meta || sf_json_string(meta, "uuid", uuid, sizeof(uuid), err) < 0)
		return sf_wrap(err, -EPROTO, "%s", content->path);
	return strcmp(uuid, content->uuid) == 0
		       ? 0
		       : sf_fail(err, -ESTALE, "%s: another snapshot has its name now", content->path);
}

/* --- files --- */

static int add_file(struct sf_content *content, const char *name, struct sf_err *err)
{
	struct sf_content_file *file = &content->files[content->n];

	if (strlen(name) >= sizeof(file->name) || strchr(name, '/') || *name == '.' || !*name)
		return sf_fail(err, -EPROTO, "%s: meta.json names the file '%.40s'", content->path, name);
	*file = (struct sf_content_file){0};
	(void)snprintf(file->name, sizeof(file->name), "%s", name);
	(void)snprintf(file->path, sizeof(file->path), "%s/%s", content->path, name);
	if (fstatat(content->dir, name, &file->st, AT_SYMLINK_NOFOLLOW) < 0)
		return sf_fail(err, -errno, "%s: %s", file->path, strerror(errno));
	if (!S_ISREG(file->st.st_mode))
		return sf_fail(err, -EPROTO, "%s is not a regular file", file->path);
	content->size_bytes += (uint64_t)file->st.st_size;
	content->n++;
	return 0;
}

static int find_files(struct sf_content *content, struct sf_err *err)
{
	const json_t *disks = json_object_get(content->snap.meta, "disks"), *disk,
		     *memory = json_object_get(content->snap.meta, "memory");
	size_t i;
	int rc = 0;

	if (json_array_size(disks) == 0 || json_array_size(disks) > FILES_MAX)
		return sf_fail(err, -EPROTO, "%s: meta.json names %zu disks", content->path,
			       json_array_size(disks));
	content->files = calloc(json_array_size(disks) + 1, sizeof(*content->files));
	if (!content->files)
		return sf_fail(err, -ENOMEM, "out of memory");
	json_array_foreach(disks, i, disk)
	{
		const char *name = json_string_value(json_object_get(disk, "file"));

		if ((rc = add_file(content, name ? name : "", err)) < 0)
			return rc;
	}
	if (!json_is_object(memory))
		return 0;
	if ((rc = add_file(content, SF_CONTENT_MEMORY, err)) < 0)
		return rc;
	return 0;
}

/* --- expected hashes --- */

static int take_memory_hash(struct sf_content *content, struct sf_err *err)
{
	const json_t *memory = json_object_get(content->snap.meta, "memory");
	struct sf_content_file *file = &content->files[content->n - 1];

	if (!json_is_object(memory))
		return 0;
	if (sf_json_id(memory, "xxh3_128", &file->hash, err) < 0)
		return sf_wrap(err, -EPROTO, "%s: meta.json", content->path);
	file->known = true;
	file->known_by = "meta.json";
	return 0;
}

static struct sf_content_file *find_file(struct sf_content *content, const char *name)
{
	for (size_t i = 0; name && i < content->n; i++)
		if (strcmp(content->files[i].name, name) == 0)
			return &content->files[i];
	return NULL;
}

/* Ignores files that this version does not know: a newer manifest may name some. */
static int take_manifest_entry(struct sf_content *content, const json_t *entry, struct sf_err *err)
{
	struct sf_content_file *file = find_file(content, json_string_value(json_object_get(entry, "name")));
	struct sf_id hash;
	uint64_t size;

	if (!file)
		return 0;
	if (sf_json_id(entry, "xxh3_128", &hash, err) < 0 || sf_json_u64(entry, "size_bytes", &size, err) < 0)
		return -EPROTO;
	file->contradicted =
		size != (uint64_t)file->st.st_size || (file->known && !sf_id_equal(&hash, &file->hash));
	file->hash = hash;
	file->known = true;
	file->known_by = "its manifest";
	return 0;
}

static int take_manifest(struct sf_content *content, struct sf_err *err)
{
	auto_json json_t *manifest = NULL;
	const json_t *entry;
	char uuid[SF_ID_TEXT];
	struct sf_err why = {0};
	size_t i;
	int rc = read_document(content, "manifest.json", &content->manifest, &content->manifest_len, &why);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return sf_fail(err, rc, "%s", why.text);
	manifest = sf_json_parse_object(content->manifest, content->manifest_len, "manifest.json", err);
	if (!manifest || sf_json_string(manifest, "snapshot", uuid, sizeof(uuid), err) < 0)
		return sf_wrap(err, -EPROTO, "%s", content->path);
	if (strcmp(uuid, content->uuid) != 0)
		return sf_fail(err, -EPROTO, "%s: its manifest.json belongs to another snapshot",
			       content->path);
	json_array_foreach(json_object_get(manifest, "files"), i, entry)
	{
		if ((rc = take_manifest_entry(content, entry, err)) < 0)
			return sf_wrap(err, rc, "%s: manifest.json", content->path);
	}
	return 0;
}

int sf_content_open(struct sf_content *content, const struct sf_mount *mount, const char *argument,
		    struct sf_err *err)
{
	struct sf_content loaded = {.mount = mount, .dir = -1};
	int rc = sf_snap_load(mount, argument, &loaded.snap, err);

	if (rc < 0)
		return rc;
	if (!loaded.snap.meta)
		rc = sf_fail(err, -EPROTO, "%s/%s: %s", loaded.snap.vm, loaded.snap.name,
			     loaded.snap.problem);
	if (rc == 0)
		rc = open_directory(&loaded, mount, err);
	if (rc == 0)
		rc = find_files(&loaded, err);
	if (rc == 0)
		rc = take_memory_hash(&loaded, err);
	if (rc == 0)
		rc = take_manifest(&loaded, err);
	if (rc < 0)
		sf_content_close(&loaded);
	else
		*content = loaded;
	return rc;
}

int sf_content_read(const struct sf_content *content, const struct sf_content_file *file,
		    struct sf_reader *reader, struct sf_err *err)
{
	int rc = sf_reader_open(reader, content->mount, content->dir, file->name, file->path, err);

	if (rc == 0 && reader->size_bytes != (uint64_t)file->st.st_size) {
		rc = sf_fail(err, -ESTALE, "%s: its size has changed", file->path);
		sf_reader_close(reader);
	}
	return rc;
}

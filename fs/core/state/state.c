/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include "manifest.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#define ID_FILE   "id"
#define LOCK_FILE "lock"

struct sf_state {
	int dir;
	int lock;
	struct sf_id id;
};

/* The directory must be owned by this user and not writable by anyone else. */
static int check_owner(int dir, const char *path, struct sf_err *err)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return sf_fail(err, -errno, "stat %s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return sf_fail(err, -EPERM, "state directory %s belongs to user %u, not to us", path,
			       (unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return sf_fail(err, -EPERM, "state directory %s is writable by others (mode %04o)", path,
			       (unsigned)st.st_mode & 07777);
	return 0;
}

static int open_root(const char *path, struct sf_err *err)
{
	int dir;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sf_fail(err, -errno, "create state directory %s: %s", path, strerror(errno));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return sf_fail(err, -errno, "open state directory %s: %s (a symbolic link is not followed)",
			       path, strerror(errno));
	return dir;
}

bool sf_state_is_reserved(const char *name)
{
	static const char *const reserved[] = {"lost+found", ID_FILE, LOCK_FILE};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	return *name == '.';
}

/* The first entry that is not snapfs's own; "" when there is none. */
static int find_content(int dir, char name[static NAME_MAX + 1], struct sf_err *err)
{
	auto_dir DIR *stream = sf_dir_stream(dir);
	const struct dirent *entry;

	if (!stream)
		return sf_fail(err, -errno, "read the state directory: %s", strerror(errno));
	do {
		errno = 0;
		entry = readdir(stream);
	} while (entry && sf_state_is_reserved(entry->d_name));
	if (!entry && errno)
		return sf_fail(err, -errno, "read the state directory: %s", strerror(errno));
	(void)snprintf(name, NAME_MAX + 1, "%s", entry ? entry->d_name : "");
	return 0;
}

static int check_empty(int dir, const char *path, struct sf_err *err)
{
	char name[NAME_MAX + 1];
	int rc = find_content(dir, name, err);

	if (rc < 0)
		return sf_wrap(err, rc, "%s", path);
	if (*name)
		return sf_fail(err, -ENOTEMPTY,
			       "%s is not a state directory of snapfs: it has no id and holds '%s'", path,
			       name);
	return 0;
}

static int write_id(struct sf_state *state, const struct sf_id *id, struct sf_err *err)
{
	char line[SF_ID_TEXT + 1];
	int rc;

	sf_id_format(id, line);
	line[SF_ID_TEXT - 1] = '\n';
	rc = sf_durable_write(state->dir, ID_FILE, line, SF_ID_TEXT, err);
	if (rc == 0)
		state->id = *id;
	return rc;
}

static int take_lock(struct sf_state *state, const char *path, struct sf_err *err)
{
	state->lock = openat(state->dir, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (state->lock < 0)
		return sf_fail(err, -errno, "open lock of state directory %s: %s", path, strerror(errno));
	if (flock(state->lock, LOCK_EX | LOCK_NB) < 0)
		return sf_fail(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
			       "state directory %s is in use by another snapfs", path);
	return 0;
}

static int load_id(struct sf_state *state, const char *path, struct sf_err *err)
{
	auto_free char *text = NULL;
	struct sf_id fresh;
	size_t len;
	int rc = sf_durable_read(state->dir, ID_FILE, SF_ID_TEXT, &text, &len, err);

	if (rc == -ENOENT) {
		rc = check_empty(state->dir, path, err);
		if (rc < 0)
			return rc;
		fresh = sf_id_new();
		return write_id(state, &fresh, err);
	}
	if (rc < 0)
		return sf_wrap(err, rc, "state directory %s", path);
	text[len && text[len - 1] == '\n' ? len - 1 : len] = '\0';
	if (sf_id_parse(text, &state->id) < 0)
		return sf_fail(err, -EINVAL, "state directory %s: its file 'id' does not hold an id", path);
	return 0;
}

int sf_state_open(const char *path, struct sf_state **ret, struct sf_err *err)
{
	struct sf_state *state = calloc(1, sizeof(*state));
	int rc;

	if (!state)
		return sf_fail(err, -ENOMEM, "out of memory");
	state->lock = -1;
	state->dir = rc = open_root(path, err);
	if (rc < 0 || (rc = check_owner(state->dir, path, err)) < 0 ||
	    (rc = take_lock(state, path, err)) < 0 || (rc = load_id(state, path, err)) < 0) {
		sf_state_close(state);
		return rc;
	}
	*ret = state;
	return 0;
}

void sf_state_close(struct sf_state *state)
{
	if (!state)
		return;
	sf_cleanup_fd(&state->lock);
	sf_cleanup_fd(&state->dir);
	free(state);
}

struct sf_id sf_state_id(const struct sf_state *state)
{
	return state->id;
}

int sf_state_fd(const struct sf_state *state)
{
	return state->dir;
}

int sf_state_is_blank(const struct sf_state *state, bool *ret, struct sf_err *err)
{
	char name[NAME_MAX + 1];
	int rc = find_content(state->dir, name, err);

	if (rc == 0)
		*ret = !*name;
	return rc;
}

int sf_state_adopt(struct sf_state *state, const struct sf_id *id, struct sf_err *err)
{
	char name[NAME_MAX + 1], own[SF_ID_TEXT], other[SF_ID_TEXT];
	int rc;

	if (sf_id_equal(&state->id, id))
		return 0;
	rc = find_content(state->dir, name, err);
	if (rc < 0)
		return rc;
	sf_id_format(&state->id, own);
	sf_id_format(id, other);
	if (*name)
		return sf_fail(
			err, -ENOTEMPTY,
			"the state directory has the identity %s and holds '%s': only an empty one can "
			"take over %s",
			own, name, other);
	return write_id(state, id, err);
}

int sf_state_vm_dir(struct sf_state *state, const char *vm_dir, bool create, struct sf_err *err)
{
	struct sf_err why = {0};
	int rc;

	if (create) {
		rc = sf_durable_mkdir(state->dir, vm_dir, 0700, &why);
		if (rc < 0 && rc != -EEXIST)
			return sf_fail(err, rc, "%s", why.text);
	}
	return sf_open_dir(state->dir, vm_dir, err);
}

int sf_state_write_record(int snapshot_dir, const struct sf_record *record, struct sf_err *err)
{
	size_t len;
	auto_free char *text = sf_record_format(record, &len);

	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	return sf_durable_write(snapshot_dir, SF_STATE_META, text, len, err);
}

int sf_state_read_record(int snapshot_dir, struct sf_record *ret, struct sf_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = sf_durable_read(snapshot_dir, SF_STATE_META, SF_RECORD_BYTES_MAX, &text, &len, err);

	return rc < 0 ? rc : sf_record_parse(text, len, ret, err);
}

int sf_state_read_newer(int snapshot_dir, struct sf_newer_record *ret, struct sf_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = sf_durable_read(snapshot_dir, SF_STATE_META, SF_RECORD_BYTES_MAX, &text, &len, err);

	return rc < 0 ? rc : sf_record_parse_newer(text, len, ret, err);
}

void sf_state_find_manifest(int vm_dir, const char *snapshot, uint32_t *ret_bytes, uint64_t *ret_made_ns)
{
	char path[NAME_MAX + sizeof("/" SF_STATE_MANIFEST)];
	struct stat st;

	*ret_bytes = 0;
	*ret_made_ns = 0;
	(void)snprintf(path, sizeof(path), "%s/" SF_STATE_MANIFEST, snapshot);
	if (fstatat(vm_dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > SF_MANIFEST_BYTES_MAX)
		return;
	*ret_bytes = (uint32_t)st.st_size;
	*ret_made_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
}

#define MAP_PREFIX "disk-"
#define MAP_SUFFIX ".extents"

void sf_state_map_name(const char *vdev, char name[static SF_STATE_MAP_NAME])
{
	(void)snprintf(name, SF_STATE_MAP_NAME, MAP_PREFIX "%.*s" MAP_SUFFIX, SF_VDEV_MAX, vdev);
}

/* Exactly a name that sf_state_map_name() makes, or that of its temporary file, which a crash can leave. */
static bool is_map(const char *name)
{
	char vdev[SF_VDEV_MAX + 1] = "", map[SF_STATE_MAP_NAME], tmp[SF_STATE_MAP_NAME + 8];
	const char *from = name + (*name == '.');
	size_t len;

	if (strncmp(from, MAP_PREFIX, strlen(MAP_PREFIX)) != 0)
		return false;
	from += strlen(MAP_PREFIX);
	len = strcspn(from, ".");
	if (len > SF_VDEV_MAX)
		return false;
	memcpy(vdev, from, len);
	sf_state_map_name(vdev, map);
	(void)snprintf(tmp, sizeof(tmp), ".%s" SF_DURABLE_TMP_SUFFIX, map);
	return sf_vdev_check(vdev, NULL) == 0 && strcmp(name, *name == '.' ? tmp : map) == 0;
}

/* The name of a hole map in dir; NULL when there is none. */
static const char *next_map(DIR *dir)
{
	const struct dirent *entry;

	rewinddir(dir); /* the previous one has been removed */
	while ((entry = readdir(dir)))
		if (is_map(entry->d_name))
			return entry->d_name;
	return NULL;
}

static int remove_maps(int dir, struct sf_err *err)
{
	auto_dir DIR *stream = sf_dir_stream(dir);
	const char *name;
	int rc = 0;

	if (!stream)
		return sf_fail(err, -errno, "list a snapshot's directory: %s", strerror(errno));
	while (rc == 0 && (name = next_map(stream)))
		rc = sf_durable_unlink(dir, name, err);
	return rc;
}

int sf_state_remove_snapshot(int vm_dir, const char *name, struct sf_err *err)
{
	/* The record goes last: until then, a crash leaves something that says whose files these are. */
	static const char *const files[] = {SF_STATE_MEMORY, "." SF_STATE_MANIFEST SF_DURABLE_TMP_SUFFIX,
					    SF_STATE_MANIFEST, "." SF_STATE_META SF_DURABLE_TMP_SUFFIX,
					    SF_STATE_META};
	struct sf_err why = {0};
	auto_fd int dir = sf_open_dir(vm_dir, name, &why);
	int rc;

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return sf_fail(err, dir, "%s", why.text);
	rc = remove_maps(dir, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		rc = sf_durable_unlink(dir, files[i], err);
		if (rc < 0)
			return rc;
	}
	return sf_durable_rmdir(vm_dir, name, err);
}

void sf_state_deleting_name(const struct sf_id *uuid, char name[static SF_ID_TEXT + 1])
{
	name[0] = '.';
	sf_id_format(uuid, name + 1);
}

int sf_state_space(const struct sf_state *state, struct sf_space *ret, uint64_t *ret_for_root,
		   struct sf_err *err)
{
	struct statvfs vfs;
	struct stat st;

	if (fstatvfs(state->dir, &vfs) < 0 || fstat(state->dir, &st) < 0)
		return sf_fail(err, -errno, "space of the state directory: %s", strerror(errno));
	(void)snprintf(ret->pool, sizeof(ret->pool), "dev %u:%u", major(st.st_dev), minor(st.st_dev));
	ret->total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	ret->free_bytes = (uint64_t)vfs.f_bfree * vfs.f_frsize;
	if (ret_for_root)
		*ret_for_root = (uint64_t)(vfs.f_bfree - vfs.f_bavail) * vfs.f_frsize;
	return 0;
}

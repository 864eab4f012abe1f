/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include "base/cleanup.h"
#include "base/durable.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
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

/* Ours alone: owned by us, a real directory, and nobody else may write to it. */
static int check_owner(int dir, const char *path, struct sf_err *err)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return sf_fail(err, -errno, "stat %s: %s", path, strerror(errno));
	if (st.st_uid != geteuid())
		return sf_fail(err, -EPERM, "state directory %s belongs to user %u, not to us", path,
			       (unsigned)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return sf_fail(err, -EPERM, "state directory %s may be written to by others (mode %04o)",
			       path, (unsigned)st.st_mode & 07777);
	return 0;
}

static int open_root(const char *path, struct sf_err *err)
{
	int dir;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sf_fail(err, -errno, "make state directory %s: %s", path, strerror(errno));
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

static int check_empty(int dir, const char *path, struct sf_err *err)
{
	auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!stream)
		return sf_fail(err, -errno, "read state directory %s: %s", path, strerror(errno));
	(void)sf_take_fd(&fd); /* the stream's now */
	while ((entry = readdir(stream)))
		if (!sf_state_is_reserved(entry->d_name))
			return sf_fail(err, -ENOTEMPTY,
				       "%s is not a state directory of snapfs: it has no id and holds '%s'",
				       path, entry->d_name);
	return 0;
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
	char line[SF_ID_TEXT + 1];
	size_t len;
	int rc = sf_durable_read(state->dir, ID_FILE, SF_ID_TEXT, &text, &len, err);

	if (rc == -ENOENT) {
		rc = check_empty(state->dir, path, err);
		if (rc < 0)
			return rc;
		state->id = sf_id_new();
		sf_id_format(&state->id, line);
		line[SF_ID_TEXT - 1] = '\n';
		return sf_durable_write(state->dir, ID_FILE, line, SF_ID_TEXT, err);
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

int sf_state_remove_snapshot(int vm_dir, const char *name, struct sf_err *err)
{
	/*
	 * The record goes last but its own: until then a crash leaves something that says whose files these
	 * are.
	 */
	static const char *const files[] = {SF_STATE_MEMORY, "." SF_STATE_META SF_DURABLE_TMP_SUFFIX,
					    SF_STATE_META};
	struct sf_err why = {0};
	auto_fd int dir = sf_open_dir(vm_dir, name, &why);
	int rc;

	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return sf_fail(err, dir, "%s", why.text);
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

int sf_state_space(const struct sf_state *state, struct sf_space *ret, struct sf_err *err)
{
	struct statvfs vfs;
	struct stat st;

	if (fstatvfs(state->dir, &vfs) < 0 || fstat(state->dir, &st) < 0)
		return sf_fail(err, -errno, "space of the state directory: %s", strerror(errno));
	(void)snprintf(ret->pool, sizeof(ret->pool), "dev %u:%u", major(st.st_dev), minor(st.st_dev));
	ret->total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	ret->free_bytes = (uint64_t)vfs.f_bfree * vfs.f_frsize;
	return 0;
}

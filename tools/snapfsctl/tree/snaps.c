/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "snaps.h"

#include "members.h"
#include "mount.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void sf_snap_fini(struct sf_snap *snap)
{
	json_decref(snap->meta);
	snap->meta = NULL;
}

void sf_snaps_fini(struct sf_snaps *snaps)
{
	for (size_t i = 0; i < snaps->n; i++)
		sf_snap_fini(&snaps->list[i]);
	free(snaps->list);
	*snaps = (struct sf_snaps){0};
}

void sf_snap_path(const struct sf_snap *snap, char path[static SF_SNAP_PATH])
{
	(void)snprintf(path, SF_SNAP_PATH, "%s/%s", snap->vm, snap->name);
}

bool sf_snap_is_pre_revert(const struct sf_snap *snap)
{
	return strncmp(snap->name, "pre-revert-", strlen("pre-revert-")) == 0;
}

/* --- names --- */

void sf_names_free(char **names, size_t n)
{
	for (size_t i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/*
 * Lists the directories in an open directory that are not control files: VMs of the root, snapshots of a VM.
 * Takes fd.
 */
static int list_directories(int fd, char ***ret, size_t *ret_n, struct sf_err *err)
{
	auto_dir DIR *dir = fdopendir(fd);
	size_t n = 0, room = 0;
	struct dirent *entry;
	char **names = NULL;

	if (!dir) {
		(void)close(fd);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		if (*entry->d_name == '.' || entry->d_type != DT_DIR ||
		    sf_name_check(entry->d_name, NULL) < 0)
			continue;
		if (n == room) {
			char **larger = realloc(names, (room = room ? 2 * room : 64) * sizeof(*names));

			if (!larger)
				break;
			names = larger;
		}
		names[n] = strdup(entry->d_name);
		if (!names[n])
			break;
		n++;
	}
	if (entry || errno) {
		sf_names_free(names, n);
		return sf_fail(err, entry ? -ENOMEM : -errno, "reading a directory: %s",
			       strerror(entry ? ENOMEM : errno));
	}
	if (n > 0)
		qsort(names, n, sizeof(*names), compare_names);
	*ret = names;
	*ret_n = n;
	return 0;
}

int sf_vms_load(const struct sf_mount *mount, char ***ret, size_t *ret_n, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(mount);
	int fd = openat(mount->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return sf_fail(err, -errno, "%s: %s", mount->path, strerror(errno));
	return list_directories(fd, ret, ret_n, err);
}

/* The name that is closest to typed; NULL if none is close. */
static const char *nearest(char **names, size_t n, const char *typed)
{
	size_t best = strlen(typed) / 3 + 2;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t distance = sf_text_distance(names[i], typed);

		if (distance < best) {
			best = distance;
			found = names[i];
		}
	}
	return found;
}

/*
 * Fails with -ENOENT for a name that does not exist, and suggests a similar one. prefix precedes the name in
 * a path. Frees names.
 */
static int fail_missing(char **names, size_t n, const char *prefix, const char *typed, const char *kind,
			struct sf_err *err)
{
	const char *found = nearest(names, n, typed);
	char shown[SF_NAME_MAX + 1];
	int rc;

	sf_text_printable(typed, shown, sizeof(shown));
	if (found)
		rc = sf_fail(err, -ENOENT, "%s%s: no such %s; did you mean '%s%s'?", prefix, shown, kind,
			     prefix, found);
	else
		rc = sf_fail(err, -ENOENT, "%s%s: no such %s", prefix, shown, kind);
	sf_names_free(names, n);
	return rc;
}

/* Opens a directory of the tree by a name that the user typed. */
static int open_directory(int at, const char *name)
{
	if (sf_name_check(name, NULL) < 0) {
		errno = ENOENT; /* the tree has no such names */
		return -1;
	}
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Fails for an argument that cannot be a VM: a snapshot, in our notation or another program's. */
static int fail_not_vm(const char *vm, struct sf_err *err)
{
	char shown[SF_SNAP_PATH];

	sf_text_printable(vm, shown, sizeof(shown));
	return sf_fail(err, -ENOENT, "'%s' is not a VM's name; snapshots (VM/NAME) have other commands",
		       shown);
}

static int open_vm(const struct sf_mount *mount, const char *vm, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(mount);
	int fd = open_directory(mount->fd, vm), rc;
	char **names;
	size_t n;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT && errno != ENOTDIR)
		return sf_fail(err, -errno, "%s/%s: %s", mount->path, vm, strerror(errno));
	if (strchr(vm, '/') || strchr(vm, '@'))
		return fail_not_vm(vm, err);
	rc = sf_vms_load(mount, &names, &n, err);
	return rc < 0 ? rc : fail_missing(names, n, "", vm, "VM", err);
}

int sf_vm_check(const struct sf_mount *mount, const char *vm, struct sf_err *err)
{
	int fd = open_vm(mount, vm, err);

	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

int sf_snap_split(const struct sf_mount *mount, const char *argument, char vm[static SF_NAME_MAX + 1],
		  char name[static SF_NAME_MAX + 1], struct sf_err *err)
{
	char path[SF_SNAP_PATH], shown[SF_SNAP_PATH];
	int rc = sf_mount_path(mount, argument, path, sizeof(path), err);
	char *slash;

	if (rc < 0)
		return rc;
	slash = strchr(path, '/');
	sf_text_printable(argument, shown, sizeof(shown));
	if (!slash)
		return sf_fail(err, -EINVAL, "'%s' is not of the form VM/SNAPSHOT; is it a VM?", shown);
	if (strchr(slash + 1, '/'))
		return sf_fail(err, -EINVAL, "'%s' is not of the form VM/SNAPSHOT", shown);
	*slash = '\0';
	if (slash - path > SF_NAME_MAX || strlen(slash + 1) > SF_NAME_MAX)
		return sf_fail(err, -ENAMETOOLONG, "'%s': a name has at most %d bytes", shown, SF_NAME_MAX);
	memcpy(vm, path, (size_t)(slash - path) + 1);
	memcpy(name, slash + 1, strlen(slash + 1) + 1);
	return 0;
}

/* --- meta.json --- */

static void take_meta(struct sf_snap *snap)
{
	const json_t *disk;
	size_t i;

	snap->state = sf_member_string(snap->meta, "state");
	snap->consistency = sf_member_string(snap->meta, "consistency");
	snap->power = sf_member_string(snap->meta, "power");
	snap->description = sf_member_string(snap->meta, "description");
	snap->held = json_is_true(json_object_get(snap->meta, "held"));
	snap->memory_bytes = sf_member_number(json_object_get(snap->meta, "memory"), "size_bytes");
	if (sf_json_time(snap->meta, "taken", &snap->taken_ns, NULL) < 0)
		(void)snprintf(snap->problem, sizeof(snap->problem),
			       "meta.json does not say when it was taken");
	json_array_foreach(json_object_get(snap->meta, "disks"), i, disk)
	{
		snap->size_bytes += sf_member_number(disk, "size_bytes");
		snap->allocated_bytes += sf_member_number(disk, "allocated_bytes");
	}
}

static int compare_time(const void *a, const void *b)
{
	const struct sf_snap *x = a, *y = b;

	if (x->taken_ns != y->taken_ns)
		return x->taken_ns < y->taken_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int load_document(const struct sf_mount *mount, const char *path, json_t **ret, struct sf_err *err)
{
	auto_free char *text = NULL;
	size_t len;
	int rc = sf_mount_read(mount, path, &text, &len, err);

	if (rc < 0)
		return rc;
	*ret = sf_json_parse_object(text, len, path, err);
	return *ret ? 0 : -EPROTO;
}

static bool is_broken(const json_t *broken, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(broken, i, item)
	{
		if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

static void mark_broken(struct sf_snap *snap)
{
	(void)snprintf(snap->problem, sizeof(snap->problem),
		       "broken: its content cannot be read; snapfsctl doctor says why");
}

/* Appends a VM's snapshots, sorted by time. */
static int load_vm(const struct sf_mount *mount, const char *vm, struct sf_snaps *snaps, struct sf_err *err)
{
	char path[SF_NAME_MAX + sizeof("/.snapshots.json")];
	auto_json json_t *root = NULL;
	struct sf_snap *larger;
	const json_t *list;
	json_t *meta;
	size_t i, first = snaps->n;
	int rc = sf_vm_check(mount, vm, err);

	(void)snprintf(path, sizeof(path), "%s/.snapshots.json", vm);
	if (rc < 0 || (rc = load_document(mount, path, &root, err)) < 0)
		return rc;
	list = json_object_get(root, "snapshots");
	larger = realloc(snaps->list, (snaps->n + json_array_size(list) + 1) * sizeof(*larger));
	if (!larger)
		return sf_fail(err, -ENOMEM, "out of memory");
	snaps->list = larger;
	json_array_foreach(list, i, meta)
	{
		struct sf_snap *snap = &snaps->list[snaps->n];
		const char *name = sf_member_string(meta, "name");

		if (sf_name_check(name, NULL) < 0)
			continue; /* the daemon has no such names */
		*snap = (struct sf_snap){.meta = json_incref(meta)};
		(void)snprintf(snap->vm, sizeof(snap->vm), "%s", vm);
		(void)snprintf(snap->name, sizeof(snap->name), "%s", name);
		take_meta(snap);
		if (is_broken(json_object_get(root, "broken"), name))
			mark_broken(snap);
		snaps->n++;
	}
	qsort(snaps->list + first, snaps->n - first, sizeof(*snaps->list), compare_time);
	return 0;
}

int sf_snaps_load(const struct sf_mount *mount, const char *vm, struct sf_snaps *ret, struct sf_err *err)
{
	struct sf_snaps snaps = {0};
	char **names = NULL;
	size_t n = 0;
	int rc;

	if (vm) {
		rc = load_vm(mount, vm, &snaps, err);
	} else {
		rc = sf_vms_load(mount, &names, &n, err);
		for (size_t i = 0; i < n && rc == 0; i++) {
			rc = load_vm(mount, names[i], &snaps, err);
			rc = rc == -ENOENT ? 0 : rc; /* gone meanwhile */
		}
		sf_names_free(names, n);
	}
	if (rc < 0) {
		sf_snaps_fini(&snaps);
		return rc;
	}
	*ret = snaps;
	return 0;
}

/* Fails for a snapshot that its VM's directory does not have. */
static int fail_snapshot(const struct sf_mount *mount, const struct sf_snap *wanted, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(mount);
	char prefix[SF_NAME_MAX + 2], **names;
	int fd = openat(mount->fd, wanted->vm, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	size_t n;
	int rc;

	if (fd < 0)
		return sf_fail(err, -errno, "%s: %s", wanted->vm, strerror(errno));
	if ((rc = list_directories(fd, &names, &n, err)) < 0)
		return rc;
	(void)snprintf(prefix, sizeof(prefix), "%s/", wanted->vm);
	return fail_missing(names, n, prefix, wanted->name, "snapshot", err);
}

int sf_snap_load(const struct sf_mount *mount, const char *argument, struct sf_snap *ret, struct sf_err *err)
{
	char path[SF_SNAP_PATH + sizeof("/meta.json")];
	struct sf_snap snap = {0};
	struct sf_err why = {0};
	int rc = sf_snap_split(mount, argument, snap.vm, snap.name, err);

	if (rc < 0 || (rc = sf_vm_check(mount, snap.vm, err)) < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/%s/meta.json", snap.vm, snap.name);
	rc = sf_name_check(snap.name, NULL) < 0 ? -ENOENT : load_document(mount, path, &snap.meta, &why);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return fail_snapshot(mount, &snap, err);
	if (rc < 0)
		return sf_fail(err, rc, "%s", why.text);
	take_meta(&snap);
	*ret = snap;
	return 0;
}

/* --- documents --- */

int sf_vm_load(const struct sf_mount *mount, const char *vm, json_t **ret, struct sf_err *err)
{
	char path[SF_NAME_MAX + sizeof("/.vm.json")];
	int rc = sf_vm_check(mount, vm, err);

	if (rc < 0)
		return rc;
	(void)snprintf(path, sizeof(path), "%s/.vm.json", vm);
	return load_document(mount, path, ret, err);
}

int sf_report_load(const struct sf_mount *mount, const char *name, json_t **ret, struct sf_err *err)
{
	char path[sizeof(".snapfs/") + SF_NAME_MAX];

	(void)snprintf(path, sizeof(path), ".snapfs/%s", name);
	return load_document(mount, path, ret, err);
}

/* --- JSON --- */

json_t *sf_snap_json(const struct sf_snap *snap)
{
	json_t *vm_uuid = json_object_get(json_object_get(snap->meta, "vm"), "uuid");
	char path[SF_SNAP_PATH], taken[SF_TIME_TEXT];
	json_t *root;

	sf_snap_path(snap, path);
	sf_time_format(snap->taken_ns, taken);
	root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:I}", "path", path,
			 "vm", snap->vm, "name", snap->name, "uuid", sf_member_string(snap->meta, "uuid"),
			 "taken", taken, "state", snap->state, "consistency", snap->consistency, "power",
			 snap->power, "held", snap->held, "description", snap->description, "size_bytes",
			 (json_int_t)snap->size_bytes, "allocated_bytes", (json_int_t)snap->allocated_bytes,
			 "memory_bytes", (json_int_t)snap->memory_bytes);
	if (!root)
		return NULL;
	if (*snap->problem)
		json_object_set_new(root, "problem", sf_json_lossy(snap->problem));
	json_object_set(root, "disks", json_object_get(snap->meta, "disks"));
	if (json_is_string(vm_uuid))
		json_object_set(root, "vm_uuid", vm_uuid);
	if (json_object_get(snap->meta, "pause_ms"))
		json_object_set(root, "pause_ms", json_object_get(snap->meta, "pause_ms"));
	return root;
}

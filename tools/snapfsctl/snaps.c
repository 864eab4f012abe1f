/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "snaps.h"

#include "mount.h"
#include "text.h"

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

/* The largest meta.json that is read; the daemon writes none above 1 MiB. */
#define META_MAX (1024 * 1024)

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

/* The directories in an open directory that are no control files: VMs of the root, snapshots of a VM. Takes fd. */
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
	int fd = openat(mount->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return sf_fail(err, -errno, "%s: %s", mount->path, strerror(errno));
	return list_directories(fd, ret, ret_n, err);
}

/* Of n names the one nearest to what somebody typed; NULL when none is near. */
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

/* The failure of a name that is not among those that there are; prefix is what stands before it in a path. Frees names. */
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

/* Opens a directory of the tree by a name that a user gave. */
static int open_directory(int at, const char *name)
{
	if (sf_name_check(name, NULL) < 0) {
		errno = ENOENT; /* nothing in the tree is called so */
		return -1;
	}
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static int open_vm(const struct sf_mount *mount, const char *vm, struct sf_err *err)
{
	int fd = open_directory(mount->fd, vm), rc;
	char **names;
	size_t n;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT && errno != ENOTDIR)
		return sf_fail(err, -errno, "%s/%s: %s", mount->path, vm, strerror(errno));
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
	if (!slash || strchr(slash + 1, '/'))
		return sf_fail(err, -EINVAL, "'%s' is not of the form VM/SNAPSHOT", shown);
	*slash = '\0';
	if (slash - path > SF_NAME_MAX || strlen(slash + 1) > SF_NAME_MAX)
		return sf_fail(err, -ENAMETOOLONG, "'%s': a name has at most %d bytes", shown, SF_NAME_MAX);
	memcpy(vm, path, (size_t)(slash - path) + 1);
	memcpy(name, slash + 1, strlen(slash + 1) + 1);
	return 0;
}

/* --- meta.json --- */

static uint64_t number_of(const json_t *object, const char *key)
{
	uint64_t value;

	return sf_json_u64(object, key, &value, NULL) == 0 ? value : 0;
}

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void take_meta(struct sf_snap *snap)
{
	const json_t *disk;
	size_t i;

	snap->state = string_of(snap->meta, "state");
	snap->consistency = string_of(snap->meta, "consistency");
	snap->power = string_of(snap->meta, "power");
	snap->description = string_of(snap->meta, "description");
	snap->held = json_is_true(json_object_get(snap->meta, "held"));
	snap->memory_bytes = number_of(json_object_get(snap->meta, "memory"), "size_bytes");
	if (sf_json_time(snap->meta, "taken", &snap->taken_ns, NULL) < 0)
		(void)snprintf(snap->problem, sizeof(snap->problem),
			       "meta.json does not say when it was taken");
	if (sf_json_time(snap->meta, "edited", &snap->edited_ns, NULL) < 0)
		snap->edited_ns = snap->taken_ns;
	json_array_foreach(json_object_get(snap->meta, "disks"), i, disk)
	{
		snap->size_bytes += number_of(disk, "size_bytes");
		snap->allocated_bytes += number_of(disk, "allocated_bytes");
	}
}

static int read_meta(int vm_fd, const char *name, char *text, size_t room, size_t *ret_len)
{
	char path[SF_NAME_MAX + sizeof("/meta.json")];
	auto_fd int fd = -1;
	size_t len = 0;
	ssize_t got;

	(void)snprintf(path, sizeof(path), "%s/meta.json", name);
	fd = openat(vm_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text + len, room - len);
		if (got < 0)
			return -errno;
		len += (size_t)got;
	} while (got > 0 && len < room);
	*ret_len = len;
	return len < room ? 0 : -EFBIG;
}

/* Fills what ret->name of an open VM is; -ENOENT when it has gone, -ENOMEM. Everything else is its problem. text is for META_MAX bytes. */
static int load_snap(int vm_fd, struct sf_snap *ret, char *text)
{
	struct sf_err err = {0};
	size_t len = 0;
	int rc = read_meta(vm_fd, ret->name, text, META_MAX, &len);

	ret->state = ret->consistency = ret->power = ret->description = "";
	if (rc == -ENOENT || rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		(void)snprintf(ret->problem, sizeof(ret->problem), "meta.json: %s", strerror(-rc));
		return 0;
	}
	ret->meta = sf_json_parse_object(text, len, "meta.json", &err);
	if (ret->meta)
		take_meta(ret);
	else
		sf_text_printable(err.text, ret->problem, sizeof(ret->problem));
	return 0;
}

static int compare_time(const void *a, const void *b)
{
	const struct sf_snap *x = a, *y = b;

	if (x->taken_ns != y->taken_ns)
		return x->taken_ns < y->taken_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Adds a VM's snapshots to what is there, in the order of their times. */
static int load_vm(const struct sf_mount *mount, const char *vm, struct sf_snaps *snaps, struct sf_err *err)
{
	auto_fd int fd = open_vm(mount, vm, err);
	auto_free char *text = malloc(META_MAX);
	size_t n = 0, first = snaps->n;
	struct sf_snap *larger;
	char **names = NULL;
	int rc;

	if (fd < 0)
		return fd;
	if ((rc = list_directories(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &names, &n, err)) < 0)
		return sf_wrap(err, rc, "%s/%s", mount->path, vm);
	larger = realloc(snaps->list, (snaps->n + n + 1) * sizeof(*larger));
	if (larger)
		snaps->list = larger;
	for (size_t i = 0; i < n && text && larger && rc != -ENOMEM; i++) {
		struct sf_snap *snap = &snaps->list[snaps->n];

		*snap = (struct sf_snap){0};
		(void)snprintf(snap->vm, sizeof(snap->vm), "%s", vm);
		(void)snprintf(snap->name, sizeof(snap->name), "%s", names[i]);
		sf_mount_watchdog(mount, true);
		rc = load_snap(fd, snap, text);
		if (rc == 0)
			snaps->n++;
	}
	sf_names_free(names, n);
	if (!text || !larger || rc == -ENOMEM)
		return sf_fail(err, -ENOMEM, "out of memory");
	qsort(snaps->list + first, snaps->n - first, sizeof(*snaps->list), compare_time);
	return 0;
}

static bool is_path(const struct sf_snap *snap, const char *path)
{
	size_t len = strlen(snap->vm);

	return strncmp(path, snap->vm, len) == 0 && path[len] == '/' &&
	       strcmp(path + len + 1, snap->name) == 0;
}

/* What the daemon knows to be broken has that as its problem. Whoever may not read its report sees the records alone. */
static void mark_broken(const struct sf_mount *mount, struct sf_snap *list, size_t n)
{
	auto_json json_t *health = NULL;
	const json_t *problem;
	size_t i;

	if (sf_report_load(mount, "health.json", &health, NULL) < 0)
		return;
	json_array_foreach(json_object_get(health, "problems"), i, problem)
	{
		const char *subject = string_of(problem, "subject");

		if (strcmp(string_of(problem, "kind"), "broken") != 0)
			continue;
		for (size_t k = 0; k < n; k++)
			if (is_path(&list[k], subject))
				(void)snprintf(list[k].problem, sizeof(list[k].problem), "broken: %s",
					       string_of(problem, "text"));
	}
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
	mark_broken(mount, snaps.list, snaps.n);
	*ret = snaps;
	return 0;
}

int sf_snap_load(const struct sf_mount *mount, const char *argument, struct sf_snap *ret, struct sf_err *err)
{
	struct sf_snap snap = {0};
	auto_free char *text = malloc(META_MAX);
	char prefix[SF_NAME_MAX + 2], **names;
	auto_fd int fd = -1;
	size_t n;
	int rc = sf_snap_split(mount, argument, snap.vm, snap.name, err), dir;

	if (rc < 0)
		return rc;
	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	if ((fd = open_vm(mount, snap.vm, err)) < 0)
		return fd;
	dir = open_directory(fd, snap.name);
	if (dir >= 0) {
		(void)close(dir);
		if ((rc = load_snap(fd, &snap, text)) < 0)
			return sf_fail(err, rc, "%s/%s: %s", snap.vm, snap.name, strerror(-rc));
		mark_broken(mount, &snap, 1);
		*ret = snap;
		return 0;
	}
	if (errno != ENOENT && errno != ENOTDIR)
		return sf_fail(err, -errno, "%s/%s: %s", snap.vm, snap.name, strerror(errno));
	rc = list_directories(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &names, &n, err);
	if (rc < 0)
		return rc;
	(void)snprintf(prefix, sizeof(prefix), "%s/", snap.vm);
	return fail_missing(names, n, prefix, snap.name, "snapshot", err);
}

/* --- documents --- */

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
	if (!snap->meta)
		return json_pack("{s:s, s:s, s:s, s:s}", "path", path, "vm", snap->vm, "name", snap->name,
				 "problem", snap->problem);
	sf_time_format(snap->taken_ns, taken);
	root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:I}", "path", path,
			 "vm", snap->vm, "name", snap->name, "uuid", string_of(snap->meta, "uuid"), "taken",
			 taken, "state", snap->state, "consistency", snap->consistency, "power", snap->power,
			 "held", snap->held, "description", snap->description, "size_bytes",
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mount.h"

#include "tools/snapfsctl/show/say.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The inode number of a FUSE file system's root (FUSE_ROOT_ID of linux/fuse.h). */
#define ROOT_INO 1

/* --- the watchdog --- */

/* The deadline in CLOCK_MONOTONIC ms (0: not watching), and the timeout that it is computed from. */
static atomic_uint_fast64_t watchdog_until_ms, watchdog_timeout_ms;

static uint64_t timeout_ms(void)
{
	const char *text = getenv("SNAPFS_TIMEOUT");
	char *end;
	unsigned long seconds;

	if (!text || !*text)
		return SF_MOUNT_TIMEOUT_MS;
	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (errno || *end || seconds == 0 || seconds > 86400)
		return SF_MOUNT_TIMEOUT_MS;
	return seconds * 1000;
}

static void *watch(void *arg)
{
	const struct sf_mount *mount = arg;

	for (;;) {
		uint64_t until = atomic_load(&watchdog_until_ms), now = sf_clock_mono_ms();
		struct timespec step = {.tv_nsec = 50 * 1000 * 1000};

		if (until && now >= until) {
			sf_ctl_say("%s: no answer for %llu s; the daemon may hang (`snapfsctl doctor` says "
				   "more)",
				   mount->path,
				   (unsigned long long)(atomic_load(&watchdog_timeout_ms) / 1000));
			_exit(SF_EXIT_FAILED);
		}
		(void)nanosleep(&step, NULL);
	}
	return NULL;
}

/*
 * Reads the environment here and only once: the thread must not read it, because the main thread changes it
 * for time zones.
 */
static void start_watchdog(const struct sf_mount *mount)
{
	pthread_t thread;

	atomic_store(&watchdog_timeout_ms, timeout_ms());
	/* Best effort: without the thread there is no deadline. */
	if (pthread_create(&thread, NULL, watch, (void *)mount) == 0)
		(void)pthread_detach(thread);
}

bool sf_mount_watch(const struct sf_mount *mount)
{
	if (*mount->path)
		atomic_store(&watchdog_until_ms, sf_clock_mono_ms() + atomic_load(&watchdog_timeout_ms));
	return true;
}

void sf_mount_unwatch(const bool *watching)
{
	(void)watching;
	atomic_store(&watchdog_until_ms, 0);
}

/* --- finding the mount --- */

/* Whether root or this user mounted it: the kernel notes who did. */
static bool is_trusted(const struct sf_mounts_entry *entry)
{
	const char *at = strstr(entry->options, "user_id=");
	unsigned long user;

	if (!at || (at != entry->options && at[-1] != ','))
		return false;
	user = strtoul(at + strlen("user_id="), NULL, 10);
	return user == 0 || user == geteuid();
}

struct search {
	dev_t dev;
	bool found, several;
	char path[PATH_MAX];
};

/*
 * Skips bind mounts, which show the same device. A later mount on the same path hides the earlier one.
 */
static bool consider(const struct sf_mounts_entry *entry, void *arg)
{
	struct search *search = arg;
	bool hides = search->found && strcmp(search->path, entry->point) == 0;

	if (strcmp(entry->type, "fuse.snapfs") != 0 || !is_trusted(entry) || strcmp(entry->root, "/") != 0 ||
	    (search->found && !hides && search->dev == entry->dev))
		return true;
	search->several = search->found && !hides;
	search->found = true;
	search->dev = entry->dev;
	(void)snprintf(search->path, sizeof(search->path), "%s", entry->point);
	return !search->several;
}

/* Finds the only snapfs that root or this user mounted. */
static int find(char path[static PATH_MAX], struct sf_err *err)
{
	struct search search = {.found = false};
	int rc = sf_mounts_each(consider, &search, err);

	if (rc < 0)
		return rc;
	if (!search.found)
		return sf_fail(
			err, -ENOENT,
			"no snapfs is mounted; `snapfs /snaps` or `systemctl start snapfs` mounts one");
	if (search.several)
		return sf_fail(err, -EINVAL,
			       "several snapfs are mounted; say which with --mount DIR or SNAPFS_MOUNT");
	memcpy(path, search.path, PATH_MAX);
	return 0;
}

static bool has_device(const struct sf_mounts_entry *entry, void *arg)
{
	struct search *search = arg;

	search->found = strcmp(entry->type, "fuse.snapfs") == 0 && search->dev == entry->dev;
	return !search->found;
}

/* Asks the kernel: anybody can make a directory that looks like the tree. */
static int check_tree(const struct sf_mount *mount, struct sf_err *err)
{
	struct search search = {.found = false};
	struct stat st;
	int rc;

	if (fstat(mount->fd, &st) < 0)
		return sf_fail(err, -errno, "%s: %s", mount->path, strerror(errno));
	search.dev = st.st_dev;
	rc = sf_mounts_each(has_device, &search, err);
	if (rc == 0 && (!search.found || st.st_ino != ROOT_INO))
		rc = sf_fail(err, -EINVAL, "%s: no snapfs is mounted there", mount->path);
	return rc;
}

static int open_mount(struct sf_mount *mount, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(mount);

	mount->fd = open(mount->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount->fd < 0 && errno == ENOTCONN)
		return sf_fail(err, -ENOTCONN, "%s: its daemon is gone; `umount -l %s`, then mount it again",
			       mount->path, mount->path);
	if (mount->fd < 0)
		return sf_fail(err, -errno, "%s: %s", mount->path, strerror(errno));
	return check_tree(mount, err);
}

int sf_mount_open(struct sf_mount *mount, const char *given, struct sf_err *err)
{
	int rc = 0;

	if (!given || !*given)
		given = getenv("SNAPFS_MOUNT");
	if (!given || !*given)
		rc = find(mount->path, err);
	else if (strlen(given) >= sizeof(mount->path))
		rc = sf_fail(err, -ENAMETOOLONG, "the mount's path is too long");
	else
		(void)snprintf(mount->path, sizeof(mount->path), "%s", given);
	if (rc < 0)
		return rc;
	for (size_t len = strlen(mount->path); len > 1 && mount->path[len - 1] == '/'; len--)
		mount->path[len - 1] = '\0';
	start_watchdog(mount);
	return open_mount(mount, err);
}

/* Removes empty and "." components. */
static size_t tidy(const char *path, char *buf, size_t size)
{
	size_t len = 0;

	while (*path) {
		size_t n = strcspn(path, "/");

		if (n > 0 && !(n == 1 && *path == '.')) {
			if (len + n + 2 > size)
				return size;
			if (len > 0)
				buf[len++] = '/';
			memcpy(buf + len, path, n);
			len += n;
		}
		path += n + (path[n] == '/');
	}
	buf[len] = '\0';
	return len;
}

int sf_mount_path(const struct sf_mount *mount, const char *argument, char *ret, size_t size,
		  struct sf_err *err)
{
	const char *path = argument;
	char shown[64];
	size_t len = strlen(mount->path);

	sf_text_printable(argument, shown, sizeof(shown));
	if (*mount->path == '/' && strncmp(path, mount->path, len) == 0 && (path[len] == '/' || !path[len]))
		path += len;
	len = tidy(path, ret, size);
	if (len == 0)
		return sf_fail(err, -EINVAL, "'%s' names nothing below %s", shown, mount->path);
	if (len >= size)
		return sf_fail(err, -ENAMETOOLONG, "'%s' is too long for a VM and a snapshot", shown);
	return 0;
}

int sf_mount_read(const struct sf_mount *mount, const char *path, char **ret, size_t *ret_len,
		  struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(mount);
	auto_fd int fd = openat(mount->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = 0, room = 4096;
	auto_free char *text = malloc(room);
	ssize_t got = 1;

	if (fd < 0)
		return sf_fail(err, -errno, "%s/%s: %s", mount->path, path, strerror(errno));
	while (text && got > 0) {
		if (len + 1 == room) {
			char *larger = room < SF_MOUNT_DOCUMENT_MAX ? realloc(text, room *= 2) : NULL;

			if (!larger)
				return sf_fail(err, -EFBIG, "%s/%s is too large", mount->path, path);
			text = larger;
		}
		got = read(fd, text + len, room - len - 1);
		if (got < 0)
			return sf_fail(err, -errno, "%s/%s: %s", mount->path, path, strerror(errno));
		len += (size_t)got;
	}
	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	text[len] = '\0';
	*ret = sf_take_ptr(&text);
	if (ret_len)
		*ret_len = len;
	return 0;
}

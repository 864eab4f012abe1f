/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries to the kernel's device-mapper. Threads: libdevmapper finds and opens its control device in static
 * variables, so that happens once, under a lock, and the descriptor stays open. After that a query uses only
 * its own task.
 */
#include "dm.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libdevmapper.h>
#include <limits.h>
#include <linux/dm-ioctl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define SECTOR_BYTES ((uint64_t)512)
/* Characters that LVM allows in names (lvm(8)). libdevmapper would rewrite any other. */
#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-"

#define auto_task __attribute__((cleanup(cleanup_task)))

static void cleanup_task(struct dm_task **task)
{
	if (*task)
		dm_task_destroy(*task);
}

/* A device may change its table between two queries, but not repeatedly. */
#define TRIES 5

/* --- libdevmapper's static state --- */

/* Callers report errors, with names; libdevmapper's own messages go to the debug log. */
static void log_line(int level, const char *file, int line, int dm_errno_or_class, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void log_line(int level, const char *file, int line, int dm_errno_or_class, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	(void)level, (void)file, (void)line, (void)dm_errno_or_class;
	if (!sf_log_wants(SF_LOG_DEBUG))
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* truncation is acceptable */
	va_end(args);
	sf_log(SF_LOG_DEBUG, "libdevmapper: %s", text);
}

static int control_path(char path[static PATH_MAX], struct sf_err *err)
{
	int len = snprintf(path, PATH_MAX, "%s/control", dm_dir());

	return len > 0 && len < PATH_MAX ? 0 : sf_fail(err, -ENAMETOOLONG, "%s is too long", dm_dir());
}

/* libdevmapper opens it without O_CLOEXEC, and LVM commands complain of inherited descriptors. */
static int keep_control_to_ourselves(struct sf_err *err)
{
	auto_dir DIR *dir = opendir("/proc/self/fd");
	char path[PATH_MAX];
	struct stat control, st;
	struct dirent *entry;
	int rc = control_path(path, err);

	if (rc < 0)
		return rc;
	if (!dir || stat(path, &control) < 0)
		return sf_fail(err, -errno, "find %s among our descriptors: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
			continue;
		if (st.st_rdev == control.st_rdev && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return sf_fail(err, -errno, "set close-on-exec: %s", strerror(errno));
	}
	return 0;
}

static int begin(struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;

	dm_log_with_errno_init(log_line);
	dm_hold_control_dev(1);
	task = dm_task_create(DM_DEVICE_VERSION);
	if (!task || !dm_task_run(task))
		return sf_fail(err, -ENODEV, "this kernel's device-mapper does not answer");
	return keep_control_to_ourselves(err);
}

/* Every call tries until one succeeds: device-mapper is a module and may be loaded later. */
static int ready(struct sf_err *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool done;
	auto_unlock pthread_mutex_t *held = sf_lock(&lock);
	int rc = done ? 0 : begin(err);

	done |= rc == 0;
	return rc;
}

/* --- names --- */

/* Appends text with its hyphens doubled. *at counts the characters that do not fit, too. */
static void append(char name[static SF_DM_NAME], size_t *at, const char *text)
{
	for (; *text; text++) {
		for (int i = 0; i < (*text == '-' ? 2 : 1); i++, (*at)++) {
			if (*at < SF_DM_NAME)
				name[*at] = *text;
		}
	}
}

int sf_dm_name(const char *vg, const char *lv, const char *layer, char name[static SF_DM_NAME],
	       struct sf_err *err)
{
	const char *const parts[] = {vg, lv, layer};
	char built[SF_DM_NAME];
	size_t len = 0;

	for (size_t i = 0; i < (layer ? 3 : 2); i++) {
		if (!*parts[i] || parts[i][strspn(parts[i], NAME_LETTERS)] != '\0')
			return sf_fail(err, -EINVAL, "'%s' is not a valid LVM name", parts[i]);
		if (i > 0 && len++ < SF_DM_NAME - 1)
			built[len - 1] = '-';
		append(built, &len, parts[i]);
	}
	if (len >= SF_DM_NAME)
		return sf_fail(err, -ENAMETOOLONG, "the device name of %s/%s is too long", vg, lv);
	memcpy(name, built, len);
	name[len] = '\0';
	return 0;
}

/* --- queries --- */

static int new_task(int type, const char *name, struct dm_task **ret, struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;
	int rc = ready(err);

	if (rc < 0)
		return rc;
	task = dm_task_create(type);
	if (!task)
		return sf_fail(err, -ENOMEM, "device %s: out of memory", name);
	if (!dm_task_set_name(task, name))
		return sf_fail(err, -EINVAL, "'%s' is not a valid device name", name);
	if (!dm_task_no_flush(task))
		return sf_fail(err, -EIO, "device %s: libdevmapper refuses no_flush", name);
	*ret = sf_take_ptr(&task);
	return 0;
}

/* The kernel reports a missing device as ENXIO, which libdevmapper hides for some queries. */
static int run_task(struct dm_task *task, const char *name, struct dm_info *ret_info, struct sf_err *err)
{
	struct dm_info info;
	int code;

	if (!dm_task_run(task)) {
		code = dm_task_get_errno(task);
		if (code == ENXIO)
			return sf_fail(err, -ENOENT, "there is no device %s", name);
		if (code <= 0)
			code = EIO;
		return sf_fail(err, -code, "device %s: %s", name, strerror(code));
	}
	if (!dm_task_get_info(task, &info))
		return sf_fail(err, -EIO, "device %s: libdevmapper has no information on it", name);
	if (!info.exists)
		return sf_fail(err, -ENOENT, "there is no device %s", name);
	if (ret_info)
		*ret_info = info;
	return 0;
}

/* Runs one query about a device. The caller destroys *ret. */
static int ask(int type, const char *name, struct dm_task **ret, struct dm_info *ret_info, struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;
	int rc = new_task(type, name, &task, err);

	if (rc == 0)
		rc = run_task(task, name, ret_info, err);
	if (rc == 0)
		*ret = sf_take_ptr(&task);
	return rc;
}

int sf_dm_info(const char *name, struct sf_dm_info *ret, struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;
	struct dm_info info;
	const char *uuid;
	int rc = ask(DM_DEVICE_INFO, name, &task, &info, err);

	if (rc < 0)
		return rc;
	uuid = dm_task_get_uuid(task);
	*ret = (struct sf_dm_info){
		.major = info.major,
		.minor = info.minor,
		.open_count = info.open_count > 0 ? (unsigned)info.open_count : 0,
		.read_only = info.read_only,
		.suspended = info.suspended,
	};
	(void)snprintf(ret->uuid, sizeof(ret->uuid), "%s", uuid ? uuid : ""); /* our limit is the kernel's */
	return 0;
}

int sf_dm_table(const char *name, struct sf_dm_target *ret, struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;
	struct sf_dm_target target = {0};
	void *next = NULL;
	int rc = ask(DM_DEVICE_TABLE, name, &task, NULL, err);

	if (rc < 0)
		return rc;
	do {
		uint64_t start = 0, length = 0;
		char *type = NULL, *params = NULL;

		next = dm_get_next_target(task, next, &start, &length, &type, &params);
		if (!type)
			break;
		target.size_bytes += length * SECTOR_BYTES;
		if (target.ntargets++ > 0)
			continue;
		(void)snprintf(target.type, sizeof(target.type), "%s", type); /* DM_MAX_TYPE_NAME is 16 */
		if (params && strlen(params) < sizeof(target.params))
			(void)snprintf(target.params, sizeof(target.params), "%s", params);
	} while (next);
	if (target.ntargets == 0)
		return sf_fail(err, -ENODATA, "device %s has no table", name);
	*ret = target;
	return 0;
}

/* Gets table and status of a device with one target, of either of two types. *ret_task owns *ret_status. */
static int ask_target_once(const char *name, const char *const types[2], struct sf_dm_target *ret_table,
			   struct dm_task **ret_task, const char **ret_status, struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;
	uint64_t start = 0, length = 0;
	char *type = NULL, *status = NULL;
	struct sf_dm_target table;
	int rc = sf_dm_table(name, &table, err);

	if (rc < 0)
		return rc;
	if (table.ntargets != 1 || (strcmp(table.type, types[0]) != 0 && strcmp(table.type, types[1]) != 0))
		return sf_fail(err, -EINVAL, "device %s has the type %s, not %s", name, table.type, types[0]);
	rc = ask(DM_DEVICE_STATUS, name, &task, NULL, err);
	if (rc < 0)
		return rc;
	(void)dm_get_next_target(task, NULL, &start, &length, &type, &status);
	if (!type || !status || strcmp(type, table.type) != 0)
		return sf_fail(err, -EAGAIN, "device %s changed its table during the query", name);
	*ret_table = table;
	*ret_status = status;
	*ret_task = sf_take_ptr(&task);
	return 0;
}

static int ask_target(const char *name, const char *const types[2], struct sf_dm_target *ret_table,
		      struct dm_task **ret_task, const char **ret_status, struct sf_err *err)
{
	int rc = -EAGAIN;

	for (int i = 0; i < TRIES && rc == -EAGAIN; i++)
		rc = ask_target_once(name, types, ret_table, ret_task, ret_status, err);
	return rc;
}

int sf_dm_thin(const char *name, struct sf_dm_thin *ret, struct sf_err *err)
{
	static const char *const types[2] = {"thin", "thin"};
	auto_task struct dm_task *task = NULL;
	struct sf_dm_target table;
	const char *status;
	int rc = ask_target(name, types, &table, &task, &status, err);

	if (rc < 0)
		return rc;
	rc = sf_dm_read_thin(table.params, status, ret, err);
	return rc < 0 ? sf_wrap(err, rc, "device %s", name) : 0;
}

int sf_dm_pool(const char *name, struct sf_dm_pool *ret, struct sf_err *err)
{
	static const char *const types[2] = {"thin-pool", "thin-pool"};
	auto_task struct dm_task *task = NULL;
	struct sf_dm_target table;
	const char *status;
	int rc = ask_target(name, types, &table, &task, &status, err);

	if (rc < 0)
		return rc;
	rc = sf_dm_read_pool(table.params, status, ret, err);
	return rc < 0 ? sf_wrap(err, rc, "device %s", name) : 0;
}

int sf_dm_snapshot(const char *name, struct sf_dm_snapshot *ret, struct sf_err *err)
{
	static const char *const types[2] = {"snapshot", "snapshot-merge"};
	auto_task struct dm_task *task = NULL;
	struct sf_dm_target table;
	const char *status;
	int rc = ask_target(name, types, &table, &task, &status, err);

	if (rc < 0)
		return rc;
	rc = sf_dm_read_snapshot(table.params, status, ret, err);
	return rc < 0 ? sf_wrap(err, rc, "device %s", name) : 0;
}

/* --- the two messages --- */

static int send_message(const char *name, const char *message, struct sf_err *err)
{
	auto_task struct dm_task *task = NULL;
	int rc = new_task(DM_DEVICE_TARGET_MSG, name, &task, err);

	if (rc == 0 && (!dm_task_set_sector(task, 0) || !dm_task_set_message(task, message)))
		rc = sf_fail(err, -ENOMEM, "device %s: out of memory", name);
	if (rc == 0)
		rc = run_task(task, name, NULL, err);
	return rc < 0 ? sf_wrap(err, rc, "%s", message) : 0;
}

int sf_dm_reserve_metadata_snap(const char *name, struct sf_err *err)
{
	return send_message(name, "reserve_metadata_snap", err);
}

int sf_dm_release_metadata_snap(const char *name, struct sf_err *err)
{
	return send_message(name, "release_metadata_snap", err);
}

/* --- events --- */

/* From now on an event makes the descriptor readable (dev_arm_poll() of linux/drivers/md/dm-ioctl.c). */
static int arm(int fd, struct sf_err *err)
{
	struct dm_ioctl request = {.version = {DM_VERSION_MAJOR, 0, 0}, .data_size = sizeof(request)};

	if (ioctl(fd, DM_DEV_ARM_POLL, &request) == 0)
		return 0;
	if (errno == ENOTTY)
		return sf_fail(err, -EOPNOTSUPP, "this kernel's device-mapper does not report events");
	return sf_fail(err, -errno, "wait for device-mapper's events: %s", strerror(errno));
}

int sf_dm_events_open(struct sf_dm_events *ret, struct sf_err *err)
{
	char path[PATH_MAX];
	auto_fd int fd = -1;
	int rc = ready(err); /* creates the device node if it is missing */

	if (rc == 0)
		rc = control_path(path, err);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return sf_fail(err, -errno, "open %s: %s", path, strerror(errno));
	rc = arm(fd, err); /* a new descriptor is armed already; this checks that the kernel supports it */
	if (rc < 0)
		return rc;
	ret->fd = sf_take_fd(&fd);
	return 0;
}

void sf_dm_events_close(struct sf_dm_events *events)
{
	if (!events)
		return;
	sf_cleanup_fd(&events->fd);
	events->fd = -1;
}

static int time_left(uint64_t began_ms, int timeout_ms)
{
	uint64_t passed = sf_clock_mono_ms() - began_ms;

	if (timeout_ms < 0)
		return -1;
	return passed < (uint64_t)timeout_ms ? timeout_ms - (int)passed : 0;
}

/* Rearms before the caller looks, so that an event meanwhile ends the next wait at once. */
int sf_dm_events_wait(struct sf_dm_events *events, int wake_fd, int timeout_ms, struct sf_err *err)
{
	struct pollfd fds[] = {{.fd = events->fd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
	uint64_t began_ms = sf_clock_mono_ms();
	int n, rc;

	do
		n = poll(fds, 2, time_left(began_ms, timeout_ms));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return sf_fail(err, -errno, "wait for device-mapper's events: %s", strerror(errno));
	if (n == 0 || fds[1].revents)
		return 0;
	if (!(fds[0].revents & POLLIN))
		return sf_fail(err, -EIO, "wait for device-mapper's events: the control device is gone");
	rc = arm(events->fd, err);
	return rc < 0 ? rc : 1;
}

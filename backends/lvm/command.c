/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/proc.h"
#include "instance.h"
#include "run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FILE "lvm.lock"
/* lvs of a VG with ten thousand LVs prints about 6 MiB. */
#define SAID_MAX ((size_t)64 * 1024 * 1024)
/* Interval of attempts at the lock, which another process holds for the length of a command. */
#define LOCK_POLL_MS 10
/* Most of a command's own message that is copied into an error text. */
#define MESSAGE 480

static uint64_t left_ms(uint64_t until_ms)
{
	uint64_t now = sf_clock_mono_ms();

	return now < until_ms ? until_ms - now : 0;
}

/* Reaps the commands that exceeded their deadline and have ended since. */
static void reap_late(struct sf_lvm *lvm)
{
	int status;

	for (size_t i = 0; i < SF_LVM_LATE; i++)
		if (lvm->late[i].pid > 0 && sf_proc_wait(&lvm->late[i], 0, &status, NULL) == 0)
			sf_log(SF_LOG_WARNING, "an LVM command has ended after its deadline, with status %d",
			       status);
}

static void keep_late(struct sf_lvm *lvm, struct sf_proc *proc)
{
	for (size_t i = 0; i < SF_LVM_LATE; i++) {
		if (lvm->late[i].pid == 0) {
			lvm->late[i] = *proc;
			return;
		}
	}
	sf_proc_drop(proc);
}

static int take_turn(struct sf_lvm *lvm, uint64_t until_ms, struct sf_err *err)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);
	const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
				       .tv_nsec = (long)(until_ms % 1000) * 1000000};
	int rc = 0;

	while (lvm->running && rc == 0)
		rc = pthread_cond_timedwait(&lvm->idle, &lvm->lock, &until);
	if (lvm->running)
		return sf_fail(err, -ETIMEDOUT, "waited for another LVM command until the deadline");
	lvm->running = true;
	return 0;
}

static void end_turn(struct sf_lvm *lvm)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&lvm->lock);

	lvm->running = false;
	pthread_cond_broadcast(&lvm->idle);
}

/*
 * The file is the lock, and receives the command's output. Each command gets its own open file description:
 * the child's copy keeps the lock after ours is closed.
 */
static int lock_host(struct sf_lvm *lvm, uint64_t until_ms, struct sf_err *err)
{
	auto_fd int fd = sf_lvm_open_run_file(lvm, LOCK_FILE, O_RDWR | O_APPEND, err);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return sf_fail(err, -errno, "lock " LOCK_FILE ": %s", strerror(errno));
		if (left_ms(until_ms) == 0)
			return sf_fail(err, -ETIMEDOUT,
				       "an earlier LVM command is still running at the deadline");
		(void)poll(NULL, 0, LOCK_POLL_MS);
	}
	if (ftruncate(fd, 0) < 0)
		return sf_fail(err, -errno, "empty " LOCK_FILE ": %s", strerror(errno));
	return sf_take_fd(&fd);
}

/* Matches "Volume group "NAME" not found", and no other "not found". */
static bool lacks_vg(const char *said)
{
	static const char begin[] = "Volume group \"";

	while ((said = strstr(said, begin))) {
		said += strlen(begin);
		said += strcspn(said, "\"");
		if (strncmp(said, "\" not found", 11) == 0)
			return true;
	}
	return false;
}

/* Maps LVM's messages (sources of lvm2 and libdevmapper, LC_ALL=C) to an errno, the most specific first. */
static int sense_of(const char *said)
{
	static const struct {
		const char *words;
		int rc;
	} senses[] = {
		{"nsufficient free space", -ENOSPC},
		{"nsufficient free extents", -ENOSPC},
		{"nsufficient suitable", -ENOSPC},
		{"nsufficient free metadata", -ENOSPC},
		{"reached threshold", -ENOSPC},
		{"is out of data space", -ENOSPC},
		{"Free space in pool", -ENOSPC},
		{"already exists in volume group", -EEXIST},
		{"Failed to find logical volume", -ENOENT},
		{"not found in volume group", -ENOENT},
		{"not found in Volume group", -ENOENT},
		{"is exported", -EPERM},
		{"activation filter", -EPERM},
		{"in use", -EBUSY},
		{"is used by another", -EBUSY},
		{"Can't get lock", -EBUSY},
	};

	if (lacks_vg(said))
		return -ENODEV;
	for (size_t i = 0; i < sizeof(senses) / sizeof(senses[0]); i++)
		if (strstr(said, senses[i].words))
			return senses[i].rc;
	return -EIO; /* for example "Cannot change VG … while PVs are missing" */
}

/* The errno comes from the whole text without warnings: they are about other things than the failure. */
static int tell_failure(const char *name, const char *complaint, size_t len, struct sf_err *err)
{
	auto_free char *whole = malloc(2 * len + 4); /* a newline becomes two characters */
	char message[MESSAGE];

	if (!whole)
		return sf_fail(err, -ENOMEM, "%s failed: out of memory", name);
	sf_proc_message(complaint, whole, 2 * len + 4);
	sf_proc_message(complaint, message, sizeof(message));
	return sf_fail(err, sense_of(whole), "%s: %s", name, *message ? message : "failed without a message");
}

static int finish(struct sf_proc *proc, int out, int said_fd, const char *name, uint64_t until_ms,
		  char **ret_said, struct sf_err *err)
{
	auto_free char *complaint = NULL, *said = NULL;
	int status, rc = sf_proc_wait(proc, left_ms(until_ms), &status, err);
	size_t complaint_len, len;

	if (rc < 0)
		return sf_wrap(err, rc, "%s", name);
	rc = sf_proc_read(said_fd, SAID_MAX, &complaint, &complaint_len, err);
	if (rc == 0)
		rc = sf_proc_read(out, SAID_MAX, &said, &len, err);
	if (rc < 0)
		return sf_wrap(err, rc, "%s", name);
	if (status != 0)
		return tell_failure(name, complaint, complaint_len, err);
	if (*complaint)
		sf_log(SF_LOG_DEBUG, "%s: %s", name, complaint);
	if (ret_said)
		*ret_said = sf_take_ptr(&said);
	return 0;
}

static int start(struct sf_lvm *lvm, const char *const *argv, int out, int complaint, struct sf_proc *ret,
		 struct sf_err *err)
{
	const char *args[SF_LVM_ARGS_MAX + 2] = {lvm->program};
	const char *env[4] = {NULL}, *dir = getenv("LVM_SYSTEM_DIR");
	const struct sf_proc_spec spec = {
		.argv = args, .extra_env = env, .stdout_fd = out, .stderr_fd = complaint};
	char system_dir[512];
	size_t n = 0;

	for (; argv[n]; n++) {
		if (n == SF_LVM_ARGS_MAX)
			return sf_fail(err, -E2BIG, "more than %d arguments", SF_LVM_ARGS_MAX);
		args[n + 1] = argv[n];
	}
	n = 0;
	if (dir &&
	    snprintf(system_dir, sizeof(system_dir), "LVM_SYSTEM_DIR=%s", dir) < (int)sizeof(system_dir))
		env[n++] = system_dir;
	/* Without udev, nothing answers the cookies that LVM waits for (lvm2 issue 70). */
	if (access("/run/udev/control", F_OK) < 0)
		env[n++] = "DM_DISABLE_UDEV=1";
	return sf_proc_start(&spec, ret, err);
}

static int run_locked(struct sf_lvm *lvm, const char *const *argv, uint64_t until_ms, char **ret_said,
		      struct sf_err *err)
{
	auto_fd int out = lock_host(lvm, until_ms, err);
	auto_fd int complaint = out < 0 ? out : sf_proc_memfd("lvm-stderr", err);
	struct sf_proc proc;
	int rc;

	if (complaint < 0)
		return complaint;
	rc = start(lvm, argv, out, complaint, &proc, err);
	if (rc < 0) /* a missing program must not pass for a missing LV */
		return sf_wrap(err, rc == -ENOENT ? -EIO : rc, "%s", argv[0]);
	rc = finish(&proc, out, complaint, argv[0], until_ms, ret_said, err);
	if (rc < 0 && proc.pid > 0) {
		sf_log(SF_LOG_WARNING, "%s (process %d) is still running at its deadline; it continues",
		       argv[0], (int)proc.pid);
		keep_late(lvm, &proc);
	}
	return rc;
}

int sf_lvm_run(struct sf_lvm *lvm, const char *vg, const char *const *argv, char **ret_said,
	       struct sf_err *err)
{
	uint64_t until_ms = sf_clock_mono_ms() + lvm->config->deadline_ms;
	int rc = take_turn(lvm, until_ms, err);

	if (rc < 0)
		return sf_wrap(err, rc, "%s in VG %s", argv[0], vg);
	reap_late(lvm);
	rc = run_locked(lvm, argv, until_ms, ret_said, err);
	if (strcmp(argv[0], "lvs") != 0 && strcmp(argv[0], "lvmconfig") != 0)
		sf_lvm_changed(lvm, vg);
	end_turn(lvm);
	return rc < 0 ? sf_wrap(err, rc, "VG %s", vg) : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "act.h"

#include "interrupt.h"
#include "mount.h"

#include "tools/snapfsctl/show/progress.h"
#include "tools/snapfsctl/show/say.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* How often jobs.json is read while a call is in flight. */
#define LOOK_MS 200

/* --- the worker thread --- */

struct act {
	const struct sf_mount *mount;
	bool quiet;            /* no progress */
	const char *operation; /* its name in jobs.json */
	char vm[SF_NAME_MAX + 1], path[SF_SNAP_PATH], file[SF_SNAP_PATH + 32], to[SF_SNAP_PATH];
	const struct sf_snap *snap; /* the snapshot that the call acts on */
	const char *name; /* create: the requested name if the request has nothing else; NULL otherwise */
	const char *attribute, *text;
	int (*call)(struct act *act); /* 0 or -errno; may fill err */
	struct sf_err err;            /* its text is empty unless the call knows more than an errno */
	char answer[8192];            /* what the call read back */
	int rc;
	int done; /* an eventfd */
};

static void *work(void *arg)
{
	struct act *act = arg;
	uint64_t one = 1;

	act->rc = act->call(act);
	(void)write(act->done, &one, sizeof(one)); /* cannot fail on an eventfd */
	return NULL;
}

/* Signals to the process go to the thread that waits for the worker; it passes interrupts on. */
static int start(struct act *act, pthread_t *ret)
{
	sigset_t before;
	int rc;

	sf_interrupt_block_others(&before);
	rc = pthread_create(ret, NULL, work, act);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

/* Shows the progress of our job if the tree reports it. */
static void look(const struct act *act, struct sf_progress *progress)
{
	auto_json json_t *jobs = NULL;
	const json_t *job;
	size_t i;

	if (progress->quiet || sf_report_load(act->mount, "jobs.json", &jobs, NULL) < 0)
		return;
	json_array_foreach(json_object_get(jobs, "jobs"), i, job)
	{
		const char *vm = json_string_value(json_object_get(job, "vm")),
			   *operation = json_string_value(json_object_get(job, "operation")),
			   *state = json_string_value(json_object_get(job, "state"));
		uint64_t done, total;

		if (!vm || !operation || !state || strcmp(vm, act->vm) != 0 ||
		    strcmp(operation, act->operation) != 0 || strcmp(state, "running") != 0)
			continue;
		if (sf_json_u64(job, "done_bytes", &done, NULL) == 0 &&
		    sf_json_u64(job, "total_bytes", &total, NULL) == 0)
			sf_progress_show(progress, done, total);
		return;
	}
}

static void wait_for(struct act *act, pthread_t worker, struct sf_progress *progress)
{
	struct pollfd ready = {.fd = act->done, .events = POLLIN};
	bool told = false;

	while (poll(&ready, 1, LOOK_MS) <= 0) {
		if (!sf_interrupted()) {
			look(act, progress);
			continue;
		}
		if (!told) {
			sf_progress_end(progress);
			sf_ctl_say(strcmp(act->operation, "create") == 0 ||
						   strcmp(act->operation, "revert") == 0
					   ? "cancelling; the operation is undone"
					   : "interrupted; the operation completes first");
			told = true;
		}
		sf_interrupt_pass_on(worker); /* repeated, as one may come before the call blocks */
	}
	(void)pthread_join(worker, NULL);
	sf_progress_end(progress);
}

/* Splits a line of last-error, "TIME ERRNO text", into its parts in place. */
static bool split_last_error(char *line, uint64_t *ret_when, char **ret_code, char **ret_text)
{
	char *space = strchr(line, ' ');

	if (!space)
		return false;
	*space = '\0';
	*ret_code = space + 1;
	space = strchr(*ret_code, ' ');
	if (!space || sf_time_parse(line, ret_when) < 0)
		return false;
	*space = '\0';
	*ret_text = space + 1;
	(*ret_text)[strcspn(*ret_text, "\n")] = '\0';
	return true;
}

/*
 * Adds the daemon's own text for the failure: the line in last-error, if it is younger than the call, has the
 * same errno and names the same path. Another user's failure may have replaced it; then the text is the
 * errno's.
 */
static void explain(const struct act *act, uint64_t began_ns, int rc, struct sf_err *err)
{
	auto_free char *line = NULL;
	char *code, *text;
	uint64_t when;

	if (sf_mount_read(act->mount, ".snapfs/last-error", &line, NULL, NULL) == 0 &&
	    split_last_error(line, &when, &code, &text) && when >= began_ns &&
	    strcmp(code, sf_errno_name(rc)) == 0 && strstr(text, act->path))
		(void)sf_fail(err, rc, "%s", text);
	else
		(void)sf_fail(err, rc, "%s %s: %s", act->operation, act->path, strerror(-rc));
}

/* Runs a prepared call; on failure err is complete. */
static int run(struct act *act, struct sf_err *err)
{
	auto_fd int done = eventfd(0, EFD_CLOEXEC);
	uint64_t began_ns = sf_clock_real_ns();
	char what[SF_SNAP_PATH + 32];
	struct sf_progress progress;
	pthread_t worker;
	int rc;

	act->done = done;
	(void)snprintf(what, sizeof(what), "%s %s", act->operation, act->path);
	sf_interrupt_catch();
	if (done < 0 || (rc = start(act, &worker)) < 0)
		return sf_fail(err, -ENOMEM, "%s: cannot start a thread", what);
	sf_progress_begin(&progress, what, act->quiet);
	wait_for(act, worker, &progress);
	if (act->rc == 0)
		return 0;
	if (*act->err.text && err)
		*err = act->err;
	else
		explain(act, began_ns, act->rc, err);
	return act->rc;
}

/* --- the calls --- */

/* Writes act->text to act->file and reads the answer back. */
static int call_write(struct act *act)
{
	auto_fd int fd = openat(act->mount->fd, act->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	size_t len = strlen(act->text);
	ssize_t n;

	/* Only root may open .create; a group that may take snapshots uses mkdir. */
	if (fd < 0 && errno == EACCES && act->name)
		return mkdirat(act->mount->fd, act->path, 0700) < 0 ? -errno : 0;
	if (fd < 0)
		return -errno;
	n = write(fd, act->text, len);
	if (n != (ssize_t)len)
		act->rc = n < 0 ? -errno : -EIO;
	n = read(fd, act->answer, sizeof(act->answer) - 1);
	act->answer[n > 0 ? n : 0] = '\0';
	return act->rc;
}

/*
 * Opens the snapshot's directory, so that a rename meanwhile does no harm. -ESTALE if it is not the snapshot
 * that was loaded.
 */
static int open_snapshot(struct act *act)
{
	auto_fd int dir = openat(act->mount->fd, act->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct sf_mount below = {.fd = dir};
	auto_free char *text = NULL;
	auto_json json_t *meta = NULL;
	const char *uuid, *wanted = json_string_value(json_object_get(act->snap->meta, "uuid"));
	size_t len;
	int rc;

	if (dir < 0)
		return -errno;
	if ((rc = sf_mount_read(&below, "meta.json", &text, &len, NULL)) < 0)
		return rc;
	meta = sf_json_parse_object(text, len, "meta.json", NULL);
	uuid = json_string_value(json_object_get(meta, "uuid"));
	if (!uuid || !wanted || strcmp(uuid, wanted) != 0)
		return sf_fail(&act->err, -ESTALE, "%s %s: another snapshot has this name now",
			       act->operation, act->path);
	return sf_take_fd(&dir);
}

/* Writes act->text to a control file of the snapshot. */
static int call_word(struct act *act)
{
	auto_fd int dir = open_snapshot(act);
	auto_fd int fd = -1;
	ssize_t n;

	if (dir < 0)
		return dir;
	fd = openat(dir, act->file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = write(fd, act->text, strlen(act->text));
	return n == (ssize_t)strlen(act->text) ? 0 : n < 0 ? -errno : -EIO;
}

/*
 * Waits until the kernel has noticed that the name is gone, so that the caller's next look does not find it.
 * The daemon removed it without the kernel's help, so the kernel learns of it a moment later, or when its
 * cached entry expires. A new snapshot may have the name by then.
 */
static void await_gone(const struct act *act)
{
	struct timespec step = {.tv_nsec = 10 * 1000 * 1000};
	struct stat before, now;

	for (int i = 0; i < 300 && fstatat(act->mount->fd, act->path, &now, AT_SYMLINK_NOFOLLOW) == 0; i++) {
		if (i == 0)
			before = now;
		if (now.st_ino != before.st_ino)
			return;
		(void)nanosleep(&step, NULL);
	}
}

/* Only root may open control files; a group that may delete snapshots uses rmdir. */
static int call_delete(struct act *act)
{
	int rc = call_word(act);

	if (rc == 0)
		await_gone(act);
	if (rc != -EACCES || strcmp(act->text, "yes") != 0)
		return rc;
	return unlinkat(act->mount->fd, act->path, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int call_rename(struct act *act)
{
	return renameat2(act->mount->fd, act->path, act->mount->fd, act->to, RENAME_NOREPLACE) < 0 ? -errno
												   : 0;
}

static int call_attribute(struct act *act)
{
	auto_fd int fd = openat(act->mount->fd, act->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (act->text)
		return fsetxattr(fd, act->attribute, act->text, strlen(act->text), 0) < 0 ? -errno : 0;
	return fremovexattr(fd, act->attribute) < 0 && errno != ENODATA ? -errno : 0;
}

static void name_act(struct act *act, const char *vm, const char *name)
{
	(void)snprintf(act->vm, sizeof(act->vm), "%s", vm);
	(void)snprintf(act->path, sizeof(act->path), "%s/%s", vm, name);
}

/* Takes the answer of .create: the name, or the daemon's error. */
static int take_outcome(struct act *act, int rc, char *name, char *note, size_t note_size, struct sf_err *err)
{
	auto_json json_t *answer = sf_json_parse_object(act->answer, strlen(act->answer), ".create", NULL);
	const char *text;

	if (rc < 0) {
		text = json_string_value(json_object_get(answer, "error"));
		return text ? sf_fail(err, rc, "create %s: %s", act->path, text) : rc;
	}
	text = json_string_value(json_object_get(answer, "name"));
	if (!text)
		text = act->name;
	if (!text)
		return sf_fail(
			err, -EPROTO,
			"create in VM '%s': the snapshot was taken, but its name could not be read back",
			act->vm);
	(void)snprintf(name, SF_NAME_MAX + 1, "%s", text);
	text = json_string_value(json_object_get(answer, "note"));
	(void)snprintf(note, note_size, "%s", text ? text : "");
	return 0;
}

int sf_act_create(const struct sf_mount *mount, bool quiet, const char *vm, const json_t *request,
		  char ret_name[static SF_NAME_MAX + 1], char *ret_note, size_t note_size, struct sf_err *err)
{
	auto_free char *text = json_dumps(request, JSON_COMPACT);
	struct act act = {
		.mount = mount, .quiet = quiet, .operation = "create", .text = text, .call = call_write};
	const char *name = json_string_value(json_object_get(request, "name"));

	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	act.name = json_object_size(request) == 1 ? name : NULL;
	name_act(&act, vm, name ? name : "");
	(void)snprintf(act.file, sizeof(act.file), "%s/.create", vm);
	return take_outcome(&act, run(&act, err), ret_name, ret_note, note_size, err);
}

int sf_act_delete(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *words,
		  struct sf_err *err)
{
	struct act act = {.mount = mount,
			  .quiet = quiet,
			  .operation = "delete",
			  .snap = snap,
			  .file = ".delete",
			  .text = words,
			  .call = call_delete};

	name_act(&act, snap->vm, snap->name);
	return run(&act, err);
}

int sf_act_revert(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *words,
		  struct sf_err *err)
{
	struct act act = {.mount = mount,
			  .quiet = quiet,
			  .operation = "revert",
			  .snap = snap,
			  .file = "revert",
			  .text = words,
			  .call = call_word};

	name_act(&act, snap->vm, snap->name);
	return run(&act, err);
}

int sf_act_manifest(const struct sf_mount *mount, bool quiet, const struct sf_snap *snap, const char *text,
		    struct sf_err *err)
{
	struct act act = {.mount = mount,
			  .quiet = quiet,
			  .operation = "edit",
			  .snap = snap,
			  .file = ".manifest",
			  .text = text,
			  .call = call_word};

	name_act(&act, snap->vm, snap->name);
	return run(&act, err);
}

int sf_act_rename(const struct sf_mount *mount, bool quiet, const char *vm, const char *name,
		  const char *new_name, struct sf_err *err)
{
	struct act act = {.mount = mount, .quiet = quiet, .operation = "rename", .call = call_rename};

	name_act(&act, vm, name);
	(void)snprintf(act.to, sizeof(act.to), "%s/%s", vm, new_name);
	return run(&act, err);
}

int sf_act_attribute(const struct sf_mount *mount, bool quiet, const char *vm, const char *name,
		     const char *attribute, const char *value, struct sf_err *err)
{
	struct act act = {.mount = mount,
			  .quiet = quiet,
			  .operation = "edit",
			  .attribute = attribute,
			  .text = value,
			  .call = call_attribute};

	name_act(&act, vm, name);
	return run(&act, err);
}

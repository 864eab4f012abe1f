/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "act.h"

#include "progress.h"

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
#include <unistd.h>

/* How often jobs.json is looked at while a call is under way. */
#define LOOK_MS 200

/* --- interrupts --- */

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal)
{
	(void)signal;
	if (++interrupts > 1)
		_exit(SF_EXIT_FAILED);
}

static void on_wake(int signal)
{
	(void)signal; /* its arrival is what interrupts the call */
}

void sf_act_catch_interrupts(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction interrupt = {.sa_handler = on_interrupt}, wake = {.sa_handler = on_wake};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		(void)sigaction(signals[i], &interrupt, NULL); /* these exist */
	(void)sigaction(SIGUSR1, &wake, NULL);
}

bool sf_act_interrupted(void)
{
	return interrupts > 0;
}

/* --- a call in its thread --- */

struct act {
	const struct sf_mount *mount;
	const char *operation; /* as jobs.json calls it */
	char vm[SF_NAME_MAX + 1], path[SF_SNAP_PATH], file[SF_SNAP_PATH + 32], to[SF_SNAP_PATH];
	const char *attribute, *text;
	int (*call)(struct act *act); /* 0 or -errno; may fill err */
	struct sf_err err;            /* its text is empty unless the call knows more than an errno */
	char answer[8192];            /* what was read back */
	int rc;
	int done; /* an eventfd */
};

static void *work(void *arg)
{
	struct act *act = arg;
	uint64_t one = 1;

	act->rc = act->call(act);
	(void)write(act->done, &one, sizeof(one)); /* an eventfd takes it */
	return NULL;
}

/* Only SIGUSR1 is for the worker; everything else wakes the thread that waits for it. */
static int start(struct act *act, pthread_t *ret)
{
	sigset_t all, before;
	int rc;

	(void)sigfillset(&all);
	(void)sigdelset(&all, SIGUSR1);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(ret, NULL, work, act);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -rc;
}

/* The progress of our job, as far as the tree tells it. */
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
		if (!sf_act_interrupted()) {
			look(act, progress);
			continue;
		}
		if (!told) {
			sf_progress_end(progress);
			sf_ctl_say("cancelling; what was begun is undone (once more to leave at once)");
			told = true;
		}
		(void)pthread_kill(worker, SIGUSR1); /* again and again: the first may have come too early */
	}
	(void)pthread_join(worker, NULL);
	sf_progress_end(progress);
}

/*
 * The daemon's own text about the failure that has just been: "TIME ERRNO text" in last-error, if it is younger than the call
 * and of the same errno.
 */
static void explain(const struct act *act, uint64_t began_ns, int rc, struct sf_err *err)
{
	auto_free char *text = NULL;
	uint64_t when;
	char *space, *code;

	if (sf_mount_read(act->mount, ".snapfs/last-error", &text, NULL, NULL) == 0 &&
	    (space = strchr(text, ' '))) {
		*space = '\0';
		code = space + 1;
		space = strchr(code, ' ');
		if (space) {
			*space = '\0';
			space[1 + strcspn(space + 1, "\n")] = '\0';
			if (sf_time_parse(text, &when) == 0 && when >= began_ns &&
			    strcmp(code, sf_errno_name(rc)) == 0) {
				(void)sf_fail(err, rc, "%s", space + 1);
				return;
			}
		}
	}
	(void)sf_fail(err, rc, "%s %s: %s", act->operation, act->path, strerror(-rc));
}

/* Runs a call that was filled in; its errors are complete. */
static int run(struct sf_ctl *ctl, struct act *act, struct sf_err *err)
{
	auto_fd int done = eventfd(0, EFD_CLOEXEC);
	uint64_t began_ns = sf_clock_real_ns();
	char what[SF_SNAP_PATH + 32];
	struct sf_progress progress;
	pthread_t worker;
	int rc;

	act->mount = &ctl->mount;
	act->done = done;
	(void)snprintf(what, sizeof(what), "%s %s", act->operation, act->path);
	sf_mount_watchdog(&ctl->mount, false);
	sf_act_catch_interrupts();
	if (done < 0 || (rc = start(act, &worker)) < 0)
		return sf_fail(err, -ENOMEM, "%s: no thread for it", what);
	sf_progress_begin(&progress, what, ctl->json);
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

/* One write of act->text into act->file, and what can be read back of it from there. */
static int call_write(struct act *act)
{
	auto_fd int fd = openat(act->mount->fd, act->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	size_t len = strlen(act->text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, act->text, len);
	if (n != (ssize_t)len)
		act->rc = n < 0 ? -errno : -EIO;
	n = read(fd, act->answer, sizeof(act->answer) - 1);
	act->answer[n > 0 ? n : 0] = '\0';
	return act->rc;
}

static int call_word(struct act *act)
{
	auto_fd int fd = openat(act->mount->fd, act->file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t len = strlen(act->text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, act->text, len);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

static int call_delete(struct act *act)
{
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

/* What .create answered: the name, or the failure in the daemon's words. */
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
		return sf_fail(err, -EPROTO,
			       "create in VM '%s': it was taken, but its name could not be read back",
			       act->vm);
	(void)snprintf(name, SF_NAME_MAX + 1, "%s", text);
	text = json_string_value(json_object_get(answer, "note"));
	(void)snprintf(note, note_size, "%s", text ? text : "");
	return 0;
}

int sf_act_create(struct sf_ctl *ctl, const char *vm, const json_t *request,
		  char ret_name[static SF_NAME_MAX + 1], char *ret_note, size_t note_size, struct sf_err *err)
{
	auto_free char *text = json_dumps(request, JSON_COMPACT);
	struct act act = {.operation = "create", .text = text, .call = call_write};
	const char *name = json_string_value(json_object_get(request, "name"));

	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	name_act(&act, vm, name ? name : "");
	(void)snprintf(act.file, sizeof(act.file), "%s/.create", vm);
	return take_outcome(&act, run(ctl, &act, err), ret_name, ret_note, note_size, err);
}

int sf_act_delete(struct sf_ctl *ctl, const char *vm, const char *name, struct sf_err *err)
{
	struct act act = {.operation = "delete", .call = call_delete};

	name_act(&act, vm, name);
	return run(ctl, &act, err);
}

int sf_act_rename(struct sf_ctl *ctl, const char *vm, const char *name, const char *new_name,
		  struct sf_err *err)
{
	struct act act = {.operation = "rename", .call = call_rename};

	name_act(&act, vm, name);
	(void)snprintf(act.to, sizeof(act.to), "%s/%s", vm, new_name);
	return run(ctl, &act, err);
}

int sf_act_revert(struct sf_ctl *ctl, const char *vm, const char *name, const char *words, struct sf_err *err)
{
	struct act act = {.operation = "revert", .text = words, .call = call_word};

	name_act(&act, vm, name);
	(void)snprintf(act.file, sizeof(act.file), "%s/revert", act.path);
	return run(ctl, &act, err);
}

int sf_act_write(struct sf_ctl *ctl, const char *vm, const char *name, const char *file, const char *text,
		 struct sf_err *err)
{
	struct act act = {.operation = "edit", .text = text, .call = call_word};

	name_act(&act, vm, name);
	(void)snprintf(act.file, sizeof(act.file), "%s/%s", act.path, file);
	return run(ctl, &act, err);
}

int sf_act_attribute(struct sf_ctl *ctl, const char *vm, const char *name, const char *attribute,
		     const char *value, struct sf_err *err)
{
	struct act act = {.operation = "edit", .attribute = attribute, .text = value, .call = call_attribute};

	name_act(&act, vm, name);
	return run(ctl, &act, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#define FUSE_USE_VERSION 312

#include "session.h"

#include "data.h"
#include "ops.h"
#include "reply.h"

#include "core/engine/engine.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include <fuse_lowlevel.h>

/* Wakes the thread that waits in libfuse's loop; used for nothing else. */
#define SIGNAL_WAKE SIGUSR1
#define WAKE_NS     (20 * 1000 * 1000)

struct sf_session {
	struct sf_fs fs;
	struct fuse_session *se;
	bool mounted;
	pthread_t main;
	pthread_t watcher;
	sigset_t signals;
	pthread_mutex_t lock; /* guards loop_ended */
	pthread_cond_t ended;
	bool loop_ended;
};

/* --- options --- */

struct raw_options {
	char *gid;
	char *umask;
	int show_control;
	unsigned max_read;
	char *state;
	char *config;
	char *hypervisor;
	char unknown[64]; /* the first unknown option */
};

#define RAW(text, member)                                                                                    \
	{                                                                                                    \
		text, offsetof(struct raw_options, member), 1                                                \
	}

static const struct fuse_opt known_options[] = {
	RAW("gid=%s", gid),
	RAW("umask=%s", umask),
	RAW("state=%s", state),
	RAW("config=%s", config),
	RAW("max_read=%u", max_read),
	RAW("hypervisor=%s", hypervisor),
	RAW("show_control", show_control),
	FUSE_OPT_END,
};

static bool has_option(const char *const *list, const char *arg)
{
	for (; *list; list++) {
		size_t len = strlen(*list);

		if ((*list)[len - 1] == '=' ? strncmp(arg, *list, len) == 0 : strcmp(arg, *list) == 0)
			return true;
	}
	return false;
}

/*
 * Returns 0 to drop an option that fstab has for mount(8) or systemd, and 1 to pass on an option that libfuse
 * 3.14 or the kernel knows. Unknown options are refused here because libfuse would refuse them only after
 * everything else is open, with a message split over several lines.
 */
static int keep_option(void *data, const char *arg, int key, struct fuse_args *args)
{
	static const char *const dropped[] = {"defaults", "auto",  "noauto", "nofail", "_netdev",  "user",
					      "nouser",   "users", "owner",  "group",  "comment=", NULL};
	static const char *const passed[] = {
		"allow_other",  "allow_root", "auto_unmount", "default_permissions",
		"debug",        "fsname=",    "subtype=",     "ro",
		"rw",           "suid",       "nosuid",       "dev",
		"nodev",        "exec",       "noexec",       "async",
		"sync",         "dirsync",    "atime",        "noatime",
		"nodiratime",   "context=",   "fscontext=",   "defcontext=",
		"rootcontext=", NULL};
	struct raw_options *raw = data;

	(void)args;
	if (key == FUSE_OPT_KEY_OPT && (has_option(dropped, arg) || strncasecmp(arg, "x-", 2) == 0))
		return 0;
	if (key == FUSE_OPT_KEY_OPT && has_option(passed, arg))
		return 1;
	if (!*raw->unknown)
		(void)snprintf(raw->unknown, sizeof(raw->unknown), "%s", arg);
	return 0;
}

static void free_raw(struct raw_options *raw)
{
	free(raw->gid);
	free(raw->umask);
	free(raw->state);
	free(raw->config);
	free(raw->hypervisor);
}

void sf_mount_options_fini(struct sf_mount_options *options)
{
	free(options->state);
	free(options->config);
	free(options->hypervisor);
	if (options->rest)
		fuse_opt_free_args(options->rest);
	free(options->rest);
	memset(options, 0, sizeof(*options));
}

/* Parses a whole number in base, at most max. -EINVAL. */
static int parse_number(const char *text, int base, unsigned long max, unsigned long *ret)
{
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, base);
	if (errno != 0 || *end || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

/* Parses a number or a group's name. -EINVAL. */
static int parse_gid(const char *text, gid_t *ret)
{
	unsigned long n;
	const struct group *group;

	if (parse_number(text, 10, UINT32_MAX - 1, &n) == 0) {
		*ret = (gid_t)n;
		return 0;
	}
	group = getgrnam(text);
	if (!group)
		return -EINVAL;
	*ret = group->gr_gid;
	return 0;
}

static int check_raw(const struct raw_options *raw, struct sf_mount_options *options, struct sf_err *err)
{
	unsigned long mask = 077;

	if (*raw->unknown)
		return sf_fail(err, -EINVAL, "-o %s: unknown mount option", raw->unknown);
	if (raw->gid && parse_gid(raw->gid, &options->gid) < 0)
		return sf_fail(err, -EINVAL, "-o gid=%s: not a group", raw->gid);
	if (raw->umask && parse_number(raw->umask, 8, 0777, &mask) < 0)
		return sf_fail(err, -EINVAL, "-o umask=%s: not an octal number up to 777", raw->umask);
	options->gid_given = raw->gid != NULL;
	options->umask = (mode_t)mask;
	options->show_control = raw->show_control != 0;
	options->max_read = raw->max_read && raw->max_read < SF_FS_MAX_READ ? raw->max_read : SF_FS_MAX_READ;
	return 0;
}

static int collect(const char *const *opts, size_t nopts, struct fuse_args *args)
{
	if (fuse_opt_add_arg(args, "snapfs") < 0)
		return -ENOMEM;
	for (size_t i = 0; i < nopts; i++)
		if (fuse_opt_add_arg(args, "-o") < 0 || fuse_opt_add_arg(args, opts[i]) < 0)
			return -ENOMEM;
	return 0;
}

int sf_mount_options_parse(const char *const *opts, size_t nopts, struct sf_mount_options *ret,
			   struct sf_err *err)
{
	struct sf_mount_options options = {.rest = calloc(1, sizeof(struct fuse_args))};
	struct raw_options raw = {0};
	int rc;

	if (!options.rest || collect(opts, nopts, options.rest) < 0) {
		sf_mount_options_fini(&options);
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	if (fuse_opt_parse(options.rest, &raw, known_options, keep_option) < 0)
		rc = sf_fail(err, -EINVAL, "-o: malformed option");
	else
		rc = check_raw(&raw, &options, err);
	options.state = sf_take_ptr(&raw.state);
	options.config = sf_take_ptr(&raw.config);
	options.hypervisor = sf_take_ptr(&raw.hypervisor);
	free_raw(&raw);
	if (rc < 0)
		sf_mount_options_fini(&options);
	else
		*ret = options;
	return rc;
}

/* --- mounting --- */

__attribute__((format(printf, 2, 0))) static void log_libfuse(enum fuse_log_level level, const char *fmt,
							      va_list args)
{
	char line[512];

	(void)vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	sf_log(level <= FUSE_LOG_WARNING ? SF_LOG_WARNING : SF_LOG_DEBUG, "%s", line);
}

/* Our options come first, so that the user's override them. */
static int add_own_options(struct fuse_args *args, const struct sf_mount_options *options, const char *source)
{
	char text[SF_ERR_TEXT];
	char *list = NULL;
	int rc = 0;

	(void)snprintf(text, sizeof(text), "fsname=%s", source);
	if (fuse_opt_add_opt_escaped(&list, text) < 0)
		return -ENOMEM;
	(void)snprintf(text, sizeof(text), "max_read=%u", options->max_read);
	if (fuse_opt_add_opt(&list, text) < 0 || fuse_opt_add_opt(&list, "default_permissions") < 0 ||
	    fuse_opt_add_opt(&list, "subtype=snapfs") < 0 || fuse_opt_insert_arg(args, 1, "-o") < 0 ||
	    fuse_opt_insert_arg(args, 2, list) < 0)
		rc = -ENOMEM;
	free(list);
	return rc;
}

/*
 * The kernel reads ahead 128 KiB unless the mount's entry in sysfs says more. AT_STATX_DONT_SYNC finds that
 * entry without a request to the file system, which is not served yet. Not fatal: it costs only speed.
 */
static void raise_readahead(const char *mountpoint)
{
	char path[64], text[16];
	struct statx stx;
	int fd = -1;
	int len = snprintf(text, sizeof(text), "%u", SF_FS_READAHEAD / 1024);

	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC, 0, &stx) == 0) {
		(void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", stx.stx_dev_major,
			       stx.stx_dev_minor);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		sf_log(SF_LOG_DEBUG, "cannot raise readahead: %s", strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

static int mount_session(struct sf_session *session, const struct sf_mount_options *options,
			 const char *source, const char *mountpoint, struct sf_err *err)
{
	struct fuse_lowlevel_ops ops = {0};

	sf_ops_fill(&ops);
	sf_ops_write_fill(&ops);
	sf_ops_refuse_fill(&ops);
	sf_ops_xattr_fill(&ops);
	fuse_set_log_func(log_libfuse);
	if (add_own_options(options->rest, options, source) < 0)
		return sf_fail(err, -ENOMEM, "out of memory");
	session->se = fuse_session_new(options->rest, &ops, sizeof(ops), &session->fs);
	if (!session->se)
		return sf_fail(err, -EINVAL, "libfuse refused the mount options");
	session->fs.se = session->se;
	errno = 0;
	if (fuse_session_mount(session->se, mountpoint) < 0)
		return sf_fail(err, errno ? -errno : -EIO, "mount at %s failed", mountpoint);
	session->mounted = true;
	raise_readahead(mountpoint);
	return 0;
}

int sf_session_open(struct sf_engine *engine, const struct sf_mount_options *options, const char *source,
		    const char *mountpoint, struct sf_session **ret, struct sf_err *err)
{
	struct sf_session *session = calloc(1, sizeof(*session));
	struct rlimit files;
	int rc;

	if (!session)
		return sf_fail(err, -ENOMEM, "out of memory");
	session->fs.max_read = options->max_read;
	sf_data_init(&session->fs);
	sf_tasks_init(&session->fs.tasks);
	sf_tasks_init(&session->fs.reads);
	sf_spaces_init(&session->fs.spaces);
	(void)getrlimit(RLIMIT_NOFILE, &files); /* cannot fail */
	sf_quota_init(&session->fs.quota, files.rlim_cur);
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->ended, NULL);
	session->fs.engine = engine;
	session->fs.tree = (struct sf_tree){.catalog = sf_engine_catalog(engine),
					    .started_ns = sf_clock_real_ns(),
					    .gid_given = options->gid_given,
					    .gid = options->gid,
					    .umask = options->umask,
					    .show_control = options->show_control};
	rc = mount_session(session, options, source, mountpoint, err);
	if (rc < 0)
		sf_session_close(session);
	else
		*ret = session;
	return rc;
}

void sf_session_close(struct sf_session *session)
{
	if (!session)
		return;
	if (session->mounted)
		fuse_session_unmount(session->se);
	if (session->se)
		fuse_session_destroy(session->se);
	sf_data_fini(&session->fs);
	sf_quota_fini(&session->fs.quota);
	sf_spaces_fini(&session->fs.spaces);
	sf_tasks_fini(&session->fs.reads);
	sf_tasks_fini(&session->fs.tasks);
	pthread_cond_destroy(&session->ended);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

/* --- running --- */

/* The signals that end the daemon. An ignored one (nohup) stays ignored. */
static void ending_signals(sigset_t *ret)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action;

	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(ret, signals[i]);
}

void sf_session_block_signals(void)
{
	sigset_t signals;

	ending_signals(&signals);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static void wake(int sig)
{
	(void)sig;
}

/* The loop checks the exit flag and then waits; a wake-up in between is lost, so repeat it. */
static void wake_loop(struct sf_session *session)
{
	auto_unlock pthread_mutex_t *held = sf_lock(&session->lock);

	while (!session->loop_ended) {
		struct timespec until;

		pthread_kill(session->main, SIGNAL_WAKE);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WAKE_NS;
		if (until.tv_nsec >= 1000 * 1000 * 1000) {
			until.tv_nsec -= 1000 * 1000 * 1000;
			until.tv_sec++;
		}
		(void)pthread_cond_timedwait(&session->ended, &session->lock, &until); /* may time out */
	}
}

/* Operations are stopped while requests are still served, so that readers do not wait for them. */
static void *watch_signals(void *arg)
{
	struct sf_session *session = arg;
	int sig;

	while (sigwait(&session->signals, &sig) != 0)
		continue;
	sf_tasks_stop(&session->fs.tasks);
	fuse_session_exit(session->se);
	wake_loop(session);
	return NULL;
}

static int start_watcher(struct sf_session *session, struct sf_err *err)
{
	struct sigaction action = {.sa_handler = wake};
	int rc;

	session->main = pthread_self();
	ending_signals(&session->signals);
	sigaction(SIGNAL_WAKE, &action, NULL);
	rc = pthread_create(&session->watcher, NULL, watch_signals, session);
	return rc == 0 ? 0 : sf_fail(err, -rc, "signal thread: %s", strerror(rc));
}

static void stop_watcher(struct sf_session *session)
{
	pthread_mutex_lock(&session->lock);
	session->loop_ended = true;
	pthread_cond_signal(&session->ended);
	pthread_mutex_unlock(&session->lock);
	pthread_kill(session->watcher, SIGTERM);
	pthread_join(session->watcher, NULL);
}

int sf_session_run(struct sf_session *session, struct sf_err *err)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int rc;

	if (!config)
		return sf_fail(err, -ENOMEM, "out of memory");
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, SF_FS_MAX_THREADS);
	rc = start_watcher(session, err);
	if (rc == 0) {
		rc = fuse_session_loop_mt(session->se, config);
		stop_watcher(session);
		sf_tasks_stop(&session->fs.reads);
		if (rc < 0)
			sf_fail(err, rc, "cannot read the kernel's requests: %s", strerror(-rc));
	}
	fuse_loop_cfg_destroy(config);
	return rc < 0 ? rc : 0;
}

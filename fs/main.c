/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The snapfs program: options, wiring, shutdown. The only file that sees both the face and the registry of
 * backends. Exit status: 0 after a normal unmount, 1 after a failure, 2 for a wrong command line.
 */
#include "daemon.h"
#include "notify.h"
#include "options.h"

#include "backends/fault/fault.h"
#include "backends/registry.h"

#include "core/contract/backend.h"
#include "core/config/config.h"
#include "core/engine/engine.h"
#include "core/engine/rescan.h"
#include "core/state/state.h"

#include "face/session.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mounts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE 2
/* Open files, as in snapfs.service (LimitNOFILE). */
#define NFILES 65536

/* What the user asked for. */
struct setup {
	struct sf_options options;
	struct sf_mount_options mount;
	struct sf_config config;
	struct sf_id rescan_id; /* when options.rescan_id is given */
	char *mountpoint;       /* absolute */
};

/* What was opened, in this order. */
struct house {
	struct sf_state *state; /* until the engine owns it */
	struct sf_fault_plan *plan;
	struct sf_storages storages;
	struct sf_hypervisor *hypervisor;
	struct sf_engine *engine;
	struct sf_session *session;
};

static int complain(const struct sf_err *err, int status)
{
	sf_log(SF_LOG_ERROR, "%s", err->text);
	return status;
}

/* --- what the user asked for --- */

static int load_config(struct setup *setup, struct sf_err *err)
{
	const char *named = setup->options.config ? setup->options.config : setup->mount.config;
	int rc = sf_config_load(&setup->config, named ? named : SF_CONFIG_DEFAULT_FILE, err);

	if (rc == -ENOENT && !named)
		return 0;
	return rc < 0 ? sf_wrap(err, rc, "configuration") : 0;
}

/* Replaces the configured text by given, unless that is NULL. */
static int override(char *text, size_t size, const char *given, const char *what, struct sf_err *err)
{
	if (!given)
		return 0;
	if (!*given || strlen(given) >= size)
		return sf_fail(err, -EINVAL, "%s: empty, or longer than %zu bytes", what, size - 1);
	memcpy(text, given, strlen(given) + 1);
	return 0;
}

/* Makes a relative state directory absolute: health.json shows it to programs with another working directory.
 */
static int anchor_state(char path[static SF_ORIGIN_MAX], struct sf_err *err)
{
	auto_free char *cwd = *path == '/' ? NULL : getcwd(NULL, 0), *whole = NULL;

	if (*path == '/')
		return 0;
	if (!cwd)
		return sf_fail(err, -errno, "working directory: %s", strerror(errno));
	if (asprintf(&whole, "%s/%s", cwd, path) < 0) {
		whole = NULL; /* undefined after a failure, see asprintf(3) */
		return sf_fail(err, -ENOMEM, "out of memory");
	}
	return override(path, SF_ORIGIN_MAX, whole, "--state", err);
}

static int apply_options(struct setup *setup, struct sf_err *err)
{
	const struct sf_options *options = &setup->options;
	const char *state = options->state ? options->state : setup->mount.state;
	const char *hypervisor = options->hypervisor ? options->hypervisor : setup->mount.hypervisor;
	struct sf_config *config = &setup->config;
	int rc = override(config->state_dir, sizeof(config->state_dir), state, "--state", err);

	if (rc == 0)
		rc = anchor_state(config->state_dir, err);
	if (rc == 0)
		rc = override(config->hypervisor, sizeof(config->hypervisor), hypervisor, "--hypervisor",
			      err);
	for (size_t i = 0; i < options->nvms && rc == 0; i++)
		rc = sf_config_add_vm(config, options->vms[i], err);
	config->rescan = options->rescan;
	if (rc == 0 && options->rescan_id && sf_id_parse(options->rescan_id, &setup->rescan_id) < 0)
		rc = sf_fail(err, -EINVAL, "--rescan=ID: '%s' is not 32 hex digits", options->rescan_id);
	return rc;
}

struct search {
	dev_t dev;
	bool found;
};

static bool is_ours(const struct sf_mounts_entry *entry, void *arg)
{
	struct search *search = arg;

	search->found = strcmp(entry->type, "fuse.snapfs") == 0 && entry->dev == search->dev;
	return !search->found;
}

/*
 * Refuses a mount point in a mounted snapfs: the new mount would hide its VMs. Best effort: without /proc
 * nothing is checked.
 */
static int check_not_ours(const char *given, dev_t dev, struct sf_err *err)
{
	struct search search = {.dev = dev};

	if (sf_mounts_each(is_ours, &search, NULL) < 0 || !search.found)
		return 0;
	return sf_fail(err, -EBUSY,
		       "mount point %s is inside a mounted snapfs: unmount that first, or choose another "
		       "directory",
		       given);
}

static int find_mountpoint(struct setup *setup, struct sf_err *err)
{
	const char *given = setup->options.mountpoint;
	struct stat st;

	setup->mountpoint = realpath(given, NULL);
	if (!setup->mountpoint || stat(setup->mountpoint, &st) < 0)
		return sf_fail(err, -errno, "mount point %s: %s%s", given, strerror(errno),
			       errno == ENOTCONN ? " (a dead mount: unmount it first)" : "");
	if (!S_ISDIR(st.st_mode))
		return sf_fail(err, -ENOTDIR, "mount point %s is not a directory", given);
	return check_not_ours(given, st.st_dev, err);
}

static void setup_fini(struct setup *setup)
{
	free(setup->mountpoint);
	sf_config_fini(&setup->config);
	sf_mount_options_fini(&setup->mount);
	sf_options_fini(&setup->options);
}

/* --- opening and closing --- */

static int wrap_storages(struct house *house, struct sf_err *err)
{
	for (size_t i = 0; i < house->storages.nstorages; i++) {
		int rc =
			sf_fault_storage(house->plan, house->storages.list[i], &house->storages.list[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int open_backends(struct house *house, const struct setup *setup, struct sf_err *err)
{
	struct sf_backend_env env = {.state_id = sf_state_id(house->state), .config = &setup->config};
	int rc = sf_registry_open_storages(&env, &house->storages, err);

	if (rc == 0 && house->plan)
		rc = wrap_storages(house, err);
	env.storages = &house->storages;
	if (rc == 0)
		rc = sf_registry_open_hypervisor(setup->config.hypervisor, &env, &house->hypervisor, err);
	if (rc == 0 && house->plan)
		rc = sf_fault_hypervisor(house->plan, house->hypervisor, &house->hypervisor, err);
	return rc;
}

static void close_backends(struct house *house)
{
	sf_hypervisor_close(house->hypervisor);
	house->hypervisor = NULL;
	sf_storages_close(&house->storages);
}

static int adopt(struct house *house, const struct sf_id *id, struct sf_err *err)
{
	struct sf_id own = sf_state_id(house->state);
	char text[SF_ID_TEXT];
	int rc = sf_state_adopt(house->state, id, err);

	if (rc < 0)
		return sf_wrap(err, rc, "--rescan");
	sf_id_format(id, text);
	if (!sf_id_equal(&own, id))
		sf_log(SF_LOG_INFO, "the state directory takes over the identity %s", text);
	return 0;
}

/*
 * A new state directory takes over the identity that the volumes carry. Backends are opened for one identity,
 * so they are opened again.
 */
static int find_lost_identity(struct house *house, const struct setup *setup, struct sf_err *err)
{
	struct sf_id id;
	bool blank = false, found = false;
	int rc = sf_state_is_blank(house->state, &blank, err);

	if (rc == 0 && blank)
		rc = sf_rescan_identity(&house->storages, house->hypervisor, &id, &found, err);
	if (rc < 0)
		return sf_wrap(err, rc, "--rescan");
	if (!found)
		return 0;
	rc = adopt(house, &id, err);
	if (rc < 0)
		return rc;
	close_backends(house);
	return open_backends(house, setup, err);
}

static int open_state(struct house *house, const struct setup *setup, struct sf_err *err)
{
	int rc = sf_state_open(setup->config.state_dir, &house->state, err);

	if (rc == 0 && setup->options.rescan_id)
		rc = adopt(house, &setup->rescan_id, err);
	return rc;
}

static int house_open(struct house *house, const struct setup *setup, struct sf_err *err)
{
	const char *source = setup->options.source ? setup->options.source : "snapfs";
	const char *plan = setup->options.fault;
	int rc = open_state(house, setup, err);

	if (rc == 0 && plan)
		rc = sf_fault_plan_new(plan, &house->plan, err);
	if (rc == 0)
		rc = open_backends(house, setup, err);
	if (rc == 0 && setup->options.rescan && !setup->options.rescan_id)
		rc = find_lost_identity(house, setup, err);
	if (rc < 0)
		return rc;
	rc = sf_engine_open(&house->engine, house->state, &setup->config, &house->storages, house->hypervisor,
			    err);
	if (rc < 0)
		return rc;
	house->state = NULL;
	return sf_session_open(house->engine, &setup->mount, source, setup->mountpoint, &house->session, err);
}

static void house_close(struct house *house)
{
	sf_session_close(house->session);
	sf_engine_close(house->engine);
	close_backends(house);
	sf_fault_plan_free(house->plan);
	sf_state_close(house->state);
}

/* --- running --- */

/* Only a manager of a foreground process waits. If it cannot be notified, its own timeout applies. */
static void notify_manager(const struct setup *setup, const char *state, const char *status)
{
	struct sf_err err = {0};

	if (setup->options.foreground && sf_notify(state, status, &err) < 0)
		sf_log(SF_LOG_WARNING, "cannot notify the service manager: %s", err.text);
}

static int get_ready(const struct setup *setup, int ready_fd, struct sf_err *err)
{
	char text[SF_ERR_TEXT];

	if (ready_fd >= 0) {
		int rc = sf_daemon_ready(ready_fd, err);

		if (rc < 0)
			return rc;
	}
	(void)snprintf(text, sizeof(text), "mounted at %s", setup->mountpoint);
	sf_log(SF_LOG_INFO, "%s", text);
	notify_manager(setup, "READY=1", text);
	return 0;
}

/* ready_fd: negative in the foreground. */
static int serve(const struct setup *setup, int ready_fd)
{
	struct house house = {0};
	struct sf_err err = {0};
	int rc;

	notify_manager(setup, "", "recovering unfinished operations");
	rc = house_open(&house, setup, &err);
	if (rc == 0)
		rc = get_ready(setup, ready_fd, &err);
	if (rc == 0) {
		rc = sf_session_run(house.session, &err);
		notify_manager(setup, "STOPPING=1", "unmounting");
	}
	if (rc < 0)
		complain(&err, EXIT_FAILURE);
	house_close(&house);
	if (rc == 0)
		sf_log(SF_LOG_INFO, "unmounted");
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Open images need most of the descriptors. A higher limit would slow down child processes that close every
 * possible descriptor.
 */
static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= NFILES)
		return;
	files.rlim_cur = files.rlim_max < NFILES ? files.rlim_max : NFILES;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* up to the hard limit this cannot fail */
}

static int run(struct setup *setup)
{
	struct sf_err err = {0};
	int ready_fd = -1, status, rc;

	if (geteuid() != 0) {
		sf_fail(&err, -EPERM, "must be run by root");
		return complain(&err, EXIT_FAILURE);
	}
	if (load_config(setup, &err) < 0 || find_mountpoint(setup, &err) < 0)
		return complain(&err, EXIT_FAILURE);
	if (apply_options(setup, &err) < 0)
		return complain(&err, EXIT_USAGE);
	umask(077);
	raise_files();
	(void)signal(SIGPIPE, SIG_IGN);
	if (!setup->options.foreground) {
		rc = sf_daemon_fork(&ready_fd, &status, &err);
		if (rc != 0)
			return rc < 0 ? complain(&err, EXIT_FAILURE) : status;
	}
	sf_session_block_signals();
	return serve(setup, ready_fd);
}

int main(int argc, char **argv)
{
	struct setup setup = {0};
	struct sf_err err = {0};
	int status = EXIT_SUCCESS;

	sf_log_init(false);
	sf_config_init(&setup.config);
	if (sf_options_parse(argc, argv, &setup.options, &err) < 0 ||
	    sf_mount_options_parse(setup.options.mount_options, setup.options.nmount_options, &setup.mount,
				   &err) < 0)
		status = complain(&err, EXIT_USAGE);
	else if (setup.options.action == SF_ACTION_HELP)
		sf_options_help(stdout);
	else if (setup.options.action == SF_ACTION_VERSION)
		(void)puts("snapfs " SF_VERSION);
	else if (setup.options.action == SF_ACTION_MOUNT)
		status = run(&setup);
	setup_fini(&setup);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl run: runs a schedule of the configuration once: hook, snapshots, pruning of the schedule's older
 * snapshots, hook. It reports begin and end to the daemon through .snapfs/run and keeps that file open
 * meanwhile, so that two runs never overlap and a killed run counts as failed.
 */
#include "tools/snapfsctl/tree/act.h"
#include "tools/snapfsctl/tree/interrupt.h"
#include "ctl.h"
#include "hook.h"
#include "pruning.h"
#include "results.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/text.h"

#include "core/config/config.h"
#include "core/calendar/when.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

struct run {
	struct sf_ctl *ctl;
	const struct sf_config *config;
	const struct sf_schedule_config *schedule;
	struct sf_results results;
	char name[SF_NAME_MAX + 1];                  /* of the new snapshots */
	char pattern[2 * SF_SCHEDULE_NAME_MAX + 96]; /* matches the names of all snapshots of this schedule */
	size_t ncreated, ndeleted;
};

/* The exit status of a run, which depends on whether any snapshot was taken. */
static int status_of(const struct run *run)
{
	if (run->results.nfailed == 0)
		return SF_EXIT_OK;
	return run->ncreated > 0 ? SF_EXIT_PARTLY : SF_EXIT_FAILED;
}

static const char *result_word(int status)
{
	return status == SF_EXIT_OK ? "ok" : status == SF_EXIT_PARTLY ? "partly" : "failed";
}

/* --- names --- */

/* Sets the name "nightly-20261123T023000Z" for this second, and a pattern that matches only names of this
 * form. */
static void name_snapshots(struct run *run, uint64_t now_ns)
{
	static const char digits[] = "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]";
	time_t seconds = (time_t)(now_ns / NS_PER_S);
	const char *from = run->schedule->name;
	char stamp[32];
	size_t len = 0;
	struct tm tm;

	(void)gmtime_r(&seconds, &tm); /* cannot fail: the time is our own clock's */
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	(void)snprintf(run->name, sizeof(run->name), "%s-%s", from, stamp);
	for (; *from && len < 2 * SF_SCHEDULE_NAME_MAX; from++) {
		if (strchr("*?[]\\", *from))
			run->pattern[len++] = '\\';
		run->pattern[len++] = *from;
	}
	(void)snprintf(run->pattern + len, sizeof(run->pattern) - len, "-%sT%.*sZ", digits, 30, digits);
}

/* --- the daemon's record of runs --- */

static int write_run(int fd, json_t *object, struct sf_err *err)
{
	auto_json json_t *owned = object, *answer = NULL;
	auto_free char *text = json_dumps(owned, JSON_COMPACT);
	char outcome[4096];
	const char *why;
	ssize_t n;
	int rc = 0;

	if (!text)
		return sf_fail(err, -ENOMEM, "out of memory");
	do
		n = write(fd, text, strlen(text));
	while (n < 0 && errno == EINTR); /* an interrupt must not lose the result of a run */
	if (n >= 0)
		return 0;
	rc = -errno;
	n = read(fd, outcome, sizeof(outcome));
	answer = n > 0 ? sf_json_parse_object(outcome, (size_t)n, ".snapfs/run", NULL) : NULL;
	why = json_string_value(json_object_get(answer, "error"));
	return sf_fail(err, rc, "%s", why ? why : strerror(-rc));
}

/*
 * Opens a run and returns its descriptor. -EBUSY while another run is in flight, -errno. due_ns 0: the run is
 * for no due instant.
 */
static int begin(struct run *run, uint64_t due_ns, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(&run->ctl->mount);
	auto_fd int fd = openat(run->ctl->mount.fd, ".snapfs/run", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	json_t *object = json_pack("{s:s}", "schedule", run->schedule->name);
	int rc;

	if (fd < 0) {
		rc = -errno;
		json_decref(object);
		return sf_fail(err, rc, "%s/.snapfs/run: %s", run->ctl->mount.path, strerror(-rc));
	}
	if (due_ns)
		json_object_set_new(object, "due", json_integer((json_int_t)(due_ns / NS_PER_S)));
	rc = write_run(fd, object, err);
	return rc < 0 ? rc : sf_take_fd(&fd);
}

/* The longest text that .snapfs/run accepts. */
#define TEXT_MAX 1000

/* Cuts text to one line of at most TEXT_MAX bytes, at the end of a character. */
static void cut_text(const char *text, char buf[static TEXT_MAX + 1])
{
	size_t len;

	sf_text_printable(text, buf, TEXT_MAX + 1);
	for (len = strlen(buf);
	     len > 0 && ((unsigned char)buf[len - 1] & 0x80) && sf_description_check(buf, NULL) < 0; len--)
		buf[len - 1] = '\0';
}

static int end(const struct run *run, int fd, int status, struct sf_err *err)
{
	auto_watch bool watching = sf_mount_watch(&run->ctl->mount);
	char text[TEXT_MAX + 1];

	cut_text(run->results.first.text, text);
	return write_run(fd,
			 json_pack("{s:s, s:o, s:I, s:I, s:I}", "result", result_word(status), "text",
				   sf_json_lossy(text), "created", (json_int_t)run->ncreated, "deleted",
				   (json_int_t)run->ndeleted, "failed", (json_int_t)run->results.nfailed),
			 err);
}

/* Loads the record of the last run: zeros if there was none. */
static int last_run(struct run *run, uint64_t *ret_due_ns, bool *ret_running, struct sf_err *err)
{
	auto_json json_t *root = NULL;
	const json_t *entry;
	size_t i;
	int rc = sf_report_load(&run->ctl->mount, "schedules.json", &root, err);

	*ret_due_ns = 0;
	*ret_running = false;
	if (rc < 0)
		return rc;
	json_array_foreach(json_object_get(root, "schedules"), i, entry)
	{
		const char *name = json_string_value(json_object_get(entry, "name")),
			   *state = json_string_value(json_object_get(entry, "state"));

		if (!name || strcmp(name, run->schedule->name) != 0)
			continue;
		*ret_running = state && strcmp(state, "running") == 0;
		if (sf_json_time(entry, "due", ret_due_ns, NULL) < 0 &&
		    sf_json_time(entry, "began", ret_due_ns, NULL) < 0)
			*ret_due_ns = 0;
	}
	return 0;
}

/*
 * Finds the due instant for which to run now; *ret_ns is 0 if there is none. Several missed instants count as
 * one. A schedule that never ran is due at once.
 */
static int find_due(struct run *run, uint64_t now_ns, uint64_t *ret_ns, struct sf_err *err)
{
	const char *zone = sf_config_timezone(run->config, run->schedule, NULL);
	uint64_t last = 0, due = 0;
	bool running;
	int rc = last_run(run, &last, &running, err);

	if (rc == 0)
		rc = sf_when_previous(&run->schedule->when, zone, now_ns, &due, err);
	if (rc < 0)
		return rc;
	/*
	 * A wrong clock may have recorded a last run in the future. That must not keep the schedule from
	 * running.
	 */
	*ret_ns = running || (last >= due && last <= now_ns) ? 0 : due;
	return 0;
}

/* --- the work --- */

static int run_hook(struct run *run, char **argv, const char *result)
{
	char schedule[SF_SCHEDULE_NAME_MAX + 32], mount[PATH_MAX + 32], ended[64];
	const char *env[] = {schedule, mount, ended, NULL};
	struct sf_err err = {0};
	int rc;

	if (!argv)
		return 0;
	(void)snprintf(schedule, sizeof(schedule), "SNAPFS_SCHEDULE=%s", run->schedule->name);
	(void)snprintf(mount, sizeof(mount), "SNAPFS_MOUNT=%s", run->ctl->mount.path);
	(void)snprintf(ended, sizeof(ended), "SNAPFS_RESULT=%s", result);
	rc = sf_hook_run((const char *const *)argv, env, run->schedule->hook_deadline_ms, &err);
	if (rc < 0)
		sf_results_add(&run->results, run->schedule->name, rc, &err, NULL, NULL);
	return rc;
}

static void set_choice(json_t *request, const char *key, enum sf_choice choice)
{
	if (choice != SF_CHOICE_POLICY)
		json_object_set_new(request, key, json_boolean(choice == SF_CHOICE_YES));
}

static int create(struct run *run, const char *vm)
{
	auto_json json_t *request = json_pack("{s:s}", "name", run->name);
	char name[SF_NAME_MAX + 1], text[1024] = "", path[SF_SNAP_PATH];
	struct sf_err err = {0};
	int rc;

	set_choice(request, "memory", run->schedule->memory);
	set_choice(request, "quiesce", run->schedule->quiesce);
	(void)snprintf(path, sizeof(path), "%s/%s", vm, run->name);
	rc = sf_act_create(&run->ctl->mount, run->ctl->json, vm, request, name, text, sizeof(text), &err);
	run->ncreated += rc == 0;
	sf_results_add(&run->results, path, rc, &err, path, json_pack("{s:s}", "action", "create"));
	return rc;
}

/* Prunes only snapshots of this schedule, never those that users made. */
static void prune(struct run *run, const char *vm)
{
	const struct sf_prune rules = {.rules = run->schedule->keep,
				       .timezone = sf_config_timezone(run->config, run->schedule, vm),
				       .pattern = run->pattern,
				       .now_ns = sf_clock_real_ns()};
	struct sf_pruned pruned = {0};
	struct sf_err err = {0};
	int rc;

	if (sf_keep_rules_empty(&rules.rules))
		return;
	rc = sf_prune_plan(&run->ctl->mount, vm, &rules, &pruned, &err);
	if (rc < 0)
		sf_results_add(&run->results, vm, rc, &err, NULL, NULL);
	else
		run->ndeleted += sf_prune_delete(run->ctl, &pruned, &run->results);
	sf_pruned_fini(&pruned);
}

/* Whether the hypervisor still knows the VM. A VM that is gone keeps its snapshots and gets no new ones. */
static bool is_present(const struct sf_mount *mount, const char *vm)
{
	auto_json json_t *root = NULL;

	/* If this fails, taking the snapshot reports why. */
	return sf_vm_load(mount, vm, &root, NULL) < 0 || json_is_true(json_object_get(root, "present"));
}

/* Otherwise a misspelt name would go unnoticed. */
static void report_idle_items(struct run *run, char *const *vms, size_t n)
{
	const struct sf_schedule_config *schedule = run->schedule;

	for (size_t i = 0; i < schedule->nvms; i++) {
		const char *item = schedule->vms[i];
		char name[SF_NAME_MAX + 1];
		struct sf_err err = {0};

		if (!sf_schedule_item_matches_none(item, vms, n))
			continue;
		if (!sf_schedule_item_is_name(item, name)) {
			sf_ctl_say("schedule '%s': '%s' matches no VM", schedule->name, item);
			continue;
		}
		(void)sf_fail(&err, -ENOENT, "schedule '%s' (line %d): there is no VM '%s'", schedule->name,
			      schedule->line, name);
		sf_results_add(&run->results, schedule->name, -ENOENT, &err, NULL, NULL);
	}
}

/* Whether no VM of the schedule has a snapshot of the run's name. */
static bool name_is_free(const struct run *run, char *const *vms, size_t n)
{
	char path[SF_SNAP_PATH];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", vms[i], run->name);
		if (sf_schedule_takes(run->schedule, vms[i]) &&
		    faccessat(run->ctl->mount.fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return false;
	}
	return true;
}

/* Takes a snapshot of each VM, then prunes it. If taking it fails, the VM keeps all older snapshots. */
static void work(struct run *run)
{
	struct sf_err err = {0};
	char **vms = NULL;
	size_t n = 0, ntaken = 0;
	uint64_t second_ns = sf_clock_real_ns();
	int rc = sf_vms_load(&run->ctl->mount, &vms, &n, &err);

	if (rc == 0)
		report_idle_items(run, vms, n);
	/* The last run may have begun in this second. */
	do {
		name_snapshots(run, second_ns);
		second_ns += NS_PER_S;
	} while (!name_is_free(run, vms, n));
	for (size_t i = 0; i < n && rc == 0 && !sf_interrupted(); i++) {
		if (!sf_schedule_takes(run->schedule, vms[i]) || !is_present(&run->ctl->mount, vms[i]))
			continue;
		ntaken++;
		if (create(run, vms[i]) == 0)
			prune(run, vms[i]);
	}
	sf_names_free(vms, n);
	if (rc == 0 && sf_interrupted())
		rc = sf_fail(&err, -EINTR, "interrupted");
	else if (rc == 0 && ntaken == 0)
		rc = sf_fail(&err, -ENOENT, "schedule '%s' (line %d) matches no VM", run->schedule->name,
			     run->schedule->line);
	if (rc < 0)
		sf_results_add(&run->results, run->schedule->name, rc, &err, NULL, NULL);
}

static int run_schedule(struct run *run, bool due_only)
{
	uint64_t now = sf_clock_real_ns(), due = 0;
	struct sf_err err = {0};
	auto_fd int fd = -1;
	int status;

	if (due_only && find_due(run, now, &due, &err) < 0)
		return sf_ctl_fail(run->ctl, &err);
	json_object_set_new(run->ctl->answer, "due", json_boolean(!due_only || due));
	if (due_only && !due)
		return SF_EXIT_OK;
	fd = begin(run, due, &err);
	if (due_only && (fd == -EBUSY || fd == -EALREADY)) {
		/* Another run was faster. */
		json_object_set_new(run->ctl->answer, "due", json_false());
		return SF_EXIT_OK;
	}
	if (fd < 0)
		return sf_ctl_fail(run->ctl, &err);
	sf_interrupt_catch();
	sf_results_init(&run->results, run->ctl);
	if (run_hook(run, run->schedule->pre, "") == 0)
		work(run);
	/*
	 * The second hook must run even after an interrupt: it releases what the first one froze or locked.
	 */
	sf_interrupt_forget();
	(void)run_hook(run, run->schedule->post,
		       result_word(status_of(run))); /* its failure is in the results */
	status = status_of(run);
	(void)sf_results_end(&run->results);
	if (end(run, fd, status, &err) < 0)
		return sf_ctl_fail(run->ctl, &err);
	return status;
}

/* --- finding the schedule --- */

static int fail_unknown(const struct sf_config *config, const char *name, const char *path,
			struct sf_err *err)
{
	size_t best = 4;
	const char *near = NULL;
	char shown[64];

	for (size_t i = 0; i < config->nschedules; i++) {
		size_t distance = sf_text_distance(config->schedules[i].name, name);

		if (distance < best) {
			best = distance;
			near = config->schedules[i].name;
		}
	}
	sf_text_printable(name, shown, sizeof(shown));
	if (near)
		return sf_fail(err, -ENOENT, "%s has no schedule '%s'; did you mean '%s'?", path, shown,
			       near);
	return sf_fail(err, -ENOENT, "%s has no schedule '%s'", path, shown);
}

enum { OPT_DUE = 256, OPT_CONFIG };

int sf_cmd_run(struct sf_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"due", no_argument, NULL, OPT_DUE},
						{"config", required_argument, NULL, OPT_CONFIG},
						{NULL, 0, NULL, 0}};
	const char *path = SF_CONFIG_DEFAULT_FILE;
	struct run run = {.ctl = ctl};
	struct sf_config config;
	struct sf_err err = {0};
	bool due = false;
	int opt, status;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", options)) != -1) {
		if (opt == OPT_DUE)
			due = true;
		else if (opt == OPT_CONFIG)
			path = optarg;
		else
			return sf_ctl_stop(opt);
	}
	if (argc - optind != 1)
		return sf_ctl_usage(ctl, "expected a schedule");
	if ((status = sf_ctl_open(ctl)) >= 0)
		return status;
	sf_config_init(&config);
	run.config = &config;
	if (sf_config_load(&config, path, &err) == 0 &&
	    !(run.schedule = sf_config_schedule(&config, argv[optind])))
		(void)fail_unknown(&config, argv[optind], path, &err);
	status = run.schedule ? run_schedule(&run, due) : sf_ctl_fail(ctl, &err);
	sf_config_fini(&config);
	return status;
}

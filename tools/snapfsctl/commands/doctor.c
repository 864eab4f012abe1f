/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl doctor: reports what is wrong on this host, and the command that fixes it. Each check covers one
 * thing and changes nothing. It works with a mount, with a dead one and without any.
 */
#include "ctl.h"
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
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Warn if less space than this, on top of the reserve, is free for records and RAM. */
#define STATE_FREE_BYTES (256ULL * 1024 * 1024)
/* A schedule that is overdue by more than this has no timer or cron entry that runs it. */
#define LATE_NS (15 * 60 * 1000000000ULL)

enum finding { FINE, WARNING, PROBLEM };

struct doctor {
	struct sf_ctl *ctl;
	struct sf_config config;
	bool configured; /* the file was read into config */
	json_t *checks;
	size_t nproblems;
};

/* Reports one finding. fix: what to do, possibly a command; "" for nothing. */
static void __attribute__((format(printf, 5, 6)))
found(struct doctor *doctor, enum finding finding, const char *name, const char *fix, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warning", "problem"};
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sf_text_defuse(text);
	doctor->nproblems += finding == PROBLEM;
	json_array_append_new(doctor->checks,
			      json_pack("{s:s, s:s, s:o, s:o}", "name", name, "status", words[finding],
					"text", sf_json_lossy(text), "fix", sf_json_lossy(fix)));
	if (doctor->ctl->json)
		return;
	(void)printf("%-8s %-10s %s\n", words[finding], name, text);
	if (*fix)
		(void)printf("%-19s -> %s\n", "", fix);
	(void)fflush(stdout); /* the next check may hang */
}

/* --- the host --- */

static void check_fuse(struct doctor *doctor)
{
	if (access("/dev/fuse", R_OK | W_OK) == 0)
		found(doctor, FINE, "fuse", "", "/dev/fuse can be opened");
	else if (errno == ENOENT)
		found(doctor, PROBLEM, "fuse", "modprobe fuse", "there is no /dev/fuse");
	else
		found(doctor, geteuid() == 0 ? PROBLEM : WARNING, "fuse", "sudo snapfsctl doctor",
		      "/dev/fuse: %s", strerror(errno));
}

static void check_config(struct doctor *doctor, const char *path)
{
	struct sf_err err = {0};
	int rc = sf_config_load(&doctor->config, path, &err);

	doctor->configured = rc == 0;
	if (rc == 0)
		found(doctor, FINE, "config", "", "%s: %zu VMs, %zu schedules", path, doctor->config.nvms,
		      doctor->config.nschedules);
	else if (rc == -ENOENT)
		found(doctor, FINE, "config", "", "there is no %s, so all settings have their defaults",
		      path);
	else
		found(doctor, PROBLEM, "config", "correct that line; see snapfs.conf(5)", "%s", err.text);
}

static void check_state(struct doctor *doctor)
{
	const char *path = doctor->config.state_dir;
	struct statvfs fs;
	struct stat st;
	char free_space[SF_TEXT_BYTES];
	uint64_t free_bytes;

	if (stat(path, &st) < 0) {
		found(doctor, errno == ENOENT ? FINE : WARNING, "state", "", "%s: %s", path,
		      errno == ENOENT ? "missing; the daemon creates it" : strerror(errno));
		return;
	}
	if (st.st_uid != 0 || (st.st_mode & 0077)) {
		found(doctor, PROBLEM, "state", "chown root and chmod 0700 on it",
		      "%s holds saved RAM, but other users have access", path);
		return;
	}
	if (statvfs(path, &fs) < 0)
		return;
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	sf_text_bytes(free_bytes, free_space);
	if (free_bytes < doctor->config.state_reserve_bytes + STATE_FREE_BYTES)
		found(doctor, WARNING, "state",
		      "make room there, or delete snapshots with RAM: snapfsctl list -s -ram",
		      "%s has only %s free for records and RAM", path, free_space);
	else
		found(doctor, FINE, "state", "", "%s has %s free", path, free_space);
}

/* --- the mount --- */

static bool check_mount(struct doctor *doctor, const char *mount)
{
	struct sf_mount *found_mount = &doctor->ctl->mount;
	auto_free char *version = NULL;
	struct sf_err err = {0};
	char fix[PATH_MAX + 64] = "systemctl start snapfs, or: snapfs /snaps";
	int rc = sf_mount_open(found_mount, mount, &err);

	if (rc == -ENOTCONN)
		(void)snprintf(fix, sizeof(fix),
			       "umount -l %s; systemctl restart snapfs, or start it by hand",
			       found_mount->path);
	else if (rc == -EINVAL)
		(void)snprintf(fix, sizeof(fix), "name the right one with --mount");
	if (rc < 0) {
		found(doctor, PROBLEM, "mount", fix, "%s", err.text);
		return false;
	}
	if (sf_mount_read(found_mount, ".snapfs/version", &version, NULL, &err) < 0) {
		found(doctor, PROBLEM, "mount", err.code == -EACCES ? "sudo snapfsctl doctor" : "", "%s",
		      err.text);
		return false;
	}
	version[strcspn(version, "\n")] = '\0';
	if (strcmp(version, SF_VERSION) == 0 || strcmp(version, "snapfs " SF_VERSION) == 0)
		found(doctor, FINE, "mount", "", "%s answers, version %s", found_mount->path, SF_VERSION);
	else
		found(doctor, WARNING, "mount",
		      "restart the daemon when no operation runs: systemctl restart snapfs",
		      "%s is served by %s, this is %s", found_mount->path, version, SF_VERSION);
	return true;
}

/* What to do about a problem of health.json, by its kind. */
static const char *remedy(const char *kind)
{
	static const struct {
		const char *kind, *fix;
	} remedies[] = {
		{"broken", "its content is lost: snapfsctl delete it"},
		{"unreachable",
		 "check that its storage is there: the file system mounted, the VG active; snapfs "
		 "retries every few seconds"},
		{"orphan", "no record names it: snapfs --rescan rebuilds records; lvremove it when it "
			   "is not needed"},
		{"set-aside",
		 "inspect the file in the state directory; snapfs --rescan rebuilds records from volumes"},
		{"newer", "run the version of snapfs that wrote it; this one leaves it as it is"},
		{"disk", "check that the disk exists and can be snapshotted"},
		{"guest", "resume it by hand: xl unpause VM, or virsh resume VM"},
		{"revert", "see the log; fix the cause, then restart snapfs to resume the revert"},
		{"undo", "see the log; snapfs retries it"},
		{"unowned", "settle the records that could not be read first, then restart snapfs"},
		{"stray", "move it out of the state directory if it is yours"},
		{"hypervisor", "check that the hypervisor answers: xl list, or virsh list"},
		{"space", "snapfsctl df shows it; lvextend the pool, or snapfsctl prune"},
		{"watch", "check that LVM answers: lvs"},
		{"rescan", "see the log for what could not be rebuilt"},
		{"schedule", "snapfsctl run it again; journalctl -u 'snapfs-schedule@*' shows its output"},
	};

	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (strcmp(remedies[i].kind, kind) == 0)
			return remedies[i].fix;
	return "";
}

static void check_health(struct doctor *doctor)
{
	auto_json json_t *root = NULL;
	const json_t *problem, *list;
	struct sf_err err = {0};
	size_t i;

	if (sf_report_load(&doctor->ctl->mount, "health.json", &root, &err) < 0) {
		found(doctor, PROBLEM, "health", "", "%s", err.text);
		return;
	}
	list = json_object_get(root, "problems");
	json_array_foreach(list, i, problem)
	{
		const char *kind = json_string_value(json_object_get(problem, "kind")),
			   *subject = json_string_value(json_object_get(problem, "subject")),
			   *text = json_string_value(json_object_get(problem, "text"));

		if (kind && subject && text)
			found(doctor, PROBLEM, kind, remedy(kind), "%s: %s", subject, text);
	}
	if (json_array_size(list) == 0)
		found(doctor, FINE, "health", "", "the daemon reports no problem");
}

static void check_disk(struct doctor *doctor, const char *vm, const json_t *disk)
{
	const char *error = json_string_value(json_object_get(disk, "error")),
		   *spec = json_string_value(json_object_get(disk, "spec"));

	if (error)
		found(doctor, PROBLEM, "disk", "", "VM '%s', %s: %s", vm, spec ? spec : "?", error);
}

static void check_vm(struct doctor *doctor, const char *vm)
{
	auto_json json_t *root = NULL;
	const json_t *disk, *left;
	struct sf_err err = {0};
	size_t i;

	if (sf_vm_load(&doctor->ctl->mount, vm, &root, &err) < 0) {
		found(doctor, PROBLEM, "vm", "", "%s", err.text);
		return;
	}
	json_array_foreach(json_object_get(root, "disks"), i, disk) check_disk(doctor, vm, disk);
	if (json_is_true(json_object_get(root, "present")) &&
	    json_array_size(json_object_get(root, "disks")) == 0)
		found(doctor, WARNING, "vm", "", "VM '%s' has no disk that can be snapshotted", vm);
	json_array_foreach(json_object_get(root, "left_out"), i, left)
	{
		const char *name = json_string_value(json_object_get(left, "disk")),
			   *reason = json_string_value(json_object_get(left, "reason"));

		if (json_is_true(json_object_get(left, "writable")) && name && reason)
			found(doctor, WARNING, "disk", "", "VM '%s', %s is in no snapshot: %s", vm, name,
			      reason);
	}
	if (json_is_true(json_object_get(root, "unsettled")))
		found(doctor, WARNING, "vm", "see the log; snapfs retries every few seconds",
		      "VM '%s': an unfinished operation has yet to be undone", vm);
}

static void check_vms(struct doctor *doctor)
{
	struct sf_err err = {0};
	char **vms = NULL;
	size_t n = 0;

	if (sf_vms_load(&doctor->ctl->mount, &vms, &n, &err) < 0) {
		found(doctor, PROBLEM, "vm", "", "%s", err.text);
		return;
	}
	if (n == 0)
		found(doctor, WARNING, "vm",
		      "on a host without a hypervisor: snapfs --vm NAME=DISK, or [vm NAME] in snapfs.conf(5)",
		      "there are no VMs");
	for (size_t i = 0; i < n; i++) {
		check_vm(doctor, vms[i]);
	}
	sf_names_free(vms, n);
}

/* --- schedules --- */

/* When a schedule's last run began; 0 if it never ran. */
static uint64_t last_run(const json_t *root, const char *name)
{
	const json_t *entry;
	uint64_t began;
	size_t i;

	json_array_foreach(json_object_get(root, "schedules"), i, entry)
	{
		const char *known = json_string_value(json_object_get(entry, "name"));

		if (known && strcmp(known, name) == 0 && sf_json_time(entry, "began", &began, NULL) == 0)
			return began;
	}
	return 0;
}

static void check_schedule(struct doctor *doctor, const json_t *runs,
			   const struct sf_schedule_config *schedule)
{
	uint64_t now = sf_clock_real_ns(), due, next, last = last_run(runs, schedule->name);
	const char *zone = sf_config_timezone(&doctor->config, schedule, NULL);
	char fix[512], when[SF_TEXT_TIME], then[SF_TEXT_TIME];
	struct sf_err err = {0};

	if (sf_when_previous(&schedule->when, zone, now, &due, &err) < 0 ||
	    sf_when_next(&schedule->when, zone, now, &next, &err) < 0) {
		found(doctor, PROBLEM, "schedule", "", "%s: %s", schedule->name, err.text);
		return;
	}
	if (last > now)
		last = 0; /* recorded by a wrong clock; `snapfsctl run` ignores it as well */
	if (last >= due || (last && now - due <= LATE_NS)) {
		sf_text_time(last, when);
		sf_text_time(next, then);
		found(doctor, FINE, "schedule", "", "%s ran last at %s and is due next at %s", schedule->name,
		      when, then);
		return;
	}
	sf_text_time(due, when);
	(void)snprintf(fix, sizeof(fix),
		       "systemctl enable --now 'snapfs-schedule@%s.timer', or call `snapfsctl run --due %s` "
		       "from cron",
		       schedule->name, schedule->name);
	found(doctor, last ? PROBLEM : WARNING, "schedule", fix, "%s was due at %s and %s", schedule->name,
	      when, last ? "has not run since" : "has never run");
}

static void check_schedules(struct doctor *doctor)
{
	auto_json json_t *runs = NULL;
	struct sf_err err = {0};

	if (!doctor->configured || doctor->config.nschedules == 0)
		return;
	if (sf_report_load(&doctor->ctl->mount, "schedules.json", &runs, &err) < 0) {
		found(doctor, PROBLEM, "schedule", "", "%s", err.text);
		return;
	}
	for (size_t i = 0; i < doctor->config.nschedules; i++)
		check_schedule(doctor, runs, &doctor->config.schedules[i]);
}

enum { OPT_CONFIG = 256 };

int sf_cmd_doctor(struct sf_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, OPT_CONFIG},
						{NULL, 0, NULL, 0}};
	struct doctor doctor = {.ctl = ctl};
	const char *path = SF_CONFIG_DEFAULT_FILE;
	int opt;

	while ((opt = sf_ctl_option(ctl, argc, argv, "", options)) != -1) {
		if (opt != OPT_CONFIG)
			return sf_ctl_stop(opt);
		path = optarg;
	}
	if (optind < argc)
		return sf_ctl_usage(ctl, "expected no argument");
	doctor.checks = json_array();
	sf_config_init(&doctor.config);
	check_fuse(&doctor);
	check_config(&doctor, path);
	check_state(&doctor);
	if (check_mount(&doctor, ctl->mount_given)) {
		check_health(&doctor);
		check_vms(&doctor);
		check_schedules(&doctor);
	}
	sf_config_fini(&doctor.config);
	json_object_set_new(ctl->answer, "checks", doctor.checks);
	return doctor.nproblems > 0 ? SF_EXIT_FAILED : SF_EXIT_OK;
}

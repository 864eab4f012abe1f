/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapfsctl doctor: reports what is wrong on this host, and the command that fixes it. Each check covers one
 * thing and changes nothing. It works with a mount, with a dead one and without any.
 */
#include "doctor_schedules.h"
#include "finding.h"
#include "tools/snapfsctl/tree/snaps.h"
#include "tools/snapfsctl/show/print.h"
#include "tools/snapfsctl/show/text.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Warn if less space than this, on top of the reserve, is free for records and RAM. */
#define STATE_FREE_BYTES (256ULL * 1024 * 1024)
#define STATE_FIX        "make room there, or delete snapshots with RAM: snapfsctl list -s -ram"
/* A snapshot takes a few inodes for its record, its RAM and their directory. */
#define STATE_FREE_FILES 16

/* --- the host --- */

static void check_fuse(struct sf_doctor *doctor)
{
	if (access("/dev/fuse", R_OK | W_OK) == 0)
		sf_doctor_found(doctor, SF_FINE, "fuse", "", "/dev/fuse can be opened");
	else if (errno == ENOENT)
		sf_doctor_found(doctor, SF_PROBLEM, "fuse", "modprobe fuse", "there is no /dev/fuse");
	else
		sf_doctor_found(doctor, geteuid() == 0 ? SF_PROBLEM : SF_WARNING, "fuse",
				"sudo snapfsctl doctor", "/dev/fuse: %s", strerror(errno));
}

static void check_config(struct sf_doctor *doctor, const char *path)
{
	struct sf_err err = {0};
	int rc = sf_config_load(&doctor->config, path, &err);

	doctor->configured = rc == 0;
	if (rc == 0)
		sf_doctor_found(doctor, SF_FINE, "config", "", "%s: %zu VMs, %zu schedules", path,
				doctor->config.nvms, doctor->config.nschedules);
	else if (rc == -ENOENT)
		sf_doctor_found(doctor, SF_FINE, "config", "",
				"there is no %s, so all settings have their defaults", path);
	else
		sf_doctor_found(doctor, SF_PROBLEM, "config", "correct that line; see snapfs.conf(5)", "%s",
				err.text);
}

/* path: the directory that the daemon uses or, if none answers, would use. */
static void check_state(struct sf_doctor *doctor, const char *path)
{
	struct statvfs fs;
	struct stat st;
	char free_space[SF_TEXT_BYTES];
	uint64_t free_bytes;

	if (stat(path, &st) < 0) {
		sf_doctor_found(doctor, errno == ENOENT ? SF_FINE : SF_WARNING, "state", "", "%s: %s", path,
				errno == ENOENT ? "missing; the daemon creates it" : strerror(errno));
		return;
	}
	if (st.st_uid != 0 || (st.st_mode & 0077)) {
		sf_doctor_found(doctor, SF_PROBLEM, "state", "chown root and chmod 0700 on it",
				"%s holds saved RAM, but other users have access", path);
		return;
	}
	if (statvfs(path, &fs) < 0)
		return;
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	sf_text_bytes(free_bytes, free_space);
	if (fs.f_files > 0 && fs.f_ffree < STATE_FREE_FILES) {
		sf_doctor_found(doctor, SF_PROBLEM, "state", "delete files or snapshots there",
				"%s has fewer than %d free inodes: no snapshot can be recorded", path,
				STATE_FREE_FILES);
		return;
	}
	if (free_bytes < doctor->config.state_reserve_bytes) {
		sf_doctor_found(doctor, SF_PROBLEM, "state", STATE_FIX,
				"%s has only %s free, which is less than state-reserve: no RAM can be saved",
				path, free_space);
		return;
	}
	if (free_bytes < doctor->config.state_reserve_bytes + STATE_FREE_BYTES)
		sf_doctor_found(doctor, SF_WARNING, "state", STATE_FIX,
				"%s has only %s free for records and RAM", path, free_space);
	else
		sf_doctor_found(doctor, SF_FINE, "state", "", "%s has %s free", path, free_space);
}

/* --- the mount --- */

static bool check_mount(struct sf_doctor *doctor, const char *mount)
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
		sf_doctor_found(doctor, SF_PROBLEM, "mount", fix, "%s", err.text);
		return false;
	}
	if (sf_mount_read(found_mount, ".snapfs/version", &version, NULL, &err) < 0) {
		sf_doctor_found(doctor, SF_PROBLEM, "mount",
				err.code == -EACCES ? "sudo snapfsctl doctor" : "", "%s", err.text);
		return false;
	}
	version[strcspn(version, "\n")] = '\0';
	if (strcmp(version, SF_VERSION) == 0 || strcmp(version, "snapfs " SF_VERSION) == 0)
		sf_doctor_found(doctor, SF_FINE, "mount", "", "%s answers, version %s", found_mount->path,
				SF_VERSION);
	else
		sf_doctor_found(doctor, SF_WARNING, "mount",
				"restart the daemon when no operation runs: systemctl restart snapfs",
				"%s is served by %s, this is %s", found_mount->path, version, SF_VERSION);
	return true;
}

/* Image files keep snapshots in a directory .snapfs beside them, LVM as /dev/VG/LV. */
static const char *orphan_remedy(const char *subject)
{
	if (strstr(subject, "/.snapfs/"))
		return "no record names this file: remove it when it is not needed";
	if (strncmp(subject, "/dev/", 5) == 0)
		return "no record names it: snapfs --rescan rebuilds records; lvremove it when it is not "
		       "needed";
	return "no record names it";
}

/* With -o ro the tree is for readers only. That is no mistake by itself, but schedules cannot work. */
static void check_writable(struct sf_doctor *doctor)
{
	const struct sf_mount *mount = &doctor->ctl->mount;
	auto_watch bool watching = sf_mount_watch(mount);

	/* The kernel answers this; statfs(2) would wait for the storages. */
	if (faccessat(mount->fd, ".", W_OK, 0) < 0 && errno == EROFS)
		sf_doctor_found(doctor, doctor->config.nschedules > 0 ? SF_PROBLEM : SF_WARNING, "mount",
				"start snapfs without -o ro",
				"%s is mounted read-only: snapshots cannot be taken, deleted or reverted",
				mount->path);
}

/* What to do about a problem of health.json, by its kind. */
static const char *remedy(const char *kind, const char *subject)
{
	static const struct {
		const char *kind, *fix;
	} remedies[] = {
		{"broken", "its content is lost: snapfsctl delete it"},
		{"unreachable",
		 "check that its storage is there: the file system mounted, the VG active; snapfs "
		 "retries every few seconds"},
		{"set-aside",
		 "inspect the file in the state directory; snapfs --rescan rebuilds records from volumes"},
		{"newer", "run the version of snapfs that wrote it; this one leaves it as it is"},
		{"disk", "check that the disk exists and can be snapshotted"},
		{"shared", "give each VM its own disk"},
		{"guest", "resume it by hand: xl unpause VM, or virsh resume VM"},
		{"revert", "see the log; fix the cause, then restart snapfs to resume the revert"},
		{"undo", "see the log; snapfs retries it"},
		{"unowned", "settle the records that could not be read first, then restart snapfs"},
		{"stray", "move it out of the state directory if it is yours"},
		{"hypervisor", "check that the hypervisor answers: xl list, or virsh list"},
		{"space", "snapfsctl df shows it; extend what is full, or snapfsctl prune"},
		{"watch", "check that LVM answers: lvs"},
		{"rescan", "see the log for what could not be rebuilt"},
		{"schedule", "snapfsctl run it again; journalctl -u 'snapfs-schedule@*' shows its output"},
	};

	if (strcmp(kind, "orphan") == 0)
		return orphan_remedy(subject);
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (strcmp(remedies[i].kind, kind) == 0)
			return remedies[i].fix;
	return "";
}

static void check_health(struct sf_doctor *doctor, const json_t *root)
{
	const json_t *problem, *list;
	size_t i;

	list = json_object_get(root, "problems");
	json_array_foreach(list, i, problem)
	{
		const char *kind = json_string_value(json_object_get(problem, "kind")),
			   *subject = json_string_value(json_object_get(problem, "subject")),
			   *text = json_string_value(json_object_get(problem, "text"));

		if (kind && subject && text)
			sf_doctor_found(doctor, SF_PROBLEM, kind, remedy(kind, subject), "%s: %s", subject,
					text);
	}
	if (json_array_size(list) == 0)
		sf_doctor_found(doctor, SF_FINE, "health", "", "the daemon reports no problem");
}

static void check_disk(struct sf_doctor *doctor, const char *vm, const json_t *disk)
{
	const char *error = json_string_value(json_object_get(disk, "error")),
		   *spec = json_string_value(json_object_get(disk, "spec"));
	const json_t *note;
	size_t i;

	if (error)
		sf_doctor_found(doctor, SF_PROBLEM, "disk", "", "VM '%s', %s: %s", vm, spec ? spec : "?",
				error);
	json_array_foreach(json_object_get(disk, "notes"), i, note)
	{
		if (json_is_string(note))
			sf_doctor_found(doctor, SF_WARNING, "disk", "", "VM '%s', %s: %s", vm,
					spec ? spec : "?", json_string_value(note));
	}
}

static void check_vm(struct sf_doctor *doctor, const char *vm)
{
	auto_json json_t *root = NULL;
	const json_t *disk, *left;
	struct sf_err err = {0};
	size_t i;

	if (sf_vm_load(&doctor->ctl->mount, vm, &root, &err) < 0) {
		sf_doctor_found(doctor, SF_PROBLEM, "vm", "", "%s", err.text);
		return;
	}
	json_array_foreach(json_object_get(root, "disks"), i, disk) check_disk(doctor, vm, disk);
	if (json_is_true(json_object_get(root, "present")) &&
	    json_array_size(json_object_get(root, "disks")) == 0)
		sf_doctor_found(doctor, SF_WARNING, "vm", "", "VM '%s' has no disk that can be snapshotted",
				vm);
	json_array_foreach(json_object_get(root, "left_out"), i, left)
	{
		const char *name = json_string_value(json_object_get(left, "disk")),
			   *reason = json_string_value(json_object_get(left, "reason"));

		if (json_is_true(json_object_get(left, "writable")) && name && reason)
			sf_doctor_found(doctor, SF_WARNING, "disk", "", "VM '%s', %s is in no snapshot: %s",
					vm, name, reason);
	}
	if (json_is_true(json_object_get(root, "unsettled")))
		sf_doctor_found(doctor, SF_WARNING, "vm", "see the log; snapfs retries every few seconds",
				"VM '%s': an unfinished operation has yet to be undone", vm);
}

static void check_vms(struct sf_doctor *doctor)
{
	struct sf_err err = {0};
	char **vms = NULL;
	size_t n = 0;

	if (sf_vms_load(&doctor->ctl->mount, &vms, &n, &err) < 0) {
		sf_doctor_found(doctor, SF_PROBLEM, "vm", "", "%s", err.text);
		return;
	}
	if (n == 0)
		sf_doctor_found(doctor, SF_WARNING, "vm",
				"on a host without a hypervisor: snapfs --vm NAME=DISK, or [vm NAME] in "
				"snapfs.conf(5)",
				"there are no VMs");
	for (size_t i = 0; i < n; i++) {
		check_vm(doctor, vms[i]);
	}
	sf_names_free(vms, n);
}

static void check_daemon(struct sf_doctor *doctor)
{
	auto_json json_t *health = NULL;
	const char *state_dir;
	struct sf_err err = {0};

	if (sf_report_load(&doctor->ctl->mount, "health.json", &health, &err) < 0)
		sf_doctor_found(doctor, SF_PROBLEM, "health", "", "%s", err.text);
	state_dir = json_string_value(json_object_get(health, "state_directory"));
	check_state(doctor, state_dir ? state_dir : doctor->config.state_dir);
	if (health)
		check_health(doctor, health);
	check_vms(doctor);
}

enum { OPT_CONFIG = 256 };

int sf_cmd_doctor(struct sf_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, OPT_CONFIG},
						{NULL, 0, NULL, 0}};
	struct sf_doctor doctor = {.ctl = ctl};
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
	if (check_mount(&doctor, ctl->mount_given)) {
		check_writable(&doctor);
		check_daemon(&doctor);
		sf_doctor_schedules(&doctor);
	} else {
		check_state(&doctor, doctor.config.state_dir);
	}
	sf_config_fini(&doctor.config);
	json_object_set_new(ctl->answer, "checks", doctor.checks);
	return doctor.nproblems > 0 ? SF_EXIT_FAILED : SF_EXIT_OK;
}

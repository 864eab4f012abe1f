/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lvm_ground.h"

#include "killpoints.h"

#include "backends/lvm/command.h"
#include "backends/lvm/lvm.h"
#include "backends/lvm/tags.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Longer than the second without changes after which the watch looks again (backends/lvm/report.c). */
#define QUIET_MS 1100

static const char *vg(void)
{
	return getenv("SNAPFS_TEST_VG");
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- The test's own LVM commands, after any that a killed process has left running --- */

static int run_lvm(const struct stage *stage, const char *const *argv, char **ret_said, struct sf_err *err)
{
	struct sf_lvm_config config = {.deadline_ms = 60000};
	char state_dir[PATH_MAX], run_dir[PATH_MAX];
	const struct sf_lvm_options options = {.run_dir = run_dir, .state_dir = state_dir, .config = &config};
	struct sf_lvm *lvm;
	int rc;

	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", stage->path);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", stage->path);
	rc = sf_lvm_new(&options, &lvm, err);
	if (rc < 0)
		return rc;
	rc = sf_lvm_run(lvm, vg(), argv, ret_said, err);
	sf_lvm_unref(lvm);
	return rc;
}

static void must_lvm(const struct stage *stage, const char *const *argv)
{
	struct sf_err err = {0};

	if (run_lvm(stage, argv, NULL, &err) == 0)
		return;
	(void)fprintf(stderr, "%s\n", err.text);
	exit(1);
}

/* --- Making, saving and restoring --- */

void lvm_ground_prepare(const struct stage *stage)
{
	char path[PATH_MAX], self[PATH_MAX], *slash;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	need(len > 0, "/proc/self/exe");
	self[len] = '\0';
	slash = strrchr(self, '/');
	need(slash && (size_t)(slash - self) + sizeof("/lvm_killer") <= sizeof(self), self);
	(void)snprintf(slash, sizeof("/lvm_killer"), "/lvm_killer");
	(void)snprintf(path, sizeof(path), "%s/" KILLPOINTS_LVM, stage->path);
	need(symlink(self, path) == 0, path);
	(void)snprintf(path, sizeof(path), "%s/run", stage->path);
	need(mkdir(path, 0700) == 0, path);
}

static bool is_thin(const struct stage *stage, unsigned i)
{
	return strcmp(stage->storage, "lvm_thin") == 0 ||
	       (strcmp(stage->storage, "lvm_mixed") == 0 && i == 0);
}

static void spec(const struct stage *stage, unsigned i, char path[static PATH_MAX])
{
	(void)stage;
	(void)snprintf(path, PATH_MAX, "/dev/%s/disk%u", vg(), i);
}

/* A new classic LV contains the old data of its extents. */
static void make_blank(const struct stage *stage, unsigned i)
{
	auto_free char *zeros = calloc(1, STAGE_DISK_BYTES);
	char path[PATH_MAX];
	auto_fd int fd = -1;

	spec(stage, i, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(zeros && fd >= 0 && write(fd, zeros, STAGE_DISK_BYTES) == (ssize_t)STAGE_DISK_BYTES &&
		     fsync(fd) == 0,
	     path);
}

void lvm_ground_make_disks(const struct stage *stage)
{
	for (unsigned i = 0; i < stage->ndisks; i++) {
		char name[16], size[32], pool[256];
		const char *const thin[] = {"lvcreate", "--yes",      "-n", name, "-V",
					    size,       "--thinpool", pool, NULL};
		const char *const classic[] = {"lvcreate", "--yes", "-n", name, "-L", size, vg(), NULL};

		(void)snprintf(name, sizeof(name), "disk%u", i);
		(void)snprintf(size, sizeof(size), "%zub", STAGE_DISK_BYTES);
		(void)snprintf(pool, sizeof(pool), "%s/%s", vg(), getenv("SNAPFS_TEST_POOL"));
		must_lvm(stage, is_thin(stage, i) ? thin : classic);
		make_blank(stage, i);
	}
}

static int open_pv(void)
{
	const char *path = getenv("SNAPFS_TEST_PV");
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	need(fd >= 0, path);
	return fd;
}

static void activate(const struct stage *stage, bool active)
{
	const char *const argv[] = {"vgchange", active ? "-ay" : "-an", vg(), NULL};

	must_lvm(stage, argv);
}

void lvm_ground_save(const struct stage *stage, void *buf)
{
	auto_fd int fd = open_pv();

	activate(stage, false);
	need(pread(fd, buf, LVM_GROUND_PV_BYTES, 0) == (ssize_t)LVM_GROUND_PV_BYTES, "read the PV");
	activate(stage, true);
}

void lvm_ground_restore(const struct stage *stage, const void *buf)
{
	auto_fd int fd = open_pv();

	activate(stage, false);
	need(pwrite(fd, buf, LVM_GROUND_PV_BYTES, 0) == (ssize_t)LVM_GROUND_PV_BYTES, "write the PV");
	activate(stage, true);
}

/* --- Callbacks of the house --- */

static int open_storages(struct house *house, struct sf_err *err)
{
	static int (*const opens[])(struct sf_lvm *, struct sf_storage **,
				    struct sf_err *) = {sf_lvm_thin_open, sf_lvm_classic_open};
	char program[PATH_MAX], state_dir[PATH_MAX], run_dir[PATH_MAX];
	const struct sf_lvm_options options = {.program = program,
					       .run_dir = run_dir,
					       .state_dir = state_dir,
					       .config = &house->config.lvm,
					       .state_id = house->env.state_id};
	struct sf_lvm *lvm;
	int rc;

	(void)snprintf(program, sizeof(program), "%s/" KILLPOINTS_LVM, house->stage->path);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run", house->stage->path);
	(void)snprintf(state_dir, sizeof(state_dir), "%s/state", house->stage->path);
	rc = sf_lvm_new(&options, &lvm, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		struct sf_storage *storage;

		rc = opens[i](lvm, &storage, err);
		if (rc == 0)
			rc = house_add_storage(house, storage, err);
	}
	sf_lvm_unref(lvm);
	return rc;
}

/* --- What must not exist --- */

struct look {
	struct house *house;
	struct sf_snapshot *const *snapshots;
	size_t n;
	bool complain;
	bool found; /* something is wrong */
	bool idle;  /* a snapshot is inactive */
};

static void wrong(struct look *look, const char *what, const char *lv)
{
	look->found = true;
	if (look->complain)
		stage_complain(look->house->stage, "%s: %s", lv, what);
}

/* Whether the catalog has an object of this name, "snapfs_" and the token. */
static bool is_owned(const struct look *look, const char *name)
{
	char own[SF_LVM_NAME];

	for (size_t i = 0; i < look->n; i++)
		for (size_t d = 0; d < look->snapshots[i]->record.ndisks; d++) {
			sf_lvm_object_name(&look->snapshots[i]->record.disks[d].object.token, SF_LVM_SNAPSHOT,
					   own);
			if (strcmp(own, name) == 0)
				return true;
		}
	return false;
}

static void look_at_lv(struct look *look, const char *name, const char *active, const char *tags)
{
	bool snapshot = strncmp(name, "snapfs_", 7) == 0;

	look->idle = look->idle || (snapshot && strcmp(active, "active") != 0);
	if (snapshot && !is_owned(look, name))
		wrong(look, "no record owns this volume", name);
	if (!snapshot && strncmp(tags, "snapfs.", 7) == 0)
		wrong(look, "a volume that is no snapshot has tags of ours", name);
	if (!snapshot && strncmp(name, "disk", 4) != 0 && strcmp(name, getenv("SNAPFS_TEST_POOL")) != 0 &&
	    *name != '[')
		wrong(look, "nobody knows this volume", name);
}

/* The LVs one a line, or the error text instead. The caller frees it. */
static char *list_lvs(const struct stage *stage)
{
	const char *const argv[] = {
		"lvs",
		"-a",
		"--noheadings",
		"-o",
		"lv_name,lv_active,lv_tags,lv_uuid,lv_size,segtype,origin,pool_lv,thin_id,lv_permissions",
		vg(),
		NULL};
	struct sf_err err = {0};
	char *said = NULL;

	return run_lvm(stage, argv, &said, &err) < 0 ? strdup(err.text) : said;
}

static void look_at_lvs(struct look *look)
{
	auto_free char *said = list_lvs(look->house->stage);
	char *rest = said, *line;

	look->idle = false;
	while (rest && (line = strsep(&rest, "\n"))) {
		char name[SF_LVM_NAME] = "", active[32] = "", tags[32] = "";

		if (sscanf(line, " %127s %31s %31s", name, active, tags) >= 1)
			look_at_lv(look, name, active, tags);
	}
}

/* Complains about device nodes of snapshots that no longer exist. */
static void look_at_nodes(struct look *look)
{
	auto_dir DIR *dir = opendir("/dev/mapper");
	const struct dirent *entry;
	char prefix[SF_LVM_NAME];

	(void)snprintf(prefix, sizeof(prefix), "%s-snapfs_", vg());
	while (dir && (entry = readdir(dir))) {
		char name[SF_LVM_NAME];

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s", entry->d_name + strlen(prefix) - 7);
		name[strcspn(name, "-")] = '\0'; /* "-cow" */
		if (!is_owned(look, name))
			wrong(look, "a device that no record's volume has", entry->d_name);
	}
}

static void look_at_paths(struct look *look)
{
	for (unsigned i = 0; i < look->house->stage->ndisks; i++) {
		char path[PATH_MAX];

		spec(look->house->stage, i, path);
		if (access(path, F_OK) < 0)
			wrong(look, strerror(errno), path);
	}
}

static bool look_around(struct look *look, bool complain)
{
	look->complain = complain;
	look->found = false;
	look_at_lvs(look);
	look_at_nodes(look);
	look_at_paths(look);
	return look->found;
}

static void ignore_usage(void *arg, const struct sf_usage *usage)
{
	(void)arg, (void)usage;
}

static void watch_once(struct house *house)
{
	auto_fd int never = eventfd(0, EFD_CLOEXEC);

	(void)poll(NULL, 0, QUIET_MS);
	for (size_t i = 0; i < house->storages.nstorages; i++) {
		struct sf_err err = {0};

		if (sf_storage_watch(house->storages.list[i], never, 0, ignore_usage, NULL, &err) < 0)
			stage_complain(house->stage, "watch: %s", err.text);
	}
}

/* The watch removes what a revert has left, so such volumes may exist until it has looked once. */
static void check(struct house *house, struct sf_snapshot *const *snapshots, size_t n)
{
	const char *const readable[] = {"lvchange", "-ay", "-K", "-S", "lv_name=~\"^snapfs_\"", vg(), NULL};
	struct look look = {.house = house, .snapshots = snapshots, .n = n};
	struct sf_err err = {0};

	if (look_around(&look, false)) {
		watch_once(house);
		(void)look_around(&look, true);
	}
	/*
	 * Activates all snapshots at once: one by one, as the product does it for readers, would take most of
	 * a try's time.
	 */
	if (look.idle && run_lvm(house->stage, readable, NULL, &err) < 0)
		stage_complain(house->stage, "%s", err.text);
}

static void list(const struct stage *stage, FILE *out)
{
	auto_free char *lvs = list_lvs(stage);

	(void)fprintf(out, "%s\n", lvs ? lvs : "");
}

const struct stage_ground lvm_ground = {.spec = spec, .open = open_storages, .check = check, .list = list};

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stage.h"

#include "backends/file/file.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Several times the content of all `mem` disks and snapshots of one try. */
#define MEM_BYTES  (64 * 1024 * 1024)
#define FILES_OPEN 16

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void make_dir(const struct stage *stage, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", stage->path, name);
	need(mkdir(path, 0700) == 0, path);
}

static void disk_path(const struct stage *stage, unsigned i, char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/images/disk%u.img", stage->path, i);
}

static void make_image(const struct stage *stage, unsigned i)
{
	char path[PATH_MAX];
	int fd;

	disk_path(stage, i, path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	need(fd >= 0 && ftruncate(fd, STAGE_DISK_BYTES) == 0 && close(fd) == 0, path);
}

void stage_new(struct stage *stage, const char *base, const char *storage, unsigned ndisks)
{
	struct sf_err err = {0};

	*stage = (struct stage){.storage = storage, .ndisks = ndisks};
	(void)snprintf(stage->path, sizeof(stage->path), "%s/sweep.XXXXXX", base);
	need(mkdtemp(stage->path) != NULL, stage->path);
	make_dir(stage, "images");
	make_dir(stage, "graveyard");
	for (unsigned i = 0; i < ndisks; i++)
		make_image(stage, i);
	stage->shared =
		mmap(NULL, sizeof(*stage->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(stage->shared != MAP_FAILED, "mmap");
	need(sf_mem_world_new(MEM_BYTES, &stage->mem, &err) == 0 && sf_sim_world_new(&stage->sim, &err) == 0,
	     err.text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

void stage_free(struct stage *stage)
{
	sf_sim_world_free(stage->sim);
	sf_mem_world_free(stage->mem);
	need(munmap(stage->shared, sizeof(*stage->shared)) == 0, "munmap");
	need(nftw(stage->path, remove_one, FILES_OPEN, FTW_DEPTH | FTW_PHYS) == 0, stage->path);
}

void stage_complain(struct stage *stage, const char *fmt, ...)
{
	char *text = stage->shared->complaints;
	size_t len = strlen(text);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text + len, STAGE_COMPLAINTS - len - 1, fmt, args); /* the first ones tell most */
	va_end(args);
	len = strlen(text);
	text[len] = '\n';
	text[len + 1] = '\0';
}

/*
 * Whether a call of a backend is a point. Queries are not: a stop before one equals a stop after the change
 * before it.
 */
static bool changes(const char *call)
{
	static const char *const names[] = {"storage.create",    "storage.settle",   "storage.remove",
					    "storage.revert",    "storage.recreate", "hypervisor.pause",
					    "hypervisor.resume", "hypervisor.save",  "hypervisor.restore",
					    "hypervisor.stop",   "hypervisor.start", "hypervisor.quiesce",
					    "hypervisor.thaw"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(call, names[i]) == 0)
			return true;
	return false;
}

static void observe(void *arg, const char *call)
{
	(void)arg;
	if (changes(call))
		crashsim_point(call);
}

static void disk_spec(const struct stage *stage, unsigned i, char spec[static PATH_MAX])
{
	if (stage->ground)
		stage->ground->spec(stage, i, spec);
	else if (strcmp(stage->storage, "mem") == 0)
		(void)snprintf(spec, PATH_MAX, "mem:192K");
	else
		disk_path(stage, i, spec);
}

static int configure(struct house *house, struct sf_err *err)
{
	char arg[2 * PATH_MAX] = STAGE_VM "=";

	sf_config_init(&house->config);
	for (unsigned i = 0; i < house->stage->ndisks; i++) {
		char spec[PATH_MAX];

		disk_spec(house->stage, i, spec);
		(void)snprintf(arg + strlen(arg), sizeof(arg) - strlen(arg), "%s%s", i ? "," : "", spec);
	}
	return sf_config_add_vm(&house->config, arg, err);
}

int house_add_storage(struct house *house, struct sf_storage *inner, struct sf_err *err)
{
	struct sf_storage *outer;
	int rc = sf_fault_storage(house->plan, inner, &outer, err);

	if (rc == 0)
		sf_storages_add(&house->storages, outer);
	return rc;
}

static int open_own_storages(struct house *house, struct sf_err *err)
{
	struct sf_storage *storage;
	int rc = sf_mem_open(&house->env, house->stage->mem, &storage, err);

	if (rc == 0)
		rc = house_add_storage(house, storage, err);
	if (rc == 0)
		rc = sf_file_open(&house->env, &storage, err);
	return rc < 0 ? rc : house_add_storage(house, storage, err);
}

static int open_backends(struct house *house, struct sf_err *err)
{
	int rc = sf_fault_plan_new("", &house->plan, err);

	if (rc < 0)
		return rc;
	sf_fault_plan_observe(house->plan, observe, NULL);
	house->env.config = &house->config;
	rc = house->stage->ground ? house->stage->ground->open(house, err) : open_own_storages(house, err);
	house->env.storages = &house->storages;
	if (rc == 0)
		rc = sf_sim_open(&house->env, house->stage->sim, 0, &house->sim, err);
	return rc < 0 ? rc : sf_fault_hypervisor(house->plan, house->sim, &house->hv, err);
}

bool house_open(struct house *house, struct stage *stage)
{
	struct sf_state *state = NULL;
	struct sf_err err = {0};
	char path[PATH_MAX];
	int rc;

	*house = (struct house){.stage = stage};
	(void)snprintf(path, sizeof(path), "%s/state", stage->path);
	rc = configure(house, &err);
	if (rc == 0)
		rc = sf_state_open(path, &state, &err);
	if (rc == 0) {
		house->env.state_id = sf_state_id(state);
		rc = open_backends(house, &err);
	}
	if (rc == 0)
		rc = sf_engine_open(&house->engine, state, &house->config, &house->storages, house->hv, &err);
	if (rc == 0)
		return true;
	sf_state_close(state);
	stage_complain(stage, "the engine does not start: %s", err.text);
	return false;
}

void house_close_engine(struct house *house)
{
	sf_engine_close(house->engine);
	house->engine = NULL;
}

void house_close(struct house *house)
{
	house_close_engine(house);
	sf_hypervisor_close(house->hv);
	sf_storages_close(&house->storages);
	sf_fault_plan_free(house->plan);
	sf_config_fini(&house->config);
}

struct sf_volume *house_volume(struct house *house, unsigned i)
{
	struct sf_volume *volume;
	struct sf_err err = {0};

	if (sf_volume_open(&house->storages, STAGE_VM, &house->config.vms[0].disks[i], &volume, &err) == 0)
		return volume;
	stage_complain(house->stage, "live disk %u: %s", i, err.text);
	return NULL;
}

struct sf_sim_view house_view(struct house *house)
{
	struct sf_sim_view view = {0};

	if (sf_sim_view(house->sim, STAGE_VM, &view) < 0)
		stage_complain(house->stage, "there is no guest");
	return view;
}

struct sf_vm_desc house_vm(struct house *house)
{
	struct sf_vm_desc vm = {.disks = house->config.vms[0].disks, .ndisks = house->config.vms[0].ndisks};

	(void)snprintf(vm.name, sizeof(vm.name), "%s", STAGE_VM);
	return vm;
}

uint64_t house_vm_id(struct house *house)
{
	struct sf_vm_info info = {0};

	(void)sf_catalog_vm(sf_engine_catalog(house->engine), STAGE_VM, &info); /* not shown: 0 */
	return info.id;
}

void stage_content(unsigned i, uint64_t tick, char *buf)
{
	struct sf_sim_sector sector = {
		.magic = {'S', 'N', 'A', 'P', 'F', 'S', 'I', 'M'}, .tick = tick, .name = STAGE_VM};
	uint64_t value = tick * STAGE_DISKS_MAX + i + 1;

	memset(buf, 0, STAGE_DISK_BYTES);
	if (tick == 0)
		return; /* a blank disk */
	for (size_t at = 0; at < STAGE_DISK_BYTES; at += sizeof(value)) {
		value = value * 6364136223846793005 + 1442695040888963407; /* Knuth's MMIX generator */
		memcpy(buf + at, &value, sizeof(value));
	}
	memset(buf, 0, 512);
	memcpy(buf, &sector, sizeof(sector));
	memset(buf + SF_MEM_CHUNK, 0, SF_MEM_CHUNK);
}

static void write_pattern(struct house *house, unsigned i, uint64_t tick)
{
	static char buf[STAGE_DISK_BYTES];
	struct sf_volume *volume = house_volume(house, i);
	struct sf_err err = {0};

	stage_content(i, tick, buf);
	if (!volume)
		return;
	for (size_t at = 0; at < STAGE_DISK_BYTES; at += (size_t)2 * SF_MEM_CHUNK)
		if (sf_volume_write(volume, buf + at, SF_MEM_CHUNK, at, &err) < 0)
			stage_complain(house->stage, "write disk %u: %s", i, err.text);
	sf_volume_close(volume);
}

uint64_t house_advance(struct house *house, unsigned ticks)
{
	uint64_t tick;

	sf_sim_tick(house->sim, ticks);
	tick = house_view(house).tick;
	for (unsigned i = 0; i < house->stage->ndisks; i++)
		write_pattern(house, i, tick);
	return tick;
}

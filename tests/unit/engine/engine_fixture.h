/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixture with a complete engine: `mem` disks, `sim` guests, a temporary state directory, and a fault plan
 * between the engine and its backends. The guest ticks only when the test tells it to. fixture_close() and
 * fixture_open() act like a restart of the daemon: disks and guests survive.
 */
#ifndef SF_TESTS_UNIT_ENGINE_FIXTURE_H
#define SF_TESTS_UNIT_ENGINE_FIXTURE_H

#include "backends/fault/fault.h"
#include "backends/sim/sim.h"
#include "backends/mem/mem.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/engine/engine.h"
#include "core/state/state.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[128];
	char state_dir[144];
	struct sf_config config;
	struct sf_mem_world *mem;
	struct sf_sim_world *sim;
	struct sf_fault_plan *plan;
	struct sf_storages storages;
	struct sf_hypervisor *hv;     /* what the engine uses: the sim behind the fault plan */
	struct sf_hypervisor *guests; /* the sim itself */
	struct sf_engine *engine;
	void (*observe)(void *fixture, const char *call); /* every call to a backend; NULL: none */
	void (*dress)(struct sf_storage *mem); /* optional: adds slots to the storage before it is used */
};

static inline void fixture_open(struct fixture *f, const char *faults)
{
	struct sf_err err = {0};
	struct sf_backend_env env = {.config = &f->config};
	struct sf_state *state;
	struct sf_storage *mem, *faulty;

	assert_int_equal(sf_state_open(f->state_dir, &state, &err), 0);
	env.state_id = sf_state_id(state);
	assert_int_equal(sf_fault_plan_new(faults, &f->plan, &err), 0);
	sf_fault_plan_observe(f->plan, f->observe, f);
	assert_int_equal(sf_mem_open(&env, f->mem, &mem, &err), 0);
	if (f->dress)
		f->dress(mem);
	assert_int_equal(sf_fault_storage(f->plan, mem, &faulty, &err), 0);
	f->storages = (struct sf_storages){.nstorages = 0};
	sf_storages_add(&f->storages, faulty);
	env.storages = &f->storages;
	assert_int_equal(sf_sim_open(&env, f->sim, 0, &f->guests, &err), 0);
	assert_int_equal(sf_fault_hypervisor(f->plan, f->guests, &f->hv, &err), 0);
	assert_int_equal(sf_engine_open(&f->engine, state, &f->config, &f->storages, f->hv, &err), 0);
}

static inline void fixture_close(struct fixture *f)
{
	sf_engine_close(f->engine);
	sf_hypervisor_close(f->hv);
	sf_storages_close(&f->storages);
	sf_fault_plan_free(f->plan);
	f->engine = NULL;
}

static inline void fixture_reopen(struct fixture *f, const char *faults)
{
	fixture_close(f);
	fixture_open(f, faults);
}

static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	(void)signal(SIGPIPE, SIG_IGN);
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "engine"));
	(void)snprintf(f->state_dir, sizeof(f->state_dir), "%s/state", f->dir);
	sf_config_init(&f->config);
	assert_int_equal(sf_config_add_vm(&f->config, "web=mem:1M,mem:256K", NULL), 0);
	assert_int_equal(sf_config_add_vm(&f->config, "db=mem:512K", NULL), 0);
	assert_int_equal(sf_mem_world_new(256ULL << 20, &f->mem, NULL), 0);
	assert_int_equal(sf_sim_world_new(&f->sim, NULL), 0);
	fixture_open(f, "");
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	char command[160];

	if (f->engine)
		fixture_close(f);
	sf_sim_world_free(f->sim);
	sf_mem_world_free(f->mem);
	sf_config_fini(&f->config);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static inline struct sf_sim_view fixture_guest(struct fixture *f, const char *name)
{
	struct sf_sim_view view;

	assert_int_equal(sf_sim_view(f->guests, name, &view), 0);
	return view;
}

/* Waits until the guest runs; fails the test after 2 minutes. */
static inline void fixture_await_running(struct fixture *f, const char *vm)
{
	for (int i = 0; i < 12000 && fixture_guest(f, vm).power != SF_POWER_RUNNING; i++)
		(void)poll(NULL, 0, 10); /* the watchdog and the keeper run in their own threads */
	assert_int_equal(fixture_guest(f, vm).power, SF_POWER_RUNNING);
}

static inline void fixture_tick(struct fixture *f, unsigned n)
{
	sf_sim_tick(f->guests, n);
}

/* The VM's id, or 0 if the VM is not shown. */
static inline uint64_t fixture_vm(struct fixture *f, const char *vm)
{
	struct sf_vm_info info = {0};

	(void)sf_catalog_vm(sf_engine_catalog(f->engine), vm, &info); /* not shown: 0 */
	return info.id;
}

/* Creates a snapshot with default options. Fails the test on any error. */
static inline void fixture_create(struct fixture *f, const char *vm, const char *name)
{
	struct sf_create_request request = {.name = ""};
	char made[SF_NAME_MAX + 1];
	struct sf_err err = {0};

	(void)snprintf(request.name, sizeof(request.name), "%s", name);
	if (sf_engine_create(f->engine, fixture_vm(f, vm), &request, NULL, made, &err) < 0)
		fail_msg("create %s/%s: %s", vm, name, err.text);
	assert_string_equal(made, name);
}

static inline void fixture_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' does not say '%s'", text, part);
}

static inline int fixture_try(struct fixture *f, const char *vm, const struct sf_create_request *request,
			      struct sf_err *err)
{
	char made[SF_NAME_MAX + 1];

	return sf_engine_create(f->engine, fixture_vm(f, vm), request, NULL, made, err);
}

/* Asserts that a create fails with that code and a text that says so. */
static inline void fixture_fails(struct fixture *f, const char *vm, const struct sf_create_request *request,
				 int rc, const char *text)
{
	struct sf_err err = {0};

	assert_int_equal(fixture_try(f, vm, request, &err), rc);
	fixture_says(err.text, text);
}

/* A reference that the caller drops, or NULL if there is no such snapshot. */
static inline struct sf_snapshot *fixture_find(struct fixture *f, const char *vm, const char *name)
{
	struct sf_catalog *catalog = sf_engine_catalog(f->engine);
	struct sf_snapshot *snapshot = NULL;
	struct sf_vm_info info;

	if (sf_catalog_vm(catalog, vm, &info) == 0)
		(void)sf_catalog_snapshot(catalog, info.id, name, &snapshot);
	return snapshot;
}

static inline bool fixture_has(struct fixture *f, const char *vm, const char *name)
{
	struct sf_snapshot *snapshot = fixture_find(f, vm, name);

	sf_snapshot_unref(snapshot);
	return snapshot != NULL;
}

/* The guest's tick that is recorded on a snapshot's disk. */
static inline uint64_t fixture_disk_tick(struct fixture *f, const char *vm, const char *name, size_t disk)
{
	struct sf_snapshot *snapshot = fixture_find(f, vm, name);
	struct sf_sim_sector sector;
	struct sf_image *image;
	struct sf_err err = {0};
	size_t len;

	assert_non_null(snapshot);
	if (sf_engine_image_open(f->engine, snapshot, disk, &image, &err) < 0)
		fail_msg("open disk %zu of %s/%s: %s", disk, vm, name, err.text);
	assert_int_equal(sf_image_pread(image, &sector, sizeof(sector), 0, &len, &err), 0);
	sf_engine_image_close(f->engine, snapshot->id, image);
	sf_snapshot_unref(snapshot);
	return sector.tick;
}

static inline size_t fixture_count(struct fixture *f, const char *vm)
{
	struct sf_vm_info info;

	assert_int_equal(sf_catalog_vm(sf_engine_catalog(f->engine), vm, &info), 0);
	return info.nsnapshots;
}

static int count_object(void *arg, const struct sf_object *object, const char *where, struct sf_err *err)
{
	(void)object;
	(void)where;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

/* Counts the volumes with our mark that belong to a VM's disk, whether a snapshot owns them or not. */
static inline size_t fixture_objects(struct fixture *f, const char *origin)
{
	size_t n = 0;

	assert_int_equal(sf_object_list(f->storages.list[0], origin, count_object, &n, NULL), 0);
	return n;
}

#endif

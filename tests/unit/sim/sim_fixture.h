/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixture with a sim guest "web" and two disks in memory. The worlds survive when the hypervisor is closed.
 */
#ifndef TESTS_UNIT_SIM_FIXTURE_H
#define TESTS_UNIT_SIM_FIXTURE_H

#include "backends/sim/sim.h"
#include "backends/mem/mem.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NDISKS 2

static const struct sf_vm_desc web = {.name = "web"};

struct fixture {
	struct sf_mem_world *disks_world;
	struct sf_sim_world *world;
	struct sf_disk disks[NDISKS];
	struct sf_vm_config vm;
	struct sf_config config;
	struct sf_storages storages;
	struct sf_backend_env env;
	struct sf_hypervisor *hv;
	FILE *ram[2];
	struct sf_err err;
};

static inline void ok(int rc, const struct sf_err *err)
{
	if (rc < 0)
		print_error("%s\n", err->text);
	assert_int_equal(rc, 0);
}

static inline void fails(struct fixture *f, int rc, int expected, const char *text)
{
	if (!strstr(f->err.text, text))
		print_error("'%s' without '%s'\n", f->err.text, text);
	assert_int_equal(rc, expected);
	assert_non_null(strstr(f->err.text, text));
}

static inline void open_sim(struct fixture *f, unsigned tick_ms)
{
	ok(sf_sim_open(&f->env, f->world, tick_ms, &f->hv, &f->err), &f->err);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sf_storage *mem = NULL;

	assert_non_null(f);
	f->disks[0] = (struct sf_disk){"vda", "mem:1M"};
	f->disks[1] = (struct sf_disk){"vdb", "mem:4K"};
	f->vm = (struct sf_vm_config){.name = "web", .disks = f->disks, .ndisks = NDISKS};
	f->config = (struct sf_config){.vms = &f->vm, .nvms = 1};
	f->env = (struct sf_backend_env){sf_id_new(), &f->config, &f->storages};
	ok(sf_mem_world_new(16 * 1024 * 1024, &f->disks_world, &f->err), &f->err);
	ok(sf_sim_world_new(&f->world, &f->err), &f->err);
	ok(sf_mem_open(&f->env, f->disks_world, &mem, &f->err), &f->err);
	sf_storages_add(&f->storages, mem);
	for (size_t i = 0; i < 2; i++) {
		f->ram[i] = tmpfile();
		assert_non_null(f->ram[i]);
	}
	*state = f;
	return 0;
}

static inline int setup_running(void **state)
{
	int rc = setup(state);

	open_sim(*state, 0);
	return rc;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	sf_hypervisor_close(f->hv);
	sf_storages_close(&f->storages);
	sf_sim_world_free(f->world);
	sf_mem_world_free(f->disks_world);
	for (size_t i = 0; i < 2; i++)
		(void)fclose(f->ram[i]); /* the content is no longer needed */
	free(f);
	return 0;
}

static inline struct sf_sim_view view(struct fixture *f)
{
	struct sf_sim_view seen;

	assert_int_equal(sf_sim_view(f->hv, "web", &seen), 0);
	return seen;
}

static inline void check(struct fixture *f, enum sf_power power, bool crashed, uint64_t tick)
{
	struct sf_sim_view seen = view(f);

	assert_string_equal(sf_power_name(seen.power), sf_power_name(power));
	assert_int_equal(seen.crashed, crashed);
	assert_int_equal(seen.tick, tick);
}

static inline struct sf_volume *open_disk(struct fixture *f, size_t index)
{
	struct sf_volume *volume = NULL;

	ok(sf_volume_open(&f->storages, "web", &f->disks[index], &volume, &f->err), &f->err);
	return volume;
}

static inline struct sf_sim_sector sector_of(struct fixture *f, size_t index)
{
	struct sf_volume *volume = open_disk(f, index);
	struct sf_sim_sector sector;

	ok(sf_volume_read(volume, &sector, sizeof(sector), 0, &f->err), &f->err);
	sf_volume_close(volume);
	return sector;
}

static inline void put_sector(struct fixture *f, size_t index, const void *sector, size_t len)
{
	struct sf_volume *volume = open_disk(f, index);

	ok(sf_volume_write(volume, sector, len, 0, &f->err), &f->err);
	sf_volume_close(volume);
}

static inline int nothing(void *arg, struct sf_err *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static inline void save(struct fixture *f, size_t into)
{
	const struct sf_save_hooks hooks = {nothing, nothing, NULL};

	ok(sf_hypervisor_save(f->hv, &web, fileno(f->ram[into]), true, &hooks, NULL, &f->err), &f->err);
}

#define CASE(f)   cmocka_unit_test_setup_teardown(f, setup_running, teardown)
#define CLOSED(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

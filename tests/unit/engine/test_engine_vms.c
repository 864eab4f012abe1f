/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which VM owns which directory when VMs appear, disappear and are renamed: mem disks under a hypervisor
 * whose list the test sets.
 */
#include "backends/mem/mem.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/engine/engine.h"
#include "core/state/state.h"
#include "lib/tmpdir.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID_A "6fd0f9a2-0000-4000-8000-00000000000a"
#define UUID_B "6fd0f9a2-0000-4000-8000-00000000000b"

struct listed {
	const char *name;
	const char *uuid;
};

struct listing {
	struct sf_hypervisor base;
	const struct listed *vms;
	size_t nvms;
	int rc;
};

static int list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	const struct listing *l = (struct listing *)hv;

	if (l->rc < 0)
		return sf_fail(err, l->rc, "the toolstack does not answer");
	ret->vms = calloc(l->nvms + 1, sizeof(*ret->vms));
	ret->nvms = l->nvms;
	for (size_t i = 0; i < l->nvms; i++) {
		struct sf_vm_desc *vm = &ret->vms[i];

		(void)snprintf(vm->name, sizeof(vm->name), "%s", l->vms[i].name);
		(void)snprintf(vm->uuid, sizeof(vm->uuid), "%s", l->vms[i].uuid);
		vm->disks = calloc(1, sizeof(*vm->disks));
		vm->ndisks = 1;
		(void)snprintf(vm->disks->vdev, sizeof(vm->disks->vdev), "vda");
		(void)snprintf(vm->disks->spec, sizeof(vm->disks->spec), "mem:64K");
	}
	return 0;
}

static int power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		 struct sf_err *err)
{
	(void)hv;
	(void)vm;
	(void)err;
	*ret = SF_POWER_UNKNOWN;
	return 0;
}

static void close_listing(struct sf_hypervisor *hv)
{
	(void)hv;
}

static const struct sf_hypervisor_ops listing_ops = {
	.name = "listing", .list = list, .power = power, .close = close_listing};

struct fixture {
	char dir[128];
	struct sf_config config;
	struct sf_mem_world *world;
	struct sf_storages storages;
	struct listing hv;
	struct sf_engine *engine;
};

static void start(struct fixture *f, const struct listed *vms, size_t nvms)
{
	struct sf_backend_env env = {.config = &f->config};
	struct sf_state *state;
	struct sf_storage *mem;
	char path[144];

	if (f->engine) {
		sf_engine_close(f->engine);
		sf_storages_close(&f->storages);
	}
	f->storages = (struct sf_storages){.nstorages = 0};
	f->hv.vms = vms;
	f->hv.nvms = nvms;
	(void)snprintf(path, sizeof(path), "%s/state", f->dir);
	assert_int_equal(sf_state_open(path, &state, NULL), 0);
	env.state_id = sf_state_id(state);
	assert_int_equal(sf_mem_open(&env, f->world, &mem, NULL), 0);
	sf_storages_add(&f->storages, mem);
	assert_int_equal(sf_engine_open(&f->engine, state, &f->config, &f->storages, &f->hv.base, NULL), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->hv.base.ops = &listing_ops;
	assert_non_null(test_tmpdir(f->dir, sizeof(f->dir), "vms"));
	sf_config_init(&f->config);
	assert_int_equal(sf_mem_world_new(16 << 20, &f->world, NULL), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[160];

	sf_engine_close(f->engine);
	sf_storages_close(&f->storages);
	sf_mem_world_free(f->world);
	sf_config_fini(&f->config);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* The VM as it is shown; all zeros if it is not. */
static struct sf_vm_info info(struct fixture *f, const char *vm)
{
	struct sf_vm_info ret = {0};

	(void)sf_catalog_vm(sf_engine_catalog(f->engine), vm, &ret); /* not shown: zeros */
	return ret;
}

static int create(struct fixture *f, const char *vm, const char *name, struct sf_err *err)
{
	struct sf_create_request request = {.name = ""};
	char made[SF_NAME_MAX + 1];

	(void)snprintf(request.name, sizeof(request.name), "%s", name);
	return sf_engine_create(f->engine, info(f, vm).id, &request, NULL, made, err);
}

static void a_renamed_vm_keeps_its_snapshots_and_inodes(void **state)
{
	static const struct listed before[] = {{"web", UUID_A}}, after[] = {{"www", UUID_A}};
	struct fixture *f = *state;
	uint64_t id;

	start(f, before, 1);
	assert_int_equal(create(f, "web", "a", NULL), 0);
	id = info(f, "web").id;
	start(f, after, 1);
	assert_int_equal(info(f, "web").id, 0);
	assert_int_equal(info(f, "www").id, id);
	assert_int_equal(info(f, "www").nsnapshots, 1);
}

static void a_vm_that_is_gone_keeps_its_directory(void **state)
{
	static const struct listed before[] = {{"web", UUID_A}, {"empty", UUID_B}};
	struct fixture *f = *state;
	struct sf_err err = {0};

	start(f, before, 2);
	assert_int_equal(create(f, "web", "a", NULL), 0);
	start(f, NULL, 0);
	assert_int_equal(info(f, "web").nsnapshots, 1);
	assert_false(info(f, "web").present);
	assert_int_equal(info(f, "empty").id, 0);
	assert_int_equal(create(f, "web", "b", &err), -ENOENT);
	assert_non_null(strstr(err.text, "gone"));
	assert_int_equal(sf_engine_delete(f->engine, info(f, "web").id, "a", NULL, NULL), 0);
	assert_int_equal(info(f, "web").id, 0);
}

static void a_new_vm_of_the_same_name_is_another(void **state)
{
	static const struct listed before[] = {{"web", UUID_A}}, after[] = {{"web", UUID_B}};
	struct fixture *f = *state;
	struct sf_vm_info *vms;
	size_t n;

	start(f, before, 1);
	assert_int_equal(create(f, "web", "old", NULL), 0);
	start(f, after, 1);
	assert_int_equal(info(f, "web").nsnapshots, 0);
	assert_int_equal(create(f, "web", "new", NULL), 0);
	assert_int_equal(sf_catalog_vms(sf_engine_catalog(f->engine), &vms, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(vms[0].name, "web");
	assert_int_equal(strncmp(vms[1].name, "web~", 4), 0);
	assert_int_equal(vms[1].nsnapshots, 1);
	free(vms);
	start(f, after, 1); /* and both are found again */
	assert_int_equal(sf_catalog_vms(sf_engine_catalog(f->engine), &vms, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(vms[0].nsnapshots + vms[1].nsnapshots, 2);
	free(vms);
}

static void a_vm_recreated_meanwhile_gets_its_own_name(void **state)
{
	static const struct listed before[] = {{"web", UUID_A}}, after[] = {{"web", UUID_B}};
	struct fixture *f = *state;
	uint64_t old;

	start(f, before, 1);
	assert_int_equal(create(f, "web", "old", NULL), 0);
	old = info(f, "web").id;
	f->hv.vms = after;
	for (int i = 0; i < 1000 && info(f, "web").id == old; i++) {
		(void)poll(NULL, 0, 10); /* the engine asks again once a second */
		sf_engine_refresh(f->engine);
	}
	assert_int_not_equal(info(f, "web").id, old);
	assert_true(info(f, "web").present);
	assert_int_equal(info(f, "web").nsnapshots, 0);
}

static void a_vm_known_by_name_is_the_one_that_gets_a_uuid(void **state)
{
	static const struct listed before[] = {{"web", ""}}, after[] = {{"web", UUID_A}};
	struct fixture *f = *state;

	start(f, before, 1);
	assert_int_equal(create(f, "web", "a", NULL), 0);
	start(f, after, 1);
	assert_int_equal(info(f, "web").nsnapshots, 1);
	assert_int_equal(create(f, "web", "b", NULL), 0);
	start(f, after, 1);
	assert_int_equal(info(f, "web").nsnapshots, 2);
}

static void a_uuid_that_comes_late_stays_with_its_vm(void **state)
{
	static const struct listed named[] = {{"web", ""}}, with_uuid[] = {{"web", UUID_A}};
	struct fixture *f = *state;
	struct sf_vm_info *vms;
	size_t n;

	start(f, named, 1);
	assert_int_equal(create(f, "web", "a", NULL), 0);
	start(f, NULL, 0);
	f->hv.vms = with_uuid;
	f->hv.nvms = 1;
	for (int round = 0; round < 2; round++) { /* the second listing finds what the first has stored */
		for (int i = 0; i < 110; i++) {
			(void)poll(NULL, 0, 10); /* the engine asks again once a second */
			sf_engine_refresh(f->engine);
		}
	}
	assert_int_equal(sf_catalog_vms(sf_engine_catalog(f->engine), &vms, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(vms[0].nsnapshots, 1);
	assert_true(vms[0].present);
	free(vms);
}

static void a_vm_may_be_called_like_a_file_of_ours(void **state)
{
	static const struct listed vms[] = {{"lost+found", ""}, {"id", ""}};
	struct fixture *f = *state;

	start(f, vms, 2);
	assert_int_equal(create(f, "lost+found", "a", NULL), 0);
	assert_int_equal(create(f, "id", "a", NULL), 0);
	start(f, vms, 2);
	assert_int_equal(info(f, "lost+found").nsnapshots, 1);
	assert_int_equal(info(f, "id").nsnapshots, 1);
}

static void a_silent_toolstack_hides_nothing(void **state)
{
	static const struct listed vms[] = {{"web", UUID_A}};
	struct fixture *f = *state;
	char *health;

	start(f, vms, 1);
	assert_int_equal(create(f, "web", "a", NULL), 0);
	f->hv.rc = -ETIMEDOUT;
	start(f, vms, 1);
	assert_int_equal(info(f, "web").nsnapshots, 1);
	health = sf_engine_health_json(f->engine);
	assert_non_null(strstr(health, "does not answer"));
	free(health);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_renamed_vm_keeps_its_snapshots_and_inodes),
		CASE(a_vm_that_is_gone_keeps_its_directory),
		CASE(a_new_vm_of_the_same_name_is_another),
		CASE(a_vm_recreated_meanwhile_gets_its_own_name),
		CASE(a_vm_known_by_name_is_the_one_that_gets_a_uuid),
		CASE(a_uuid_that_comes_late_stays_with_its_vm),
		CASE(a_vm_may_be_called_like_a_file_of_ours),
		CASE(a_silent_toolstack_hides_nothing),
	};

	return cmocka_run_group_tests_name("engine-vms", tests, NULL, NULL);
}

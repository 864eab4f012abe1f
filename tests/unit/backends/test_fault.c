/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/fault/fault.h"

#include "backends/sim/sim.h"
#include "backends/mem/mem.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct sf_mem_world *world;
	struct sf_fault_plan *plan;
	struct sf_storages set;
	struct sf_volume *volume;
	char seen[1024]; /* the observed calls, each followed by a blank */
	struct sf_err err;
};

static void ok(int rc, const struct sf_err *err)
{
	if (rc < 0)
		print_error("%s\n", err->text);
	assert_int_equal(rc, 0);
}

/* A disk in memory behind a fault plan. */
static struct fixture *open_with(const char *plan)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sf_backend_env env = {.state_id = sf_id_new()};
	struct sf_disk disk = {"vda", "mem:1M"};
	struct sf_storage *mem = NULL, *fault = NULL;

	assert_non_null(f);
	ok(sf_fault_plan_new(plan, &f->plan, &f->err), &f->err);
	ok(sf_mem_world_new(1024 * 1024, &f->world, &f->err), &f->err);
	ok(sf_mem_open(&env, f->world, &mem, &f->err), &f->err);
	ok(sf_fault_storage(f->plan, mem, &fault, &f->err), &f->err);
	sf_storages_add(&f->set, fault);
	ok(sf_volume_open(&f->set, "vm", &disk, &f->volume, &f->err), &f->err);
	return f;
}

static void close_fixture(struct fixture *f)
{
	sf_volume_close(f->volume);
	sf_storages_close(&f->set);
	sf_mem_world_free(f->world);
	sf_fault_plan_free(f->plan);
	free(f);
}

static int put(struct fixture *f)
{
	return sf_volume_write(f->volume, "x", 1, 0, &f->err);
}

static void plans_with_mistakes_are_refused_by_part(void **state)
{
	static const struct {
		const char *plan, *text;
	} mistakes[] = {
		{"storage.create", "'storage.create' is not CALL@COUNT=ACTION"},
		{"storage.create=EIO", "'storage.create=EIO' is not CALL@COUNT=ACTION"},
		{"storage.create@1", "'storage.create@1' is not CALL@COUNT=ACTION"},
		{"storage.stat@1=EIO,", "'' is not CALL@COUNT=ACTION"},
		{"create@1=EIO", "there is no call 'create'"},
		{"storage.explode@1=EIO", "there is no call 'storage.explode'"},
		{"storage.create@0=EIO", "'0' is not a valid count for storage.create"},
		{"storage.create@=EIO", "'' is not a valid count for storage.create"},
		{"storage.create@1x=EIO", "'1x' is not a valid count for storage.create"},
		{"storage.create@-1=EIO", "'-1' is not a valid count for storage.create"},
		{"storage.create@99999999999999999999=EIO", "is not a valid count for storage.create"},
		{"storage.create@1=ENONSENSE", "'ENONSENSE' is not a valid action for storage.create"},
		{"storage.create@1=", "'' is not a valid action for storage.create"},
		{"storage.create@1=delay", "'delay' is not a valid action"},
		{"storage.create@1=delay:", "'delay:' is not a valid action"},
		{"storage.create@1=delay:60001", "'delay:60001' is not a valid action"},
		{"storage.create@1=die-late",
		 "an errno, delay:1 to delay:60000, die, die-after or hold:FIFO"},
		{"storage.volume_close@1=EIO", "storage.volume_close cannot fail, with EIO or otherwise"},
		{"hypervisor.save@1=EIO,hypervisor.close@*=EIO", "hypervisor.close cannot fail"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct sf_fault_plan *plan = NULL;
		struct sf_err err = {0};

		assert_int_equal(sf_fault_plan_new(mistakes[i].plan, &plan, &err), -EINVAL);
		assert_null(plan);
		assert_int_equal(strncmp(err.text, "fault plan: ", 12), 0);
		if (!strstr(err.text, mistakes[i].text))
			print_error("'%s' without '%s'\n", err.text, mistakes[i].text);
		assert_non_null(strstr(err.text, mistakes[i].text));
	}
}

static void the_second_call_fails_and_no_other(void **state)
{
	struct fixture *f = open_with("storage.volume_write@2=EIO");
	char byte = 0;

	(void)state;
	ok(put(f), &f->err);
	assert_int_equal(sf_volume_write(f->volume, "y", 1, 0, &f->err), -EIO);
	assert_string_equal(f->err.text,
			    "storage.volume_write: Input/output error, injected by the fault plan");
	ok(sf_volume_read(f->volume, &byte, 1, 0, &f->err), &f->err);
	assert_int_equal(byte, 'x');
	ok(put(f), &f->err);
	close_fixture(f);
}

static void a_star_is_every_call(void **state)
{
	struct fixture *f = open_with("storage.volume_write@*=ENOSPC,storage.volume_stat@5=EIO");

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(put(f), -ENOSPC);
	assert_int_equal(put(f), -EIO); /* a write first asks for the size */
	close_fixture(f);
}

static void the_first_rule_that_fits_decides(void **state)
{
	struct fixture *f = open_with("storage.volume_write@1=EIO,storage.volume_write@*=ENOSPC,"
				      "storage.volume_write@2=EBUSY");

	(void)state;
	assert_int_equal(put(f), -EIO);
	assert_int_equal(put(f), -ENOSPC);
	assert_int_equal(put(f), -ENOSPC);
	close_fixture(f);
}

static void a_delayed_call_is_made_later(void **state)
{
	struct fixture *f = open_with("storage.volume_write@1=delay:60");
	uint64_t before = sf_clock_mono_ms();

	(void)state;
	ok(put(f), &f->err);
	assert_true(sf_clock_mono_ms() - before >= 59);
	close_fixture(f);
}

static struct sf_object new_object(const struct fixture *f)
{
	return (struct sf_object){.token = sf_id_new(),
				  .origin = f->volume->origin,
				  .vdev = "vda",
				  .vm = "vm",
				  .snapshot = "s"};
}

/* What remains after a child creates a snapshot under the plan and dies of it. */
static int left_by_death(const char *plan)
{
	struct fixture *f = open_with(plan);
	struct sf_object object = new_object(f);
	struct sf_object_stat st;
	int status = 0, rc;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)sf_object_create(f->volume, &object, NULL, &st, NULL);
		_exit(0); /* not reached */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), SF_FAULT_EXIT);
	rc = sf_object_stat(f->set.list[0], &object, &st, &f->err);
	close_fixture(f);
	return rc;
}

static void death_comes_before_or_after_the_call(void **state)
{
	(void)state;
	assert_int_equal(left_by_death("storage.create@1=die"), -ENOENT);
	assert_int_equal(left_by_death("storage.create@1=die-after"), 0);
}

static void observe(void *arg, const char *call)
{
	struct fixture *f = arg;
	size_t len = strlen(f->seen);

	(void)snprintf(f->seen + len, sizeof(f->seen) - len, "%s ", call);
}

static void every_call_is_observed_before_it_is_made(void **state)
{
	struct fixture *f = open_with("storage.create@1=EIO");
	struct sf_object object = new_object(f);
	struct sf_object_stat st;

	(void)state;
	sf_fault_plan_observe(f->plan, observe, f);
	assert_int_equal(sf_object_create(f->volume, &object, NULL, &st, &f->err), -EIO);
	ok(sf_object_create(f->volume, &object, NULL, &st, &f->err), &f->err);
	ok(sf_volume_hold(f->volume, &f->err), &f->err); /* mem has no hold slot */
	ok(sf_object_settle(f->set.list[0], &object, &f->err), &f->err);
	ok(sf_object_remove(f->set.list[0], &object, &f->err), &f->err);
	assert_string_equal(f->seen, "storage.create storage.create storage.remove ");
	assert_string_equal(f->set.list[0]->ops->name, "mem");
	close_fixture(f);
}

static void one_plan_serves_storage_and_hypervisor(void **state)
{
	struct fixture *f = open_with("hypervisor.pause@1=EAGAIN,hypervisor.power@1=ETIMEDOUT");
	struct sf_disk disk = {"vda", "mem:1M"};
	struct sf_vm_config vm = {.name = "web", .disks = &disk, .ndisks = 1};
	struct sf_config config = {.vms = &vm, .nvms = 1};
	struct sf_backend_env env = {sf_id_new(), &config, &f->set};
	const struct sf_vm_desc desc = {.name = "web"};
	struct sf_hypervisor *sim = NULL, *hv = NULL;
	enum sf_power power;

	(void)state;
	ok(sf_sim_open(&env, NULL, 0, &sim, &f->err), &f->err);
	ok(sf_fault_hypervisor(f->plan, sim, &hv, &f->err), &f->err);
	sf_fault_plan_observe(f->plan, observe, f);
	assert_int_equal(sf_hypervisor_pause(hv, &desc, &f->err), -EAGAIN);
	assert_string_equal(f->err.text,
			    "hypervisor.pause: Resource temporarily unavailable, injected by the fault plan");
	assert_int_equal(sf_hypervisor_power(hv, &desc, &power, &f->err), -ETIMEDOUT);
	ok(sf_hypervisor_power(hv, &desc, &power, &f->err), &f->err);
	assert_int_equal(power, SF_POWER_RUNNING);
	ok(sf_hypervisor_pause(hv, &desc, &f->err), &f->err);
	sf_hypervisor_close(hv);
	assert_string_equal(f->seen, "hypervisor.pause hypervisor.power hypervisor.power hypervisor.pause "
				     "hypervisor.close ");
	close_fixture(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_with_mistakes_are_refused_by_part),
		cmocka_unit_test(the_second_call_fails_and_no_other),
		cmocka_unit_test(a_star_is_every_call),
		cmocka_unit_test(the_first_rule_that_fits_decides),
		cmocka_unit_test(a_delayed_call_is_made_later),
		cmocka_unit_test(death_comes_before_or_after_the_call),
		cmocka_unit_test(every_call_is_observed_before_it_is_made),
		cmocka_unit_test(one_plan_serves_storage_and_hypervisor),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}

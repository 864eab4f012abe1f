/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/fault/fault.h"
#include "base/clock.h"
#include "sim_fixture.h"

#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

/* Longer than any event in these tests takes. */
#define DEADLINE_MS 20000

/* --- Ticking --- */

static void ticks_reach_ram_and_every_disk(void **state)
{
	struct fixture *f = *state;
	uint64_t tick = 0;

	check(f, SF_POWER_RUNNING, false, 0);
	sf_sim_tick(f->hv, 5);
	sf_sim_tick(f->hv, 2);
	check(f, SF_POWER_RUNNING, false, 7);
	for (size_t i = 0; i < NDISKS; i++) {
		struct sf_sim_sector sector = sector_of(f, i);

		assert_memory_equal(sector.magic, "SNAPFSIM", 8);
		assert_int_equal(le64toh(sector.tick), 7);
		assert_string_equal(sector.name, "web");
	}
	save(f, 0);
	ok(sf_sim_check_ram(fileno(f->ram[0]), &tick, &f->err), &f->err);
	assert_int_equal(tick, 7);
}

static void a_disk_of_another_instant_crashes_the_guest(void **state)
{
	struct fixture *f = *state;
	struct sf_sim_sector old;

	sf_sim_tick(f->hv, 3);
	old = sector_of(f, 1);
	sf_sim_tick(f->hv, 3);
	put_sector(f, 1, &old, sizeof(old));
	check(f, SF_POWER_RUNNING, false, 6);
	sf_sim_tick(f->hv, 1);
	check(f, SF_POWER_OFF, true, 6);
	assert_int_equal(le64toh(sector_of(f, 0).tick), 6);
	assert_int_equal(le64toh(sector_of(f, 1).tick), 3);
	put_sector(f, 0, &old, sizeof(old));
	ok(sf_hypervisor_start(f->hv, &web, false, &f->err), &f->err);
	check(f, SF_POWER_RUNNING, false, 3);
	sf_sim_tick(f->hv, 1);
	check(f, SF_POWER_RUNNING, false, 4);
}

static void disks_that_disagree_crash_a_started_guest(void **state)
{
	struct fixture *f = *state;
	struct sf_sim_sector old;

	sf_sim_tick(f->hv, 1);
	old = sector_of(f, 1);
	sf_sim_tick(f->hv, 1);
	ok(sf_hypervisor_stop(f->hv, &web, &f->err), &f->err);
	put_sector(f, 1, &old, sizeof(old));
	ok(sf_hypervisor_start(f->hv, &web, false, &f->err), &f->err);
	sf_sim_tick(f->hv, 1);
	check(f, SF_POWER_OFF, true, 2);
}

static void disks_of_others_are_never_written(void **state)
{
	static const char foreign[512] = "a partition table";
	struct fixture *f = *state;
	struct sf_sim_sector sector;

	put_sector(f, 0, foreign, sizeof(foreign));
	open_sim(f, 0);
	check(f, SF_POWER_OFF, false, 0);
	fails(f, sf_hypervisor_start(f->hv, &web, false, &f->err), -EINVAL,
	      "mem:web/vda holds data that the sim guest 'web' did not write");
	sf_sim_tick(f->hv, 3);
	sector = sector_of(f, 0);
	assert_memory_equal(&sector, foreign, sizeof(sector));
}

static void a_running_guest_spares_a_disk_that_was_replaced(void **state)
{
	static const char foreign[512] = "a partition table";
	struct fixture *f = *state;
	struct sf_sim_sector sector;

	sf_sim_tick(f->hv, 1);
	put_sector(f, 1, foreign, sizeof(foreign));
	sf_sim_tick(f->hv, 1);
	check(f, SF_POWER_OFF, true, 1);
	sector = sector_of(f, 1);
	assert_memory_equal(&sector, foreign, sizeof(sector));
}

static void a_guest_without_its_disk_is_off(void **state)
{
	struct fixture *f = *state;

	(void)snprintf(f->disks[1].spec, sizeof(f->disks[1].spec), "/there/is/no/such");
	open_sim(f, 0);
	check(f, SF_POWER_OFF, false, 0);
	fails(f, sf_hypervisor_start(f->hv, &web, false, &f->err), -ENOENT,
	      "/there/is/no/such: No such file");
}

static void time_passes_by_itself_when_asked_to(void **state)
{
	struct fixture *f = *state;
	uint64_t until = sf_clock_mono_ms() + DEADLINE_MS;

	open_sim(f, 1);
	while (view(f).tick < 5 && sf_clock_mono_ms() < until)
		sched_yield();
	assert_true(view(f).tick >= 5);
	ok(sf_hypervisor_pause(f->hv, &web, &f->err), &f->err);
	ok(sf_hypervisor_stop(f->hv, &web, &f->err), &f->err);
	assert_false(view(f).crashed);
}

static void nobody_of_that_name_is_seen(void **state)
{
	struct fixture *f = *state;
	struct sf_sim_view seen;

	assert_int_equal(sf_sim_view(f->hv, "nobody", &seen), -ENOENT);
}

/* --- Identity --- */

static void uuids_follow_from_names(void **state)
{
	struct fixture *f = *state;
	struct sf_vm_config vms[2] = {f->vm, {.name = "db"}};
	struct sf_vm_list list = {0}, again = {0};

	f->config = (struct sf_config){.vms = vms, .nvms = 2};
	open_sim(f, 0);
	ok(sf_hypervisor_list(f->hv, &list, &f->err), &f->err);
	ok(sf_hypervisor_list(f->hv, &again, &f->err), &f->err);
	assert_int_equal(list.nvms, 2);
	assert_int_equal(strlen(list.vms[0].uuid), 36);
	assert_int_equal(strspn(list.vms[0].uuid, "0123456789abcdef-"), 36);
	assert_int_equal(list.vms[0].uuid[14], '8');
	assert_string_equal(list.vms[0].uuid, again.vms[0].uuid);
	assert_string_not_equal(list.vms[0].uuid, list.vms[1].uuid);
	assert_int_equal(list.vms[0].memory_bytes, SF_SIM_RAM);
	sf_vm_list_fini(&list);
	sf_vm_list_fini(&again);
}

static void too_many_guests_are_refused_before_any_starts(void **state)
{
	struct fixture *f = *state;
	size_t n = SF_SIM_GUESTS_MAX + 1;
	struct sf_vm_config *vms = calloc(n, sizeof(*vms));

	assert_non_null(vms);
	for (size_t i = 0; i < n; i++)
		(void)snprintf(vms[i].name, sizeof(vms[i].name), "vm%zu", i);
	f->config = (struct sf_config){.vms = vms, .nvms = n};
	fails(f, sf_sim_open(&f->env, f->world, 0, &f->hv, &f->err), -EINVAL,
	      "sim runs at most 256 guests, not 257");
	f->config = (struct sf_config){.vms = &f->vm, .nvms = 1};
	f->vm.ndisks = SF_VM_DISKS_MAX + 1;
	fails(f, sf_sim_open(&f->env, f->world, 0, &f->hv, &f->err), -EINVAL,
	      "sim guest 'web' has 65 disks, more than 64");
	assert_null(f->hv);
	f->vm.ndisks = NDISKS;
	open_sim(f, 0);
	check(f, SF_POWER_RUNNING, false, 0);
	free(vms);
}

/* --- Worlds and faults --- */

static void guests_outlive_the_process(void **state)
{
	struct fixture *f = *state;

	sf_sim_tick(f->hv, 3);
	ok(sf_hypervisor_pause(f->hv, &web, &f->err), &f->err);
	sf_hypervisor_close(f->hv);
	open_sim(f, 0);
	check(f, SF_POWER_PAUSED, false, 3);
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	sf_sim_tick(f->hv, 1);
	check(f, SF_POWER_RUNNING, false, 4);
}

/* The same disks behind a fault plan, for guests that hit its faults. */
static struct sf_hypervisor *open_faulty(struct fixture *f, const char *text, struct sf_storages *set,
					 struct sf_fault_plan **plan)
{
	struct sf_backend_env env = {f->env.state_id, &f->config, set};
	struct sf_storage *mem = NULL, *fault = NULL;
	struct sf_hypervisor *hv = NULL;

	ok(sf_fault_plan_new(text, plan, &f->err), &f->err);
	ok(sf_mem_open(&f->env, f->disks_world, &mem, &f->err), &f->err);
	ok(sf_fault_storage(*plan, mem, &fault, &f->err), &f->err);
	sf_storages_add(set, fault);
	ok(sf_sim_open(&env, f->world, 0, &hv, &f->err), &f->err);
	return hv;
}

static void a_tick_cut_short_by_death_is_finished(void **state)
{
	static const char *const deaths[] = {"storage.volume_write@1=die", "storage.volume_write@1=die-after",
					     "storage.volume_write@2=die",
					     "storage.volume_write@2=die-after"};
	struct fixture *f = *state;

	for (uint64_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
		int status = 0;
		pid_t pid;

		sf_sim_tick(f->hv, 1);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct sf_storages set = {0};
			struct sf_fault_plan *plan;

			sf_sim_tick(open_faulty(f, deaths[i], &set, &plan), 1);
			_exit(0); /* not reached */
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), SF_FAULT_EXIT);
		check(f, SF_POWER_RUNNING, false, 2 * (i + 1));
		assert_int_equal(le64toh(sector_of(f, 0).tick), 2 * (i + 1));
		assert_int_equal(le64toh(sector_of(f, 1).tick), 2 * (i + 1));
	}
	save(f, 0);
	ok(sf_sim_check_ram(fileno(f->ram[0]), &(uint64_t){0}, &f->err), &f->err);
}

static void a_guest_whose_disk_fails_crashes(void **state)
{
	struct fixture *f = *state;
	struct sf_storages set = {0};
	struct sf_fault_plan *plan;
	struct sf_hypervisor *faulty = open_faulty(f, "storage.volume_read@1=EIO", &set, &plan);

	sf_sim_tick(faulty, 1);
	check(f, SF_POWER_OFF, true, 0);
	sf_hypervisor_close(faulty);
	sf_storages_close(&set);
	sf_fault_plan_free(plan);
	ok(sf_hypervisor_start(f->hv, &web, false, &f->err), &f->err);
	check(f, SF_POWER_RUNNING, false, 0);
}

static unsigned nopen;

static void count_open(void *arg, const char *call)
{
	(void)arg;
	if (strcmp(call, "storage.volume_open") == 0)
		nopen++;
	if (strcmp(call, "storage.volume_close") == 0)
		nopen--;
}

static void no_disk_stays_open_between_ticks(void **state)
{
	struct fixture *f = *state;
	struct sf_storages set = {0};
	struct sf_fault_plan *plan;
	struct sf_hypervisor *hv = open_faulty(f, "", &set, &plan);

	nopen = 0;
	sf_fault_plan_observe(plan, count_open, NULL);
	sf_sim_tick(hv, 3);
	assert_int_equal(nopen, 0);
	ok(sf_hypervisor_stop(hv, &web, &f->err), &f->err);
	ok(sf_hypervisor_start(hv, &web, true, &f->err), &f->err);
	assert_int_equal(nopen, 0);
	sf_hypervisor_close(hv);
	sf_storages_close(&set);
	sf_fault_plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ticks_reach_ram_and_every_disk),
		CASE(a_disk_of_another_instant_crashes_the_guest),
		CASE(disks_that_disagree_crash_a_started_guest),
		CLOSED(disks_of_others_are_never_written),
		CASE(a_running_guest_spares_a_disk_that_was_replaced),
		CLOSED(a_guest_without_its_disk_is_off),
		CLOSED(time_passes_by_itself_when_asked_to),
		CASE(nobody_of_that_name_is_seen),
		CLOSED(uuids_follow_from_names),
		CLOSED(too_many_guests_are_refused_before_any_starts),
		CASE(guests_outlive_the_process),
		CASE(a_tick_cut_short_by_death_is_finished),
		CASE(a_guest_whose_disk_fails_crashes),
		CASE(no_disk_stays_open_between_ticks),
	};

	return cmocka_run_group_tests_name("sim", tests, NULL, NULL);
}

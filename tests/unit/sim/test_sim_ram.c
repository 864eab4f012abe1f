/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/contract/job.h"
#include "sim_fixture.h"

#include <errno.h>
#include <unistd.h>

static void not_ram(struct fixture *f, const char *text)
{
	uint64_t tick = 77;

	fails(f, sf_sim_check_ram(fileno(f->ram[0]), &tick, &f->err), -EINVAL, text);
	assert_int_equal(tick, 77);
}

static void a_torn_image_is_noticed(void **state)
{
	struct fixture *f = *state;

	sf_sim_tick(f->hv, 9);
	save(f, 0);
	assert_int_equal(ftruncate(fileno(f->ram[0]), SF_SIM_RAM - 1), 0);
	not_ram(f, "the RAM image ends after 4194303 of 4194304 bytes");
	assert_int_equal(ftruncate(fileno(f->ram[0]), SF_SIM_RAM), 0);
	not_ram(f, "page 1023 of the RAM is not of tick 9");
	assert_int_equal(ftruncate(fileno(f->ram[0]), SF_SIM_RAM + 1), 0);
	not_ram(f, "the RAM image has 4194305 bytes, not 4194304");
	assert_int_equal(ftruncate(fileno(f->ram[0]), 0), 0);
	not_ram(f, "ends after 0 of");
}

static void a_damaged_byte_is_noticed_wherever_it_is(void **state)
{
	static const off_t places[] = {0, 8, 16, 24, 4095, 4096, 4096 + 64, 5 * 4096 + 2048, SF_SIM_RAM - 1};
	struct fixture *f = *state;
	uint64_t tick;

	sf_sim_tick(f->hv, 2);
	save(f, 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = fileno(f->ram[0]);
		char byte;

		assert_int_equal(pread(fd, &byte, 1, places[i]), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, places[i]), 1);
		assert_int_equal(sf_sim_check_ram(fd, &tick, &f->err), -EINVAL);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, places[i]), 1);
	}
	ok(sf_sim_check_ram(fileno(f->ram[0]), &tick, &f->err), &f->err);
}

static void an_image_of_two_instants_is_noticed(void **state)
{
	struct fixture *f = *state;
	char piece[8192];

	sf_sim_tick(f->hv, 2);
	save(f, 0);
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	sf_sim_tick(f->hv, 1);
	save(f, 1);
	assert_int_equal(pread(fileno(f->ram[1]), piece, sizeof(piece), 40 * 4096), (ssize_t)sizeof(piece));
	assert_int_equal(pwrite(fileno(f->ram[0]), piece, sizeof(piece), 40 * 4096), (ssize_t)sizeof(piece));
	not_ram(f, "page 40 of the RAM is not of tick 2");
	assert_int_equal(pwrite(fileno(f->ram[0]), "elf", 3, 0), 3);
	not_ram(f, "this is not the RAM of a sim guest");
}

static void ram_goes_back_only_to_its_owner(void **state)
{
	struct fixture *f = *state;
	struct sf_vm_config vms[2] = {f->vm, {.name = "db"}};
	const struct sf_vm_desc db = {.name = "db"};

	f->config = (struct sf_config){.vms = vms, .nvms = 2};
	open_sim(f, 0);
	save(f, 0);
	ok(sf_hypervisor_stop(f->hv, &db, &f->err), &f->err);
	fails(f, sf_hypervisor_restore(f->hv, &db, fileno(f->ram[0]), &f->err), -EINVAL,
	      "this is the RAM of 'web', not of sim guest 'db'");
}

static void ram_without_its_disks_crashes_the_guest(void **state)
{
	struct fixture *f = *state;

	sf_sim_tick(f->hv, 4);
	save(f, 0);
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	sf_sim_tick(f->hv, 1);
	ok(sf_hypervisor_stop(f->hv, &web, &f->err), &f->err);
	ok(sf_hypervisor_restore(f->hv, &web, fileno(f->ram[0]), &f->err), &f->err);
	check(f, SF_POWER_PAUSED, false, 4);
	ok(sf_hypervisor_resume(f->hv, &web, &f->err), &f->err);
	sf_sim_tick(f->hv, 1);
	check(f, SF_POWER_OFF, true, 4);
}

struct meddler {
	struct fixture *f;
	struct sf_job job;
	bool resumes;
	unsigned nat_rest;
};

static int meddle(void *arg, struct sf_err *err)
{
	struct meddler *meddler = arg;

	if (meddler->resumes)
		return sf_hypervisor_resume(meddler->f->hv, &web, err);
	sf_job_cancel(&meddler->job);
	return 0;
}

static int count_rest(void *arg, struct sf_err *err)
{
	(void)err;
	((struct meddler *)arg)->nat_rest++;
	return 0;
}

static void a_guest_resumed_meanwhile_was_not_saved(void **state)
{
	struct fixture *f = *state;
	struct meddler meddler = {.f = f, .resumes = true};
	const struct sf_save_hooks hooks = {meddle, count_rest, &meddler};

	fails(f, sf_hypervisor_save(f->hv, &web, fileno(f->ram[0]), true, &hooks, NULL, &f->err), -EAGAIN,
	      "sim guest 'web' was resumed while its RAM was saved");
	assert_int_equal(meddler.nat_rest, 0);
	check(f, SF_POWER_RUNNING, false, 0);
}

static void a_save_can_be_cancelled_under_way(void **state)
{
	struct fixture *f = *state;
	struct meddler meddler = {.f = f};
	const struct sf_save_hooks hooks = {meddle, count_rest, &meddler};

	fails(f, sf_hypervisor_save(f->hv, &web, fileno(f->ram[0]), true, &hooks, &meddler.job, &f->err),
	      -EINTR, "save the RAM of sim guest 'web': cancelled");
	assert_int_equal(meddler.nat_rest, 0);
	assert_int_equal(meddler.job.total_bytes, SF_SIM_RAM);
	check(f, SF_POWER_PAUSED, false, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_torn_image_is_noticed),
		CASE(a_damaged_byte_is_noticed_wherever_it_is),
		CASE(an_image_of_two_instants_is_noticed),
		CLOSED(ram_goes_back_only_to_its_owner),
		CASE(ram_without_its_disks_crashes_the_guest),
		CASE(a_guest_resumed_meanwhile_was_not_saved),
		CASE(a_save_can_be_cancelled_under_way),
	};

	return cmocka_run_group_tests_name("sim_ram", tests, NULL, NULL);
}

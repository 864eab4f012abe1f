/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor contract on real Xen, in a dom0. tests/xen/cases/contract configures a guest CONTRACT_VM
 * that counts on the disk SNAPFS_TEST_DISK (tests/xen/guest.c). SNAPFS_TEST_CONFIGS is the directory of guest
 * configurations, SNAPFS_TEST_HELPER the helper.
 */
#include "backends/xen/xen.h"
#include "base/clock.h"
#include "base/err.h"
#include "suite.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK      4096 /* the guest's unit, and aligned for O_DIRECT */
#define DISK_BYTES (4 * 1024 * 1024)
/*
 * RUNS_MS: how long an emulated guest may take to boot and count. RESTS_MS: how long a paused guest is
 * observed.
 */
#define RUNS_MS  60000
#define RESTS_MS 1500
#define LOOK_MS  50

struct ground {
	struct sf_hypervisor *hv;
	int disk;
	uint64_t base, last; /* base: sum of earlier boots, because each boot counts from 1 again */
	uint64_t kept_base, kept_last;
	char *kept;
};

static const char *given(const char *name)
{
	const char *value = getenv(name);

	assert_non_null(value);
	return value;
}

static uint64_t count_on_disk(const struct ground *ground)
{
	static _Alignas(BLOCK) char block[BLOCK + 1];
	unsigned long count = 0;

	assert_int_equal(pread(ground->disk, block, BLOCK, 0), BLOCK);
	if (strncmp(block, "COUNT ", 6) == 0)
		count = strtoul(block + 6, NULL, 10);
	return count;
}

static uint64_t progress(void *arg)
{
	struct ground *ground = arg;
	uint64_t now = count_on_disk(ground);

	if (now < ground->last)
		ground->base += ground->last;
	ground->last = now;
	return ground->base + now;
}

static enum sf_power power_now(const struct ground *ground)
{
	const struct sf_vm_desc vm = {.name = CONTRACT_VM};
	enum sf_power power = SF_POWER_UNKNOWN;

	assert_int_equal(sf_hypervisor_power(ground->hv, &vm, &power, NULL), 0);
	return power;
}

static void let_run(void *arg)
{
	struct ground *ground = arg;
	uint64_t before,
		until = sf_clock_mono_ms() + (power_now(ground) == SF_POWER_RUNNING ? RUNS_MS : RESTS_MS);

	(void)usleep(LOOK_MS * 1000); /* writes from before a pause may still arrive */
	before = progress(ground);
	while (sf_clock_mono_ms() < until && progress(ground) == before)
		(void)usleep(LOOK_MS * 1000);
}

static void keep_disks(void *arg)
{
	struct ground *ground = arg;

	(void)progress(ground);
	ground->kept_base = ground->base;
	ground->kept_last = ground->last;
	assert_int_equal(pread(ground->disk, ground->kept, DISK_BYTES, 0), DISK_BYTES);
}

static void return_disks(void *arg)
{
	struct ground *ground = arg;

	assert_int_equal(pwrite(ground->disk, ground->kept, DISK_BYTES, 0), DISK_BYTES);
	ground->base = ground->kept_base;
	ground->last = ground->kept_last;
}

static void *setup(struct sf_hypervisor **ret)
{
	const struct sf_xen_options options = {.helper = given("SNAPFS_TEST_HELPER"),
					       .configs = given("SNAPFS_TEST_CONFIGS"),
					       .xl = "xl",
					       .deadline_ms = 60000};
	const struct sf_vm_desc vm = {.name = CONTRACT_VM};
	struct ground *ground = calloc(1, sizeof(*ground));
	struct sf_err err = {0};

	assert_non_null(ground);
	ground->disk = open(given("SNAPFS_TEST_DISK"), O_RDWR | O_DIRECT | O_CLOEXEC);
	assert_true(ground->disk >= 0);
	assert_int_equal(posix_memalign((void **)&ground->kept, BLOCK, DISK_BYTES), 0);
	contract_ok(sf_xen_open(&options, &ground->hv, &err), &err);
	if (power_now(ground) == SF_POWER_OFF)
		contract_ok(sf_hypervisor_start(ground->hv, &vm, false, &err), &err);
	contract_ok(sf_hypervisor_resume(ground->hv, &vm, &err), &err);
	let_run(ground);
	*ret = ground->hv;
	return ground;
}

static void teardown(void *arg, struct sf_hypervisor *hv)
{
	struct ground *ground = arg;

	sf_hypervisor_close(hv);
	(void)close(ground->disk); /* the test has written only what the guest has read since */
	free(ground->kept);
	free(ground);
}

int main(void)
{
	static const struct contract_hypervisor driver = {
		.name = "hypervisor xen",
		.setup = setup,
		.teardown = teardown,
		.caps = SF_HYPERVISOR_PAUSE | SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL,
		.calls_any_off = true,
		.progress = progress,
		.let_run = let_run,
		.keep_disks = keep_disks,
		.return_disks = return_disks,
	};

	return contract_hypervisor_run(&driver);
}

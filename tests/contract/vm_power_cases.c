/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cases of the hypervisor suite: the list of VMs, pausing, power. */
#include "vm_bench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* --- Any hypervisor --- */

static void the_list_describes_the_vm(void **state)
{
	struct vm_bench *bench = *state;
	struct sf_vm_list again = {0};

	assert_string_equal(bench->vm->name, CONTRACT_VM);
	assert_true(bench->vm->ndisks > 0);
	contract_ok(sf_hypervisor_list(bench->hv, &again, &bench->err), &bench->err);
	assert_int_equal(again.nvms, 1);
	assert_string_equal(again.vms[0].name, bench->vm->name);
	assert_string_equal(again.vms[0].uuid, bench->vm->uuid);
	assert_int_equal(again.vms[0].ndisks, bench->vm->ndisks);
	assert_string_equal(again.vms[0].disks[0].vdev, bench->vm->disks[0].vdev);
	assert_string_equal(again.vms[0].disks[0].spec, bench->vm->disks[0].spec);
	sf_vm_list_fini(&again);
}

static void a_vm_that_is_not_there_is_unknown(void **state)
{
	struct vm_bench *bench = *state;
	struct sf_vm_desc other = {.name = "nobody"};
	enum sf_power power;

	if (bench->driver->calls_any_off) {
		contract_ok(sf_hypervisor_power(bench->hv, &other, &power, &bench->err), &bench->err);
		assert_int_equal(power, SF_POWER_OFF);
		return;
	}
	contract_failed(sf_hypervisor_power(bench->hv, &other, &power, &bench->err), &bench->err, -ENOENT,
			"nobody");
	if (sf_hypervisor_can(bench->hv, SF_HYPERVISOR_PAUSE))
		contract_failed(sf_hypervisor_pause(bench->hv, &other, &bench->err), &bench->err, -ENOENT,
				"nobody");
	if (sf_hypervisor_can(bench->hv, SF_HYPERVISOR_CONTROL))
		contract_failed(sf_hypervisor_stop(bench->hv, &other, &bench->err), &bench->err, -ENOENT,
				"nobody");
}

static int never_called(void *arg, struct sf_err *err)
{
	(void)arg;
	return sf_fail(err, -EPROTO, "a hook was called");
}

static void what_it_cannot_do_is_not_supported(void **state)
{
	static const struct sf_save_hooks hooks = {never_called, never_called, NULL};
	struct vm_bench *bench = *state;
	struct sf_hypervisor *hv = bench->hv;
	struct sf_err *err = &bench->err;
	const struct sf_vm_desc *vm = bench->vm;

	if (!sf_hypervisor_can(hv, SF_HYPERVISOR_PAUSE)) {
		vm_check_power(bench, SF_POWER_UNKNOWN);
		contract_failed(sf_hypervisor_pause(hv, vm, err), err, -EOPNOTSUPP, "cannot pause");
		contract_failed(sf_hypervisor_resume(hv, vm, err), err, -EOPNOTSUPP, "cannot resume");
	}
	if (!sf_hypervisor_can(hv, SF_HYPERVISOR_MEMORY)) {
		contract_failed(sf_hypervisor_save(hv, vm, fileno(bench->ram), true, &hooks, NULL, err), err,
				-EOPNOTSUPP, "cannot save the RAM");
		contract_failed(sf_hypervisor_restore(hv, vm, fileno(bench->ram), err), err, -EOPNOTSUPP,
				"cannot restore the RAM");
	}
	if (!sf_hypervisor_can(hv, SF_HYPERVISOR_CONTROL)) {
		contract_failed(sf_hypervisor_stop(hv, vm, err), err, -EOPNOTSUPP, "cannot stop");
		contract_failed(sf_hypervisor_start(hv, vm, false, err), err, -EOPNOTSUPP, "cannot start");
	}
	if (!sf_hypervisor_can(hv, SF_HYPERVISOR_QUIESCE)) {
		contract_failed(sf_hypervisor_quiesce(hv, vm, err), err, -EOPNOTSUPP, "cannot quiesce");
		contract_failed(sf_hypervisor_thaw(hv, vm, err), err, -EOPNOTSUPP, "cannot thaw");
	}
}

/* --- Pausing --- */

static void a_paused_guest_is_at_rest_until_it_is_resumed(void **state)
{
	struct vm_bench *bench = *state;

	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
	vm_pause(bench);
	vm_check_power(bench, SF_POWER_PAUSED);
	vm_check_rests(bench);
	vm_pause(bench);
	vm_check_power(bench, SF_POWER_PAUSED);
	vm_resume(bench);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
	vm_resume(bench);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
}

static void a_quiesced_guest_does_nothing_until_it_is_thawed(void **state)
{
	struct vm_bench *bench = *state;

	contract_ok(sf_hypervisor_quiesce(bench->hv, bench->vm, &bench->err), &bench->err);
	contract_ok(sf_hypervisor_quiesce(bench->hv, bench->vm, &bench->err), &bench->err);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_rests(bench);
	vm_pause(bench);
	contract_failed(sf_hypervisor_thaw(bench->hv, bench->vm, &bench->err), &bench->err, -EAGAIN,
			"at rest");
	contract_failed(sf_hypervisor_quiesce(bench->hv, bench->vm, &bench->err), &bench->err, -EAGAIN,
			"at rest");
	vm_resume(bench);
	vm_check_rests(bench);
	contract_ok(sf_hypervisor_thaw(bench->hv, bench->vm, &bench->err), &bench->err);
	contract_ok(sf_hypervisor_thaw(bench->hv, bench->vm, &bench->err), &bench->err);
	vm_check_runs(bench);
}

/* --- Power --- */

static void stop_pulls_the_plug(void **state)
{
	struct vm_bench *bench = *state;

	vm_stop(bench);
	vm_check_power(bench, SF_POWER_OFF);
	vm_check_rests(bench);
	vm_stop(bench);
	vm_check_power(bench, SF_POWER_OFF);
	vm_start(bench, false);
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
	vm_pause(bench);
	vm_stop(bench);
	vm_check_power(bench, SF_POWER_OFF);
}

static void a_vm_that_is_off_has_nobody_to_talk_to(void **state)
{
	struct vm_bench *bench = *state;

	vm_stop(bench);
	contract_failed(sf_hypervisor_pause(bench->hv, bench->vm, &bench->err), &bench->err, -EINVAL, "off");
	vm_resume(bench);
	vm_check_power(bench, SF_POWER_OFF);
	if (!sf_hypervisor_can(bench->hv, SF_HYPERVISOR_QUIESCE))
		return;
	contract_failed(sf_hypervisor_quiesce(bench->hv, bench->vm, &bench->err), &bench->err, -EINVAL,
			"off");
	contract_ok(sf_hypervisor_thaw(bench->hv, bench->vm, &bench->err), &bench->err);
}

static void a_vm_can_be_started_at_rest(void **state)
{
	struct vm_bench *bench = *state;

	vm_stop(bench);
	vm_start(bench, true);
	vm_check_power(bench, SF_POWER_PAUSED);
	vm_check_rests(bench);
	vm_resume(bench);
	vm_check_runs(bench);
}

static void only_a_vm_that_is_off_can_be_started(void **state)
{
	struct vm_bench *bench = *state;

	contract_failed(sf_hypervisor_start(bench->hv, bench->vm, false, &bench->err), &bench->err, -EINVAL,
			"not off");
	vm_check_power(bench, SF_POWER_RUNNING);
	vm_check_runs(bench);
}

static void starting_ends_a_freeze(void **state)
{
	struct vm_bench *bench = *state;

	contract_ok(sf_hypervisor_quiesce(bench->hv, bench->vm, &bench->err), &bench->err);
	vm_stop(bench);
	vm_start(bench, false);
	vm_check_runs(bench);
}

static void check_disks(struct vm_bench *bench)
{
	for (size_t i = 0; i < bench->vm->ndisks; i++)
		contract_ok(sf_hypervisor_check_disk(bench->hv, bench->vm, &bench->vm->disks[i], &bench->err),
			    &bench->err);
}

/* Each path leads to the file that the guest has open. */
static void a_guest_has_its_disks_open(void **state)
{
	struct vm_bench *bench = *state;

	check_disks(bench);
	if (!sf_hypervisor_can(bench->hv, SF_HYPERVISOR_CONTROL))
		return;
	vm_stop(bench);
	check_disks(bench);
	vm_start(bench, false);
	check_disks(bench);
}

size_t vm_power_cases(const struct contract_case **ret)
{
	static const struct contract_case cases[] = {
		CONTRACT_CASE(the_list_describes_the_vm, 0),
		CONTRACT_CASE(a_vm_that_is_not_there_is_unknown, 0),
		CONTRACT_CASE(what_it_cannot_do_is_not_supported, 0),
		CONTRACT_CASE(a_paused_guest_is_at_rest_until_it_is_resumed, SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_quiesced_guest_does_nothing_until_it_is_thawed,
			      SF_HYPERVISOR_QUIESCE | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(stop_pulls_the_plug, SF_HYPERVISOR_CONTROL),
		CONTRACT_CASE(a_vm_that_is_off_has_nobody_to_talk_to,
			      SF_HYPERVISOR_CONTROL | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(a_vm_can_be_started_at_rest, SF_HYPERVISOR_CONTROL | SF_HYPERVISOR_PAUSE),
		CONTRACT_CASE(only_a_vm_that_is_off_can_be_started, SF_HYPERVISOR_CONTROL),
		CONTRACT_CASE(a_guest_has_its_disks_open, 0),
		CONTRACT_CASE(starting_ends_a_freeze, SF_HYPERVISOR_QUIESCE | SF_HYPERVISOR_CONTROL),
	};

	*ret = cases;
	return sizeof(cases) / sizeof(cases[0]);
}

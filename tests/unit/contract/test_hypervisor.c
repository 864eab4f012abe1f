/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks in core/contract/hypervisor.h, with a backend that violates the contract in the way a case sets.
 */
#include "core/contract/hypervisor.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct liar {
	struct sf_hypervisor base;
	struct sf_hypervisor_ops ops;
	struct sf_vm_desc vms[4];
	size_t nvms;
	enum sf_power power;
	unsigned npaused, nat_rest; /* how often save calls its hooks */
	bool paused_last;
	bool hides_failures;
	int rc;
	unsigned ncalls;
};

static struct liar *of(struct sf_hypervisor *hv)
{
	return (struct liar *)hv;
}

static int list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	const struct liar *liar = of(hv);

	(void)err;
	ret->vms = calloc(liar->nvms + 1, sizeof(*ret->vms));
	assert_non_null(ret->vms);
	for (ret->nvms = 0; ret->nvms < liar->nvms; ret->nvms++)
		assert_int_equal(sf_vm_desc_copy(&liar->vms[ret->nvms], &ret->vms[ret->nvms]), 0);
	return liar->rc;
}

static int power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		 struct sf_err *err)
{
	(void)vm;
	(void)err;
	*ret = of(hv)->power;
	return of(hv)->rc;
}

static int answer(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err)
{
	(void)vm;
	(void)err;
	of(hv)->ncalls++;
	return of(hv)->rc;
}

static int call_hook(int (*hook)(void *, struct sf_err *), void *arg, unsigned times, struct sf_err *err)
{
	int rc = 0;

	while (times-- > 0 && rc == 0)
		rc = hook(arg, err);
	return rc;
}

static int save(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, bool live,
		const struct sf_save_hooks *hooks, struct sf_job *job, struct sf_err *err)
{
	const struct liar *liar = of(hv);
	int rc = 0;

	(void)vm;
	(void)fd;
	(void)live;
	(void)job;
	if (!liar->paused_last)
		rc = call_hook(hooks->paused, hooks->arg, liar->npaused, err);
	if (rc == 0)
		rc = call_hook(hooks->at_rest, hooks->arg, liar->nat_rest, err);
	if (rc == 0 && liar->paused_last)
		rc = call_hook(hooks->paused, hooks->arg, liar->npaused, err);
	return rc < 0 && !liar->hides_failures ? rc : liar->rc;
}

static int restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err)
{
	(void)fd;
	return answer(hv, vm, err);
}

static int start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err)
{
	(void)paused;
	return answer(hv, vm, err);
}

static void close_liar(struct sf_hypervisor *hv)
{
	struct liar *liar = of(hv);

	for (size_t i = 0; i < liar->nvms; i++)
		sf_vm_desc_fini(&liar->vms[i]);
	free(liar);
}

static int setup(void **state)
{
	struct liar *liar = calloc(1, sizeof(*liar));

	assert_non_null(liar);
	liar->ops = (struct sf_hypervisor_ops){
		.name = "liar",
		.caps = SF_HYPERVISOR_PAUSE | SF_HYPERVISOR_MEMORY | SF_HYPERVISOR_CONTROL |
			SF_HYPERVISOR_QUIESCE,
		.list = list,
		.power = power,
		.pause = answer,
		.resume = answer,
		.save = save,
		.restore = restore,
		.stop = answer,
		.start = start,
		.quiesce = answer,
		.thaw = answer,
		.close = close_liar,
	};
	liar->base.ops = &liar->ops;
	liar->power = SF_POWER_RUNNING;
	liar->npaused = 1;
	liar->nat_rest = 1;
	*state = liar;
	return 0;
}

static int teardown(void **state)
{
	sf_hypervisor_close(*state);
	return 0;
}

static void fails(int rc, const struct sf_err *err, int expected, const char *text)
{
	if (!strstr(err->text, text))
		print_error("'%s' without '%s'\n", err->text, text);
	assert_int_equal(rc, expected);
	assert_int_equal(err->code, expected);
	assert_non_null(strstr(err->text, text));
}

static struct sf_vm_desc *add_vm(struct liar *liar, const char *name, const char *uuid, size_t ndisks)
{
	struct sf_vm_desc *vm = &liar->vms[liar->nvms++];

	(void)snprintf(vm->name, sizeof(vm->name), "%s", name);
	(void)snprintf(vm->uuid, sizeof(vm->uuid), "%s", uuid);
	vm->ndisks = ndisks;
	vm->disks = calloc(ndisks + 1, sizeof(*vm->disks));
	assert_non_null(vm->disks);
	for (size_t i = 0; i < ndisks; i++) {
		sf_vdev_name(i, vm->disks[i].vdev);
		(void)snprintf(vm->disks[i].spec, sizeof(vm->disks[i].spec), "/data/%zu.img", i);
	}
	return vm;
}

/* Lists the VMs. Returns what was logged meanwhile. */
static char *listed(struct liar *liar, struct sf_vm_list *ret)
{
	char *text = calloc(1, 4096);
	FILE *log = tmpfile();
	int saved = dup(STDERR_FILENO);

	assert_non_null(text);
	assert_non_null(log);
	assert_true(dup2(fileno(log), STDERR_FILENO) >= 0);
	assert_int_equal(sf_hypervisor_list(&liar->base, ret, NULL), 0);
	(void)fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(log);
	assert_true(fread(text, 1, 4095, log) < 4095);
	(void)fclose(log);
	return text;
}

static void check_left_out(struct liar *liar, const char *kept, const char *warning)
{
	struct sf_vm_list list = {0};
	char *log = listed(liar, &list);

	if (!strstr(log, warning))
		print_error("'%s' without '%s'\n", log, warning);
	assert_non_null(strstr(log, warning));
	assert_ptr_equal(strchr(log, '\n'), strrchr(log, '\n'));
	assert_int_equal(list.nvms, 1);
	assert_string_equal(list.vms[0].name, kept);
	sf_vm_list_fini(&list);
	free(log);
}

static void power_states_have_names(void **state)
{
	enum sf_power parsed = SF_POWER_PAUSED;

	(void)state;
	for (int i = SF_POWER_UNKNOWN; i <= SF_POWER_PAUSED; i++) {
		assert_int_equal(sf_power_parse(sf_power_name((enum sf_power)i), &parsed), 0);
		assert_int_equal(parsed, i);
	}
	assert_string_equal(sf_power_name((enum sf_power)77), "unknown");
	assert_int_equal(sf_power_parse("Running", &parsed), -EINVAL);
	assert_int_equal(sf_power_parse("", &parsed), -EINVAL);
	assert_int_equal(parsed, SF_POWER_PAUSED);
}

static void a_description_is_copied_deeply(void **state)
{
	struct liar *liar = *state;
	const struct sf_vm_desc *vm = add_vm(liar, "web", "u", 2);
	struct sf_vm_desc copy;

	assert_int_equal(sf_vm_desc_copy(vm, &copy), 0);
	assert_ptr_not_equal(copy.disks, vm->disks);
	assert_int_equal(copy.ndisks, 2);
	assert_string_equal(copy.name, "web");
	assert_string_equal(copy.disks[1].spec, "/data/1.img");
	sf_vm_desc_fini(&copy);
	assert_null(copy.disks);
	sf_vm_desc_fini(&copy);
}

static void vms_in_order_are_listed_as_they_are(void **state)
{
	struct liar *liar = *state;
	struct sf_vm_list list = {0};
	char *log;

	add_vm(liar, "web", "u1", SF_VM_DISKS_MAX);
	add_vm(liar, "db", "", 1);
	add_vm(liar, "mail", "", 0);
	log = listed(liar, &list);
	assert_string_equal(log, "");
	assert_int_equal(list.nvms, 3);
	assert_string_equal(list.vms[1].name, "db");
	sf_vm_list_fini(&list);
	free(log);
}

static void vms_with_bad_names_are_left_out(void **state)
{
	struct liar *liar = *state;

	add_vm(liar, "../etc", "", 1);
	add_vm(liar, "web", "", 1);
	check_left_out(liar, "web", "warning: VM '../etc' is left out: the name starts with '.'");
}

static void vms_with_bad_disks_are_left_out(void **state)
{
	struct liar *liar = *state;
	struct sf_vm_desc *vm = add_vm(liar, "db", "", 2);

	add_vm(liar, "web", "", 1);
	memcpy(vm->disks[1].vdev, "a/b", 4);
	check_left_out(liar, "web", "VM 'db' is left out: the name of its disk 1");
	memcpy(vm->disks[1].vdev, "vda", 4);
	check_left_out(liar, "web", "VM 'db' is left out: it has two disks named vda");
	memcpy(vm->disks[1].vdev, "vdb", 4);
	vm->disks[1].spec[0] = '\0';
	check_left_out(liar, "web", "VM 'db' is left out: its disk vdb has no specification");
	memset(vm->disks[1].spec, 'x', sizeof(vm->disks[1].spec));
	memcpy(vm->disks[1].vdev, "vdc", 4);
	check_left_out(liar, "web", "VM 'db' is left out: its disk vdc has no specification");
}

static void vms_with_too_many_disks_are_left_out(void **state)
{
	struct liar *liar = *state;

	add_vm(liar, "web", "", 1);
	add_vm(liar, "db", "", SF_VM_DISKS_MAX + 1);
	check_left_out(liar, "web", "VM 'db' is left out: it has 65 disks, more than 64");
}

static void strings_without_end_are_left_out(void **state)
{
	struct liar *liar = *state;
	struct sf_vm_desc *vm = add_vm(liar, "db", "", 1);

	add_vm(liar, "web", "", 1);
	memset(vm->uuid, 'x', sizeof(vm->uuid));
	check_left_out(liar, "web", "VM 'db' is left out: its uuid is longer than 36 bytes");
	memset(vm->name, 'x', sizeof(vm->name));
	check_left_out(liar, "web", "is left out: the name is longer than 127 bytes");
}

static void of_two_namesakes_the_first_stays(void **state)
{
	struct liar *liar = *state;

	add_vm(liar, "web", "u1", 1);
	add_vm(liar, "web", "u2", 1);
	check_left_out(liar, "web", "VM 'web' is left out: another VM has the same name");
}

static void of_two_with_one_uuid_the_first_stays(void **state)
{
	struct liar *liar = *state;

	add_vm(liar, "web", "u1", 1);
	add_vm(liar, "db", "u1", 1);
	check_left_out(liar, "web", "VM 'db' is left out: VM 'web' has the same uuid u1");
}

static void the_same_trouble_is_said_once(void **state)
{
	struct liar *liar = *state;
	struct sf_vm_list list = {0};
	char *log;

	add_vm(liar, "web", "", 1);
	add_vm(liar, "web", "", 1);
	check_left_out(liar, "web", "another VM has the same name");
	log = listed(liar, &list);
	assert_string_equal(log, "");
	assert_int_equal(list.nvms, 1);
	sf_vm_list_fini(&list);
	free(log);
	memcpy(liar->vms[1].name, ".x", 3);
	check_left_out(liar, "web", "VM '.x' is left out");
}

static void a_failed_list_gives_nothing(void **state)
{
	struct liar *liar = *state;
	struct sf_vm_list list = {0};
	struct sf_err err;

	add_vm(liar, "web", "", 1);
	liar->rc = -EIO;
	fails(sf_hypervisor_list(&liar->base, &list, &err), &err, -EIO,
	      "hypervisor backend liar: list of VMs: Input/output error");
	assert_null(list.vms);
}

static void an_impossible_power_state_is_refused(void **state)
{
	struct liar *liar = *state;
	const struct sf_vm_desc vm = {.name = "web"};
	enum sf_power got = SF_POWER_OFF;
	struct sf_err err;

	liar->power = (enum sf_power)9;
	fails(sf_hypervisor_power(&liar->base, &vm, &got, &err), &err, -EPROTO,
	      "hypervisor backend liar: power of web gave power state 9");
	liar->power = SF_POWER_UNKNOWN;
	fails(sf_hypervisor_power(&liar->base, &vm, &got, &err), &err, -EPROTO, "gave no power state");
	assert_int_equal(got, SF_POWER_OFF);
	liar->ops.caps = 0;
	assert_int_equal(sf_hypervisor_power(&liar->base, &vm, &got, &err), 0);
	assert_int_equal(got, SF_POWER_UNKNOWN);
}

static void what_is_not_supported_is_never_called(void **state)
{
	struct liar *liar = *state;
	const struct sf_vm_desc vm = {.name = "web"};
	struct sf_err err;

	liar->ops.caps = SF_HYPERVISOR_PAUSE;
	assert_int_equal(sf_hypervisor_pause(&liar->base, &vm, &err), 0);
	assert_int_equal(sf_hypervisor_resume(&liar->base, &vm, &err), 0);
	assert_int_equal(liar->ncalls, 2);
	fails(sf_hypervisor_stop(&liar->base, &vm, &err), &err, -EOPNOTSUPP,
	      "hypervisor liar cannot stop VM 'web'");
	fails(sf_hypervisor_start(&liar->base, &vm, true, &err), &err, -EOPNOTSUPP, "cannot start VM 'web'");
	fails(sf_hypervisor_restore(&liar->base, &vm, 0, &err), &err, -EOPNOTSUPP,
	      "cannot restore the RAM of");
	fails(sf_hypervisor_quiesce(&liar->base, &vm, &err), &err, -EOPNOTSUPP, "cannot quiesce VM 'web'");
	fails(sf_hypervisor_thaw(&liar->base, &vm, &err), &err, -EOPNOTSUPP, "cannot thaw VM 'web'");
	liar->ops.caps = SF_HYPERVISOR_CONTROL;
	fails(sf_hypervisor_pause(&liar->base, &vm, &err), &err, -EOPNOTSUPP, "cannot pause VM 'web'");
	fails(sf_hypervisor_resume(&liar->base, &vm, &err), &err, -EOPNOTSUPP, "cannot resume VM 'web'");
	assert_int_equal(liar->ncalls, 2);
}

static void vms_with_bad_names_never_reach_the_backend(void **state)
{
	struct liar *liar = *state;
	const struct sf_vm_desc vm = {.name = "a/b"};
	struct sf_err err;

	fails(sf_hypervisor_stop(&liar->base, &vm, &err), &err, -EINVAL,
	      "stop VM 'a/b': the name contains '/'");
	fails(sf_hypervisor_restore(&liar->base, &(struct sf_vm_desc){.name = "web"}, -1, &err), &err,
	      -EINVAL, "no input descriptor");
	assert_int_equal(liar->ncalls, 0);
}

struct told {
	unsigned npaused, nat_rest;
	int paused_rc, at_rest_rc;
};

static int on_paused(void *arg, struct sf_err *err)
{
	struct told *told = arg;

	told->npaused++;
	return told->paused_rc < 0 ? sf_fail(err, told->paused_rc, "the clock is gone") : 0;
}

static int on_at_rest(void *arg, struct sf_err *err)
{
	struct told *told = arg;

	told->nat_rest++;
	return told->at_rest_rc < 0 ? sf_fail(err, told->at_rest_rc, "the disks are full") : 0;
}

static int try_save(struct liar *liar, struct told *told, struct sf_err *err)
{
	const struct sf_save_hooks hooks = {on_paused, on_at_rest, told};

	return sf_hypervisor_save(&liar->base, &(struct sf_vm_desc){.name = "web"}, 1, true, &hooks, NULL,
				  err);
}

static void a_save_tells_once_when_the_guest_rests(void **state)
{
	struct liar *liar = *state;
	struct told told = {0};
	struct sf_err err;

	assert_int_equal(try_save(liar, &told, &err), 0);
	assert_int_equal(told.npaused, 1);
	assert_int_equal(told.nat_rest, 1);
	liar->npaused = 0;
	assert_int_equal(try_save(liar, &told, &err), 0);
	assert_int_equal(told.nat_rest, 2);
}

static void a_save_that_never_tells_is_no_save(void **state)
{
	struct liar *liar = *state;
	struct told told = {0};
	struct sf_err err;

	liar->nat_rest = 0;
	fails(try_save(liar, &told, &err), &err, -EPROTO,
	      "save of web succeeded without having called its at_rest hook");
	liar->rc = -ETIMEDOUT;
	fails(try_save(liar, &told, &err), &err, -ETIMEDOUT, "timed out");
}

static void a_save_that_tells_twice_is_no_save(void **state)
{
	struct liar *liar = *state;
	struct told told = {0};
	struct sf_err err;

	liar->nat_rest = 2;
	fails(try_save(liar, &told, &err), &err, -EPROTO, "save of web called its at_rest hook twice");
	assert_int_equal(told.nat_rest, 1);
	liar->nat_rest = 1;
	liar->npaused = 2;
	fails(try_save(liar, &told, &err), &err, -EPROTO, "called its paused hook late or twice");
	liar->npaused = 1;
	liar->paused_last = true;
	fails(try_save(liar, &told, &err), &err, -EPROTO, "called its paused hook late or twice");
}

static void a_failing_hook_is_the_result_of_the_save(void **state)
{
	struct liar *liar = *state;
	struct told told = {.at_rest_rc = -ENOSPC};
	struct sf_err err;

	fails(try_save(liar, &told, &err), &err, -ENOSPC, "the disks are full");
	liar->hides_failures = true;
	fails(try_save(liar, &told, &err), &err, -ENOSPC, "the disks are full");
	told = (struct told){.paused_rc = -EIO};
	fails(try_save(liar, &told, &err), &err, -EIO, "the clock is gone");
	assert_int_equal(told.nat_rest, 0);
}

static void a_save_goes_somewhere_and_tells_somebody(void **state)
{
	struct liar *liar = *state;
	const struct sf_vm_desc vm = {.name = "web"};
	const struct sf_save_hooks none = {0};
	struct told told = {0};
	const struct sf_save_hooks hooks = {NULL, on_at_rest, &told};
	struct sf_err err;

	fails(sf_hypervisor_save(&liar->base, &vm, 1, true, &none, NULL, &err), &err, -EINVAL,
	      "no at_rest hook");
	fails(sf_hypervisor_save(&liar->base, &vm, -1, true, &hooks, NULL, &err), &err, -EINVAL,
	      "no output descriptor");
	assert_int_equal(sf_hypervisor_save(&liar->base, &vm, 1, true, &hooks, NULL, &err), 0);
	assert_int_equal(told.nat_rest, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(power_states_have_names),
		CASE(a_description_is_copied_deeply),
		CASE(vms_in_order_are_listed_as_they_are),
		CASE(vms_with_bad_names_are_left_out),
		CASE(vms_with_bad_disks_are_left_out),
		CASE(vms_with_too_many_disks_are_left_out),
		CASE(strings_without_end_are_left_out),
		CASE(of_two_namesakes_the_first_stays),
		CASE(of_two_with_one_uuid_the_first_stays),
		CASE(the_same_trouble_is_said_once),
		CASE(a_failed_list_gives_nothing),
		CASE(an_impossible_power_state_is_refused),
		CASE(what_is_not_supported_is_never_called),
		CASE(vms_with_bad_names_never_reach_the_backend),
		CASE(a_save_tells_once_when_the_guest_rests),
		CASE(a_save_that_never_tells_is_no_save),
		CASE(a_save_that_tells_twice_is_no_save),
		CASE(a_failing_hook_is_the_result_of_the_save),
		CASE(a_save_goes_somewhere_and_tells_somebody),
	};

	return cmocka_run_group_tests_name("hypervisor", tests, NULL, NULL);
}

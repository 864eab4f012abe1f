/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks in core/contract/hypervisor.h of what a backend reports about hosts and about disks that it
 * leaves out.
 */
#include "core/contract/hypervisor.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct teller {
	struct sf_hypervisor base;
	struct sf_hypervisor_ops ops;
	struct sf_vm_desc vm;
	char host[SF_HOST_MAX];
	size_t host_len; /* bytes of host to return; no NUL if that is all of it */
	unsigned nchecks;
	int rc;
};

static struct teller *of(struct sf_hypervisor *hv)
{
	return (struct teller *)hv;
}

static int list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	(void)err;
	ret->vms = calloc(1, sizeof(*ret->vms));
	assert_non_null(ret->vms);
	assert_int_equal(sf_vm_desc_copy(&of(hv)->vm, &ret->vms[0]), 0);
	ret->nvms = 1;
	return 0;
}

static int host(struct sf_hypervisor *hv, char ret[static SF_HOST_MAX], struct sf_err *err)
{
	assert_string_equal(ret, "");
	memcpy(ret, of(hv)->host, of(hv)->host_len);
	return of(hv)->rc < 0 ? sf_fail(err, of(hv)->rc, "no idea") : 0;
}

static int check_host(struct sf_hypervisor *hv, const char *line, struct sf_err *err)
{
	of(hv)->nchecks++;
	return strcmp(line, of(hv)->host) == 0 ? 0 : sf_fail(err, -EOPNOTSUPP, "it is not '%s'", line);
}

static int setup(void **state)
{
	struct teller *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->base.ops = &t->ops;
	t->ops = (struct sf_hypervisor_ops){
		.name = "teller", .list = list, .host = host, .check_host = check_host};
	(void)snprintf(t->vm.name, sizeof(t->vm.name), "web");
	t->vm.left_out = calloc(SF_VM_DISKS_MAX + 1, sizeof(*t->vm.left_out));
	assert_non_null(t->vm.left_out);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct teller *t = *state;

	sf_vm_desc_fini(&t->vm);
	free(t);
	return 0;
}

static void tells(struct teller *t, const char *text, size_t len)
{
	memcpy(t->host, text, len);
	t->host_len = len;
}

static void fails(int rc, const struct sf_err *err, int expected, const char *text)
{
	assert_int_equal(rc, expected);
	if (!strstr(err->text, text))
		fail_msg("'%s' does not say '%s'", err->text, text);
}

static void a_host_is_described_in_one_line(void **state)
{
	struct teller *t = *state;
	char line[SF_HOST_MAX] = "before", longest[SF_HOST_MAX];
	struct sf_err err = {0};

	tells(t, "Xen 4.17 ~", 10);
	assert_int_equal(sf_hypervisor_host(&t->base, line, NULL), 0);
	assert_string_equal(line, "Xen 4.17 ~");
	tells(t, "", 0);
	assert_int_equal(sf_hypervisor_host(&t->base, line, NULL), 0);
	assert_string_equal(line, "");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	tells(t, longest, sizeof(longest));
	assert_int_equal(sf_hypervisor_host(&t->base, line, NULL), 0);
	assert_string_equal(line, longest);
	t->rc = -EIO;
	(void)snprintf(line, sizeof(line), "before");
	fails(sf_hypervisor_host(&t->base, line, &err), &err, -EIO, "no idea");
	assert_string_equal(line, "before");
}

static void a_host_that_is_described_badly_is_not_passed_on(void **state)
{
	struct teller *t = *state;
	char line[SF_HOST_MAX] = "before", endless[SF_HOST_MAX];
	struct sf_err err = {0};

	tells(t, "two\nlines", 9);
	fails(sf_hypervisor_host(&t->base, line, &err), &err, -EPROTO, "is not printable ASCII");
	tells(t, "K\xc3\xb6ln", 5);
	fails(sf_hypervisor_host(&t->base, line, &err), &err, -EPROTO, "is not printable ASCII");
	memset(endless, 'x', sizeof(endless));
	tells(t, endless, sizeof(endless));
	fails(sf_hypervisor_host(&t->base, line, &err), &err, -EPROTO, "longer than 511 bytes");
	assert_string_equal(line, "before");
}

static void what_another_host_needs_is_checked(void **state)
{
	struct teller *t = *state;
	struct sf_err err = {0};

	tells(t, "Xen 4.17", 8);
	assert_int_equal(sf_hypervisor_check_host(&t->base, "Xen 4.17", NULL), 0);
	fails(sf_hypervisor_check_host(&t->base, "Xen 5", &err), &err, -EOPNOTSUPP, "it is not 'Xen 5'");
	assert_int_equal(t->nchecks, 2);
	fails(sf_hypervisor_check_host(&t->base, "Xen\t5", &err), &err, -EINVAL, "is not printable ASCII");
	assert_int_equal(sf_hypervisor_check_host(&t->base, "", NULL), 0);
	assert_int_equal(t->nchecks, 2);
}

static void who_says_nothing_of_hosts_needs_nothing(void **state)
{
	struct teller *t = *state;
	char line[SF_HOST_MAX] = "before";

	t->ops.host = NULL;
	t->ops.check_host = NULL;
	assert_int_equal(sf_hypervisor_host(&t->base, line, NULL), 0);
	assert_string_equal(line, "");
	assert_int_equal(sf_hypervisor_check_host(&t->base, "Xen 4.17", NULL), 0);
}

static void leave_out(struct teller *t, const char *vdev, const char *reason)
{
	struct sf_left_out *left_out = &t->vm.left_out[t->vm.nleft_out++];

	(void)snprintf(left_out->vdev, sizeof(left_out->vdev), "%s", vdev);
	(void)snprintf(left_out->reason, sizeof(left_out->reason), "%s", reason);
}

static void disks_left_out_are_passed_on_fit_to_be_shown(void **state)
{
	struct teller *t = *state;
	struct sf_left_out *left_out;
	struct sf_vm_list got = {0};

	leave_out(t, "hdc", "CD-ROM");
	leave_out(t, "x vd\"", "of\n'Köln'\x7f");
	memset(t->vm.left_out[2].vdev, 'a', sizeof(t->vm.left_out[2].vdev));
	memset(t->vm.left_out[2].reason, 'b', sizeof(t->vm.left_out[2].reason));
	t->vm.nleft_out++;
	assert_int_equal(sf_hypervisor_list(&t->base, &got, NULL), 0);
	assert_int_equal(got.nvms, 1);
	assert_int_equal(got.vms[0].nleft_out, 3);
	left_out = got.vms[0].left_out;
	assert_ptr_not_equal(left_out, t->vm.left_out);
	assert_string_equal(left_out[0].vdev, "hdc");
	assert_string_equal(left_out[0].reason, "CD-ROM");
	assert_string_equal(left_out[1].vdev, "x?vd?");
	assert_string_equal(left_out[1].reason, "of?'Köln'?");
	assert_int_equal(strlen(left_out[2].vdev), SF_VDEV_MAX);
	assert_int_equal(strlen(left_out[2].reason), sizeof(left_out[2].reason) - 1);
	sf_vm_list_fini(&got);
}

static void of_disks_left_out_no_more_than_a_vm_can_have_are_passed_on(void **state)
{
	struct teller *t = *state;
	struct sf_vm_list got = {0};

	for (int i = 0; i <= SF_VM_DISKS_MAX; i++)
		leave_out(t, "hdc", "CD-ROM");
	assert_int_equal(sf_hypervisor_list(&t->base, &got, NULL), 0);
	assert_int_equal(got.nvms, 1);
	assert_int_equal(got.vms[0].nleft_out, SF_VM_DISKS_MAX);
	sf_vm_list_fini(&got);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_host_is_described_in_one_line),
		CASE(a_host_that_is_described_badly_is_not_passed_on),
		CASE(what_another_host_needs_is_checked),
		CASE(who_says_nothing_of_hosts_needs_nothing),
		CASE(disks_left_out_are_passed_on_fit_to_be_shown),
		CASE(of_disks_left_out_no_more_than_a_vm_can_have_are_passed_on),
	};

	return cmocka_run_group_tests_name("hypervisor-facts", tests, NULL, NULL);
}

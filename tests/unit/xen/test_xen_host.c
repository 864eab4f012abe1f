/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether RAM saved on one Xen host can be restored on another. */
#include "backends/xen/host.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define nitems(a) (sizeof(a) / sizeof((a)[0]))
#define REST      ":00000001:80000000:00000000:00000000:00000000:00000000:0000000f"
#define HOST      "xen 4.17 cpu 1f8bfbff" REST

static void can(const char *saved, const char *here)
{
	struct sf_err err = {0};

	if (sf_xen_check_host(saved, here, &err) < 0)
		fail_msg("%s", err.text);
}

static void cannot(const char *saved, const char *here, const char *why)
{
	struct sf_err err = {0};
	int rc = sf_xen_check_host(saved, here, &err);

	if (rc != -EOPNOTSUPP || err.code != rc || !strstr(err.text, why))
		fail_msg("'%s' on '%s': %d, \"%s\"", saved, here, rc, err.text);
	assert_int_equal(sf_xen_check_host(saved, here, NULL), -EOPNOTSUPP);
}

static void the_same_host_will_do(void **state)
{
	(void)state;
	can(HOST, HOST);
}

static void a_newer_xen_will_do(void **state)
{
	(void)state;
	can(HOST, "xen 4.18 cpu 1f8bfbff" REST);
	can(HOST, "xen 5.0 cpu 1f8bfbff" REST);
	can("xen 3.99 cpu 1f8bfbff" REST, HOST);
}

static void an_older_xen_will_not(void **state)
{
	(void)state;
	cannot(HOST, "xen 4.16 cpu 1f8bfbff" REST, "under Xen 4.17; this is the older 4.16");
	cannot(HOST, "xen 3.99 cpu 1f8bfbff" REST, "this is the older 3.99");
	cannot("xen 5.0 cpu 1f8bfbff" REST, HOST, "under Xen 5.0; this is the older 4.17");
}

static void a_cpu_with_more_features_will_do(void **state)
{
	(void)state;
	can(HOST, "xen 4.17 cpu ffffffff:ffffffff:ffffffff:ffffffff:ffffffff:ffffffff:ffffffff:ffffffff");
	can("xen 4.17 cpu 00000000:00000000:00000000:00000000:00000000:00000000:00000000:00000000", HOST);
}

static void a_cpu_that_lacks_a_feature_will_not(void **state)
{
	(void)state;
	cannot(HOST, "xen 4.17 cpu 0f8bfbff" REST, "this one lacks: word 0, 10000000");
	cannot(HOST, "xen 4.18 cpu 1f8bfbff:00000001:00000000:00000000:00000000:00000000:00000000:0000000f",
	       "lacks: word 2, 80000000");
	cannot(HOST, "xen 4.17 cpu 1f8bfbff:00000001:80000000:00000000:00000000:00000000:00000000:00000007",
	       "lacks: word 7, 00000008");
}

static void what_describes_no_xen_host_will_not(void **state)
{
	static const char *const odd[] = {
		"",
		"nobody's 0",
		"xen",
		"xen 4.17",
		"xen 4.17 cpu",
		"xen 4.17 cpu ",
		"xen 4.17 arm 1f8bfbff" REST,
		"kvm 4.17 cpu 1f8bfbff" REST,
		" xen 4.17 cpu 1f8bfbff" REST,
		"xen  4.17 cpu 1f8bfbff" REST,
		"xen 4.17  cpu 1f8bfbff" REST,
		"xen 4.17 cpu1f8bfbff" REST,
		"xen -4.17 cpu 1f8bfbff" REST,
		"xen +4.17 cpu 1f8bfbff" REST,
		"xen 4.-1 cpu 1f8bfbff" REST,
		"xen 4.x cpu 1f8bfbff" REST,
		"xen 1234.17 cpu 1f8bfbff" REST,
		"xen 4.17 cpu 1F8BFBFF" REST,
		"xen 4.17 cpu 0x8bfbff" REST,
		"xen 4.17 cpu  f8bfbff" REST,
		"xen 4.17 cpu -f8bfbff" REST,
		"xen 4.17 cpu f8bfbff" REST,
		"xen 4.17 cpu 01f8bfbff" REST,
		"xen 4.17 cpu 1f8bfbff",
		"xen 4.17 cpu 1f8bfbff:00000001:80000000:00000000:00000000:00000000:00000000",
		HOST ":00000000",
		HOST ":",
		HOST " ",
	};

	(void)state;
	for (size_t i = 0; i < nitems(odd); i++) {
		cannot(odd[i], HOST, "'");
		cannot(HOST, odd[i], "'");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_host_will_do),
		cmocka_unit_test(a_newer_xen_will_do),
		cmocka_unit_test(an_older_xen_will_not),
		cmocka_unit_test(a_cpu_with_more_features_will_do),
		cmocka_unit_test(a_cpu_that_lacks_a_feature_will_not),
		cmocka_unit_test(what_describes_no_xen_host_will_not),
	};

	return cmocka_run_group_tests_name("xen_host", tests, NULL, NULL);
}

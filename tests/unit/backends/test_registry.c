/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/registry.h"

#include "base/err.h"
#include "core/contract/backend.h"
#include "core/config/config.h"
#include "core/contract/hypervisor.h"
#include "core/contract/storage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void all_storages_are_opened(void **state)
{
	struct sf_config config = {0};
	struct sf_backend_env env = {.state_id = sf_id_new(), .config = &config};
	struct sf_storages set = {0};
	bool lvm;
	struct sf_err err;

	(void)state;
	assert_int_equal(sf_registry_open_storages(&env, &set, &err), 0);
	lvm = sf_storages_by_name(&set, "lvm_thin"); /* neither exists in a build or on a host without LVM */
	assert_int_equal(set.nstorages, lvm ? 4 : 2);
	assert_true(lvm == (sf_storages_by_name(&set, "lvm_classic") != NULL));
	assert_non_null(sf_storages_by_name(&set, "mem"));
	assert_non_null(sf_storages_by_name(&set, "file"));
	sf_storages_close(&set);
}

static void check_name(const char *asked, const char *given)
{
	struct sf_config config = {0};
	struct sf_storages set = {0};
	struct sf_backend_env env = {sf_id_new(), &config, &set};
	struct sf_hypervisor *hv = NULL;
	struct sf_err err;

	assert_int_equal(sf_registry_open_hypervisor(asked, &env, &hv, &err), 0);
	assert_string_equal(hv->ops->name, given);
	sf_hypervisor_close(hv);
}

static void hypervisors_are_opened_by_name(void **state)
{
	(void)state;
	check_name("none", "none");
	check_name("sim", "sim");
	check_name("auto", "none");
}

static int open_hypervisor(const char *name, const struct sf_config *config, struct sf_err *err)
{
	struct sf_backend_env env = {.config = config};
	struct sf_hypervisor *hv = NULL;
	int rc = sf_registry_open_hypervisor(name, &env, &hv, err);

	assert_null(hv);
	return rc;
}

static void a_hypervisor_that_is_not_there_is_refused_with_those_that_are(void **state)
{
	const char *start = "hypervisor 'vmware' is not in this build; there are: auto, ";
	struct sf_config config = {0};
	struct sf_err err;

	(void)state;
	assert_int_equal(open_hypervisor("vmware", &config, &err), -EINVAL);
	assert_ptr_equal(strstr(err.text, start), err.text);
	assert_non_null(strstr(err.text, "none, sim"));
	assert_int_equal(open_hypervisor("", &config, &err), -EINVAL);
}

static void xen_without_its_helper_says_which_one(void **state)
{
	struct sf_config config;
	struct sf_err err;
	int rc;

	(void)state;
	sf_config_init(&config);
	(void)snprintf(config.xen.helper, sizeof(config.xen.helper), "/nowhere/snapfs-xen");
	rc = open_hypervisor("xen", &config, &err);
	if (rc == -EINVAL) {
		assert_non_null(
			strstr(err.text, "hypervisor 'xen' is not in this build; there are: auto, none"));
		print_message("# skipped: a build without Xen\n");
	} else {
		assert_int_equal(rc, -ENOENT);
		assert_non_null(strstr(err.text, "hypervisor xen: Xen helper /nowhere/snapfs-xen: run "));
	}
	sf_config_fini(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_storages_are_opened),
		cmocka_unit_test(hypervisors_are_opened_by_name),
		cmocka_unit_test(a_hypervisor_that_is_not_there_is_refused_with_those_that_are),
		cmocka_unit_test(xen_without_its_helper_says_which_one),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}

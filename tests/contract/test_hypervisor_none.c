/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "backends/none/none.h"
#include "base/err.h"
#include "core/contract/backend.h"
#include "core/config/config.h"
#include "suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void *setup(struct sf_hypervisor **ret)
{
	static struct sf_disk disk = {"vda", "/data/contract.img"};
	static struct sf_vm_config vm = {.name = CONTRACT_VM, .disks = &disk, .ndisks = 1};
	static struct sf_config config = {.vms = &vm, .nvms = 1};
	struct sf_backend_env env = {.config = &config};
	struct sf_err err;

	contract_ok(sf_none_open(&env, ret, &err), &err);
	return NULL;
}

static void teardown(void *ground, struct sf_hypervisor *hv)
{
	(void)ground;
	sf_hypervisor_close(hv);
}

int main(void)
{
	static const struct contract_hypervisor driver = {
		.name = "hypervisor none",
		.setup = setup,
		.teardown = teardown,
	};

	return contract_hypervisor_run(&driver);
}

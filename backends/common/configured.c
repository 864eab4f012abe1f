/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "configured.h"

#include "base/err.h"
#include "core/config/config.h"
#include "core/contract/hypervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int describe(const struct sf_vm_config *config, struct sf_vm_desc *ret)
{
	struct sf_vm_desc vm = {.disks = config->disks, .ndisks = config->ndisks};

	memcpy(vm.name, config->name, sizeof(vm.name));
	return sf_vm_desc_copy(&vm, ret);
}

int sf_configured_list(const struct sf_config *config, struct sf_vm_list *ret, struct sf_err *err)
{
	struct sf_vm_list list = {.vms = calloc(config->nvms + 1, sizeof(*list.vms))};
	int rc = list.vms ? 0 : -ENOMEM;

	while (rc == 0 && list.nvms < config->nvms) {
		rc = describe(&config->vms[list.nvms], &list.vms[list.nvms]);
		if (rc == 0)
			list.nvms++;
	}
	if (rc < 0) {
		sf_vm_list_fini(&list);
		return sf_fail(err, rc, "list the configured VMs: out of memory");
	}
	*ret = list;
	return 0;
}

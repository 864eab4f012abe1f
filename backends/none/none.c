/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "none.h"

#include "base/err.h"
#include "backends/common/configured.h"
#include "core/contract/backend.h"
#include "core/config/config.h"
#include "core/contract/hypervisor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct none {
	struct sf_hypervisor base;
	const struct sf_config *config;
};

static int none_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err)
{
	return sf_configured_list(((struct none *)hv)->config, ret, err);
}

static int none_power(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, enum sf_power *ret,
		      struct sf_err *err)
{
	const struct sf_config *config = ((struct none *)hv)->config;

	for (size_t i = 0; i < config->nvms; i++) {
		if (strcmp(config->vms[i].name, vm->name) == 0) {
			*ret = SF_POWER_UNKNOWN;
			return 0;
		}
	}
	return sf_fail(err, -ENOENT, "no VM '%s' is configured", vm->name);
}

static void none_close(struct sf_hypervisor *hv)
{
	free(hv);
}

static const struct sf_hypervisor_ops none_ops = {
	.name = "none",
	.list = none_list,
	.power = none_power,
	.close = none_close,
};

int sf_none_open(const struct sf_backend_env *env, struct sf_hypervisor **ret, struct sf_err *err)
{
	struct none *none = calloc(1, sizeof(*none));

	if (!none)
		return sf_fail(err, -ENOMEM, "hypervisor none: out of memory");
	none->base.ops = &none_ops;
	none->config = env->config;
	*ret = &none->base;
	return 0;
}

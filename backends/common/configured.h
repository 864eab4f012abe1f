/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the VMs of the configuration as a hypervisor would: for backends that know no others. */
#ifndef SF_BACKENDS_COMMON_CONFIGURED_H
#define SF_BACKENDS_COMMON_CONFIGURED_H

struct sf_config;
struct sf_err;
struct sf_vm_list;

/* The VMs have no uuid and no memory size. -ENOMEM. */
int sf_configured_list(const struct sf_config *config, struct sf_vm_list *ret, struct sf_err *err);

#endif

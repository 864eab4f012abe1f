/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypervisor `none`, for hosts without a supported hypervisor. It lists the configured VMs, reports their
 * power as unknown, and has no capabilities.
 */
#ifndef SF_BACKENDS_NONE_NONE_H
#define SF_BACKENDS_NONE_NONE_H

struct sf_backend_env;
struct sf_err;
struct sf_hypervisor;

int sf_none_open(const struct sf_backend_env *env, struct sf_hypervisor **ret, struct sf_err *err);

#endif

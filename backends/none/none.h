/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypervisor `none`: the configured VMs, whose guests (if any) are beyond our reach: power unknown, no
 * capabilities.
 */
#ifndef SF_BACKENDS_NONE_NONE_H
#define SF_BACKENDS_NONE_NONE_H

struct sf_backend_env;
struct sf_err;
struct sf_hypervisor;

int sf_none_open(const struct sf_backend_env *env, struct sf_hypervisor **ret, struct sf_err *err);

#endif

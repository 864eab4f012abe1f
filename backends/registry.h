/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists the backends of this build, and opens them. */
#ifndef SF_BACKENDS_REGISTRY_H
#define SF_BACKENDS_REGISTRY_H

struct sf_backend_env;
struct sf_err;
struct sf_hypervisor;
struct sf_storages;

/* Opens every storage backend that this host supports. The caller releases *ret with sf_storages_close(). */
int sf_registry_open_storages(const struct sf_backend_env *env, struct sf_storages *ret, struct sf_err *err);

/*
 * Opens the hypervisor of that name; "auto" opens the first that this host runs. -EINVAL: no such name; the
 * text lists the valid ones.
 */
int sf_registry_open_hypervisor(const char *name, const struct sf_backend_env *env,
				struct sf_hypervisor **ret, struct sf_err *err);

#endif

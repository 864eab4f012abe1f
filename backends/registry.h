/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which backends this build has: the one place that lists them. */
#ifndef SF_BACKENDS_REGISTRY_H
#define SF_BACKENDS_REGISTRY_H

struct sf_backend_env;
struct sf_err;
struct sf_hypervisor;
struct sf_storages;

/* Opens every storage backend into *ret (closed with sf_storages_close()). */
int sf_registry_open_storages(const struct sf_backend_env *env, struct sf_storages *ret, struct sf_err *err);

/*
 * Opens the hypervisor of that name; "auto" takes the first that is at home on this host. -EINVAL lists what
 * there is.
 */
int sf_registry_open_hypervisor(const char *name, const struct sf_backend_env *env,
				struct sf_hypervisor **ret, struct sf_err *err);

#endif

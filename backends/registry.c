/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registry.h"

#include "base/err.h"
#include "core/backend.h"
#include "core/hypervisor.h"
#include "core/storage.h"
#include "hypervisor/none.h"
#include "hypervisor/sim.h"
#include "storage/file.h"
#include "storage/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How often a sim guest does something: seldom enough to be no load, often enough to watch. */
#define SIM_TICK_MS 100

typedef int open_storage_fn(const struct sf_backend_env *env, struct sf_storage **ret, struct sf_err *err);
typedef int open_hypervisor_fn(const struct sf_backend_env *env, struct sf_hypervisor **ret,
			       struct sf_err *err);

static int open_mem(const struct sf_backend_env *env, struct sf_storage **ret, struct sf_err *err)
{
	return sf_mem_open(env, NULL, ret, err);
}

static int open_sim(const struct sf_backend_env *env, struct sf_hypervisor **ret, struct sf_err *err)
{
	return sf_sim_open(env, NULL, SIM_TICK_MS, ret, err);
}

/* A disk goes to the first that claims it. */
static open_storage_fn *const storages[] = {open_mem, sf_file_open};
#define NSTORAGES (sizeof(storages) / sizeof(storages[0]))

/* "auto" is the first that is at home on any host as it is found. */
static const struct {
	const char *name;
	open_hypervisor_fn *open;
	bool at_home;
} hypervisors[] = {
	{"none", sf_none_open, true},
	{"sim", open_sim, false},
};
#define NHYPERVISORS (sizeof(hypervisors) / sizeof(hypervisors[0]))

int sf_registry_open_storages(const struct sf_backend_env *env, struct sf_storages *ret, struct sf_err *err)
{
	struct sf_storages set = {0};

	for (size_t i = 0; i < NSTORAGES; i++) {
		struct sf_storage *storage = NULL;
		int rc = storages[i](env, &storage, err);

		if (rc < 0) {
			sf_storages_close(&set);
			return rc;
		}
		sf_storages_add(&set, storage);
	}
	*ret = set;
	return 0;
}

static int refuse(const char *name, struct sf_err *err)
{
	char names[128] = "auto";

	for (size_t i = 0; i < NHYPERVISORS; i++) {
		size_t len = strlen(names);

		(void)snprintf(names + len, sizeof(names) - len, ", %s",
			       hypervisors[i].name); /* cut is fine */
	}
	return sf_fail(err, -EINVAL, "hypervisor '%s' is not in this build; there are: %s", name, names);
}

int sf_registry_open_hypervisor(const char *name, const struct sf_backend_env *env,
				struct sf_hypervisor **ret, struct sf_err *err)
{
	bool any = strcmp(name, "auto") == 0;

	for (size_t i = 0; i < NHYPERVISORS; i++)
		if (any ? hypervisors[i].at_home : strcmp(hypervisors[i].name, name) == 0)
			return hypervisors[i].open(env, ret, err);
	return refuse(name, err);
}

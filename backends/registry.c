/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registry.h"

#include "base/err.h"
#include "base/log.h"
#include "core/contract/backend.h"
#include "core/config/config.h"
#include "core/contract/hypervisor.h"
#include "core/contract/storage.h"
#include "backends/none/none.h"
#include "backends/sim/sim.h"
#include "backends/file/file.h"
#ifdef HAVE_LVM
#include "backends/lvm/lvm.h"
#endif
#include "backends/mem/mem.h"
#ifdef HAVE_XEN
#include "backends/xen/xen.h"
#endif

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Interval of a sim guest's ticks: long enough to be no load, short enough to watch. */
#define SIM_TICK_MS 100

/* Adds what it opens to set. A no-op when the host lacks what it needs. */
typedef int add_storages_fn(const struct sf_backend_env *env, struct sf_storages *set, struct sf_err *err);
typedef int open_hypervisor_fn(const struct sf_backend_env *env, struct sf_hypervisor **ret,
			       struct sf_err *err);

static int add_mem(const struct sf_backend_env *env, struct sf_storages *set, struct sf_err *err)
{
	struct sf_storage *storage = NULL;
	int rc = sf_mem_open(env, NULL, &storage, err);

	if (rc == 0)
		sf_storages_add(set, storage);
	return rc;
}

static int add_file(const struct sf_backend_env *env, struct sf_storages *set, struct sf_err *err)
{
	struct sf_storage *storage = NULL;
	int rc = sf_file_open(env, &storage, err);

	if (rc == 0)
		sf_storages_add(set, storage);
	return rc;
}

#ifdef HAVE_LVM
static int add_lvm(const struct sf_backend_env *env, struct sf_storages *set, struct sf_err *err)
{
	const struct sf_lvm_options options = {
		.config = &env->config->lvm, .state_dir = env->config->state_dir, .state_id = env->state_id};
	struct sf_storage *storage = NULL;
	struct sf_err why = {0};
	struct sf_lvm *lvm;
	int rc = sf_lvm_new(&options, &lvm, &why);

	if (rc == -ENOENT)
		return 0; /* no LVM on this host */
	if (rc < 0)
		return sf_fail(err, rc, "LVM: %s", why.text);
	rc = sf_lvm_thin_open(lvm, &storage, err);
	if (rc == 0) {
		sf_storages_add(set, storage);
		rc = sf_lvm_classic_open(lvm, &storage, err);
	}
	if (rc == 0)
		sf_storages_add(set, storage);
	sf_lvm_unref(lvm);
	return rc;
}
#endif

static int open_sim(const struct sf_backend_env *env, struct sf_hypervisor **ret, struct sf_err *err)
{
	return sf_sim_open(env, NULL, SIM_TICK_MS, ret, err);
}

#ifdef HAVE_XEN
static int open_xen(const struct sf_backend_env *env, struct sf_hypervisor **ret, struct sf_err *err)
{
	const struct sf_xen_config *config = &env->config->xen;
	const struct sf_xen_options options = {.helper = config->helper,
					       .configs = config->configs,
					       .xl = "xl",
					       .deadline_ms = config->deadline_ms};

	for (size_t i = 0; i < env->config->nvms; i++)
		if (env->config->vms[i].ndisks > 0)
			sf_log(SF_LOG_WARNING,
			       "VM '%s': its configured disks are ignored: Xen reports its domains' disks",
			       env->config->vms[i].name);
	return sf_xen_open(&options, ret, err);
}
#endif

static bool everywhere(void)
{
	return true;
}

static bool nowhere(void)
{
	return false;
}

/* A disk goes to the first storage that claims it. */
static add_storages_fn *const storages[] = {
	add_mem,
#ifdef HAVE_LVM
	add_lvm,
#endif
	add_file,
};
#define NSTORAGES (sizeof(storages) / sizeof(storages[0]))

/* "auto" takes the first whose at_home() is true. sim is never chosen by "auto". */
static const struct {
	const char *name;
	open_hypervisor_fn *open;
	bool (*at_home)(void);
} hypervisors[] = {
#ifdef HAVE_XEN
	{"xen", open_xen, sf_xen_is_here},
#endif
	{"none", sf_none_open, everywhere},
	{"sim", open_sim, nowhere},
};
#define NHYPERVISORS (sizeof(hypervisors) / sizeof(hypervisors[0]))

int sf_registry_open_storages(const struct sf_backend_env *env, struct sf_storages *ret, struct sf_err *err)
{
	struct sf_storages set = {0};

	for (size_t i = 0; i < NSTORAGES; i++) {
		int rc = storages[i](env, &set, err);

		if (rc < 0) {
			sf_storages_close(&set);
			return rc;
		}
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
			       hypervisors[i].name); /* truncation is acceptable */
	}
	return sf_fail(err, -EINVAL, "hypervisor '%s' is not in this build; there are: %s", name, names);
}

int sf_registry_open_hypervisor(const char *name, const struct sf_backend_env *env,
				struct sf_hypervisor **ret, struct sf_err *err)
{
	bool any = strcmp(name, "auto") == 0;

	for (size_t i = 0; i < NHYPERVISORS; i++)
		if (any ? hypervisors[i].at_home() : strcmp(hypervisors[i].name, name) == 0)
			return hypervisors[i].open(env, ret, err);
	return refuse(name, err);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMs and their disks, from the file and the command line. */
#include "section.h"

#include "core/contract/hypervisor.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sf_vm_config *sf_config_find_vm(const struct sf_config *config, const char *name)
{
	for (size_t i = 0; i < config->nvms; i++)
		if (strcmp(config->vms[i].name, name) == 0)
			return &config->vms[i];
	return NULL;
}

const struct sf_policy *sf_config_policy(const struct sf_config *config, const char *vm)
{
	const struct sf_vm_config *found = sf_config_find_vm(config, vm);

	return found ? &found->policy : &config->policy;
}

int sf_config_append_vm(struct sf_config *config, const char *name, struct sf_vm_config **ret,
			struct sf_err *err)
{
	struct sf_vm_config *vms;
	int rc = sf_name_check(name, err);

	if (rc < 0)
		return sf_wrap(err, rc, "VM '%s'", name);
	if (config->nvms == SF_CONFIG_VMS_MAX)
		return sf_fail(err, -E2BIG, "more than %d VMs", SF_CONFIG_VMS_MAX);
	vms = realloc(config->vms, (config->nvms + 1) * sizeof(*vms));
	if (!vms)
		return sf_fail(err, -ENOMEM, "out of memory");
	config->vms = vms;
	vms[config->nvms] = (struct sf_vm_config){.policy = config->policy};
	memcpy(vms[config->nvms].name, name, strlen(name) + 1);
	*ret = &vms[config->nvms++];
	return 0;
}

/* Whether spec is a storage's own notation ("mem:64M") and not a path. */
static bool has_scheme(const char *spec)
{
	size_t len = strspn(spec, "abcdefghijklmnopqrstuvwxyz0123456789");

	return len > 0 && spec[len] == ':';
}

static int append_disk(struct sf_vm_config *vm, const char *spec, struct sf_err *err)
{
	struct sf_disk *disks;

	if (!*spec)
		return sf_fail(err, -EINVAL, "an empty disk in the list of disks");
	if (*spec != '/' && !has_scheme(spec))
		return sf_fail(err, -EINVAL, "disk '%s' is not an absolute path", spec);
	if (strlen(spec) >= sizeof(disks->spec))
		return sf_fail(err, -ENAMETOOLONG, "a disk's path is longer than %zu bytes",
			       sizeof(disks->spec) - 1);
	if (vm->ndisks == SF_VM_DISKS_MAX)
		return sf_fail(err, -E2BIG, "more than %d disks", SF_VM_DISKS_MAX);
	for (size_t i = 0; i < vm->ndisks; i++)
		if (*spec == '/' && strcmp(vm->disks[i].spec, spec) == 0)
			return sf_fail(err, -EINVAL, "disk '%s' appears twice", spec);
	disks = realloc(vm->disks, (vm->ndisks + 1) * sizeof(*disks));
	if (!disks)
		return sf_fail(err, -ENOMEM, "out of memory");
	vm->disks = disks;
	memset(&disks[vm->ndisks], 0, sizeof(*disks));
	sf_vdev_name(vm->ndisks, disks[vm->ndisks].vdev);
	memcpy(disks[vm->ndisks].spec, spec, strlen(spec) + 1);
	vm->ndisks++;
	return 0;
}

/* Makes a relative path of the command line absolute, since a daemon changes its working directory. */
static int anchor(const char *spec, char path[static SF_ORIGIN_MAX], struct sf_err *err)
{
	char cwd[PATH_MAX] = "";

	if (*spec && *spec != '/' && !has_scheme(spec)) {
		if (!getcwd(cwd, sizeof(cwd)))
			return sf_fail(err, -errno, "working directory: %s", strerror(errno));
		(void)strncat(cwd, "/", sizeof(cwd) - strlen(cwd) - 1);
	}
	if (snprintf(path, SF_ORIGIN_MAX, "%s%s", cwd, spec) >= SF_ORIGIN_MAX)
		return sf_fail(err, -ENAMETOOLONG, "a disk's path is longer than %d bytes",
			       SF_ORIGIN_MAX - 1);
	return 0;
}

int sf_config_append_disks(struct sf_vm_config *vm, const char *list, bool anchored, struct sf_err *err)
{
	auto_free char **specs = NULL;
	char path[SF_ORIGIN_MAX];
	size_t n;
	int rc = sf_config_split(list, SF_CONFIG_COMMAS, &specs, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		const char *spec = specs[i];

		if (anchored) {
			rc = anchor(spec, path, err);
			spec = path;
		}
		if (rc == 0)
			rc = append_disk(vm, spec, err);
	}
	return rc;
}

int sf_config_add_vm(struct sf_config *config, const char *arg, struct sf_err *err)
{
	const char *equals = strchr(arg, '=');
	auto_free char *name = equals ? strndup(arg, (size_t)(equals - arg)) : NULL;
	struct sf_vm_config disks = {0};
	struct sf_vm_config *vm;
	int rc;

	if (!equals)
		return sf_fail(err, -EINVAL, "VM '%s' is not NAME=DISK[,DISK...]", arg);
	if (!name)
		return sf_fail(err, -ENOMEM, "out of memory");
	rc = sf_config_append_disks(&disks, equals + 1, true, err);
	if (rc < 0)
		sf_wrap(err, rc, "VM '%s'", name);
	vm = sf_config_find_vm(config, name);
	if (rc == 0 && !vm)
		rc = sf_config_append_vm(config, name, &vm, err);
	if (rc < 0) {
		free(disks.disks);
		return rc;
	}
	free(vm->disks);
	vm->disks = disks.disks;
	vm->ndisks = disks.ndisks;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Merges the existing domains with the configurations of guests that may be off. */
#include "helper.h"

#include "base/cleanup.h"
#include "core/contract/hypervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int add_disks(struct sf_vm_desc *desc, const libxl_device_disk *disks, int ndisks)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < ndisks; i++)
		rc = helper_add_disk(desc, &disks[i]);
	return rc;
}

/*
 * The configuration has more details than the devices. But a domain that is being created, or belongs to
 * another toolstack, has none.
 */
static int describe_disks(struct helper *helper, uint32_t domid, struct sf_vm_desc *desc)
{
	libxl_domain_config config;
	libxl_device_disk *list;
	int n = 0, rc;

	libxl_domain_config_init(&config);
	if (libxl_retrieve_domain_configuration(helper->ctx, domid, &config, NULL) == 0) {
		rc = add_disks(desc, config.disks, config.num_disks);
		libxl_domain_config_dispose(&config);
		return rc;
	}
	libxl_domain_config_dispose(&config);
	list = libxl_device_disk_list(helper->ctx, domid, &n);
	rc = list ? add_disks(desc, list, n) : 0;
	if (list)
		libxl_device_disk_list_free(list, n);
	return rc;
}

/* A configured uuid identifies the VM, whatever its current name; otherwise its name does. */
static struct sf_helper_vm *find(struct helper_vms *vms, const struct sf_vm_desc *desc)
{
	for (size_t i = 0; i < vms->n; i++)
		if (strcasecmp(vms->list[i].desc.uuid, desc->uuid) == 0)
			return &vms->list[i];
	for (size_t i = 0; i < vms->n; i++)
		if (strncmp(vms->list[i].desc.name, desc->name, sizeof(desc->name)) == 0)
			return &vms->list[i];
	return NULL;
}

/*
 * The running domain takes precedence, except for the uuid. xl invents a new one at each start unless the
 * configuration has one, so only a uuid that is both configured and in use is the VM's. A configuration with
 * another name would start another guest, so it is not used.
 */
static int merge(struct helper_vms *vms, struct sf_vm_desc *desc)
{
	struct sf_helper_vm *vm = find(vms, desc);

	if (!vm)
		vm = helper_vms_add(vms);
	if (!vm)
		return -ENOMEM;
	if (strcasecmp(desc->uuid, vm->desc.uuid) != 0)
		desc->uuid[0] = '\0';
	if (strncmp(vm->desc.name, desc->name, sizeof(desc->name)) != 0)
		vm->config[0] = '\0';
	sf_vm_desc_fini(&vm->desc);
	vm->desc = *desc;
	*desc = (struct sf_vm_desc){0};
	return 0;
}

static int add_domain(struct helper *helper, const libxl_dominfo *info, struct helper_vms *vms)
{
	struct sf_vm_desc desc = {.memory_bytes = info->current_memkb * 1024};
	auto_free char *name = libxl_domid_to_name(helper->ctx, info->domid);
	int rc;

	if (!name || info->domid == 0 || info->dying || libxl_is_stubdom(helper->ctx, info->domid, NULL))
		return 0;
	helper_set_name(&desc, name);
	(void)snprintf(desc.uuid, sizeof(desc.uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(info->uuid));
	rc = describe_disks(helper, info->domid, &desc);
	if (rc == 0)
		rc = merge(vms, &desc);
	sf_vm_desc_fini(&desc);
	return rc;
}

int helper_list(struct helper *helper, const char *configs_dir, struct helper_vms *ret, struct sf_err *err)
{
	int n = 0, rc = helper_read_configs(configs_dir, ret, err);
	libxl_dominfo *list;

	if (rc < 0)
		return rc;
	list = libxl_list_domain(helper->ctx, &n);
	if (!list)
		return sf_fail(err, -EIO, "list the domains: %s", helper->log.text);
	for (int i = 0; rc == 0 && i < n; i++)
		rc = add_domain(helper, &list[i], ret);
	libxl_dominfo_list_free(list, n);
	return rc < 0 ? sf_fail(err, rc, "list the domains: out of memory") : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds guests that may be off: xl.cfg files in a directory and its auto/ (xl.cfg(5), libxlutil.h). */
#include "helper.h"

#include "base/cleanup.h"
#include "core/contract/hypervisor.h"

#include <dirent.h>
#include <errno.h>
#include <libxlutil.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A configuration is a page of text; a larger file is something else. */
#define CONFIG_BYTES_MAX (256 * 1024)
#define MIB              (1024 * 1024)

static int read_disks(XLU_Config *config, struct sf_vm_desc *desc)
{
	XLU_ConfigList *specs;
	const char *spec;
	int rc = 0;

	if (xlu_cfg_get_list(config, "disk", &specs, NULL, 1) != 0)
		return 0;
	for (int i = 0; rc == 0 && (spec = xlu_cfg_get_listitem(specs, i)); i++) {
		libxl_device_disk disk;

		libxl_device_disk_init(&disk);
		rc = -xlu_disk_parse(config, 1, &spec, &disk);
		if (rc == 0)
			rc = helper_add_disk(desc, &disk);
		libxl_device_disk_dispose(&disk);
	}
	return rc;
}

static void read_uuid(XLU_Config *config, struct sf_vm_desc *desc)
{
	const char *text;
	libxl_uuid uuid;

	if (xlu_cfg_get_string(config, "uuid", &text, 1) == 0 && libxl_uuid_from_string(&uuid, text) == 0)
		(void)snprintf(desc->uuid, sizeof(desc->uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
}

static int take_guest(XLU_Config *config, const char *path, struct helper_vms *vms)
{
	struct sf_helper_vm *vm;
	const char *name;
	long memory;

	if (xlu_cfg_get_string(config, "name", &name, 1) != 0)
		return 0; /* not of a guest: xl.conf, a vif's, … */
	vm = helper_vms_add(vms);
	if (!vm)
		return -ENOMEM;
	helper_set_name(&vm->desc, name);
	(void)snprintf(vm->config, sizeof(vm->config), "%s", path);
	read_uuid(config, &vm->desc);
	if (xlu_cfg_get_long(config, "memory", &memory, 1) == 0 && memory > 0 && memory < LONG_MAX / MIB)
		vm->desc.memory_bytes = (uint64_t)memory * MIB;
	return read_disks(config, &vm->desc);
}

/* The buffer receives libxlutil's messages; the first line is enough. */
static int read_config(const char *path, struct helper_vms *vms)
{
	char complaint[256] = "";
	FILE *report = fmemopen(complaint, sizeof(complaint) - 1, "w");
	XLU_Config *config = report ? xlu_cfg_init(report, path) : NULL;
	size_t n = vms->n;
	int rc = config ? -xlu_cfg_readfile(config, path) : -ENOMEM;

	if (rc == 0)
		rc = take_guest(config, path, vms);
	if (config)
		xlu_cfg_destroy(config);
	if (report)
		(void)fclose(report);
	if (rc == 0 || rc == -ENOMEM || rc == -ENOENT)
		return rc == -ENOENT ? 0 : rc;
	while (vms->n > n)
		sf_vm_desc_fini(&vms->list[--vms->n].desc);
	complaint[strcspn(complaint, "\n")] = '\0';
	helper_vms_trouble(vms, "%s", *complaint ? complaint : path);
	return 0;
}

static bool is_config(int dir, const char *name, bool any)
{
	const char *dot = strrchr(name, '.');
	struct stat st;

	if (*name == '.' || (!any && (!dot || strcmp(dot, ".cfg") != 0)))
		return false;
	return fstatat(dir, name, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_size <= CONFIG_BYTES_MAX;
}

/* any: files of any name, as xendomains does in /etc/xen/auto. A missing directory is empty. */
static int read_dir(const char *path, bool any, struct helper_vms *vms)
{
	auto_dir DIR *dir = opendir(path);
	const struct dirent *entry;
	int rc = 0;

	while (rc == 0 && dir && (entry = readdir(dir))) {
		char file[PATH_MAX];

		if (!is_config(dirfd(dir), entry->d_name, any) ||
		    snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) >= (int)sizeof(file))
			continue;
		rc = read_config(file, vms);
	}
	return rc;
}

static bool is_named_after_guest(const struct sf_helper_vm *vm)
{
	const char *base = strrchr(vm->config, '/') + 1;
	size_t len = strnlen(vm->desc.name, sizeof(vm->desc.name));

	return strncmp(base, vm->desc.name, len) == 0 && strcmp(base + len, ".cfg") == 0;
}

/* Orders by guest; for one guest, the file named after it comes first. */
static int by_name(const void *a, const void *b)
{
	const struct sf_helper_vm *x = a, *y = b;
	int order = strncmp(x->desc.name, y->desc.name, sizeof(x->desc.name));

	if (order == 0)
		order = is_named_after_guest(y) - is_named_after_guest(x);
	return order ? order : strcmp(x->config, y->config);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/*
 * A guest in both the directory and auto/ is usually one file with a link to it. Otherwise there is a stale
 * copy, which is reported.
 */
static void drop_doubles(struct helper_vms *vms)
{
	size_t kept = 0;

	if (vms->n > 1)
		qsort(vms->list, vms->n, sizeof(*vms->list), by_name);
	for (size_t i = 0; i < vms->n; i++) {
		struct sf_helper_vm *vm = &vms->list[i], *last = kept > 0 ? &vms->list[kept - 1] : NULL;

		if (!last || strncmp(last->desc.name, vm->desc.name, sizeof(vm->desc.name)) != 0) {
			vms->list[kept++] = *vm;
			continue;
		}
		if (!same_file(last->config, vm->config))
			helper_vms_trouble(vms, "%s and %s describe the same guest; the first is used",
					   last->config, vm->config);
		sf_vm_desc_fini(&vm->desc);
	}
	vms->n = kept;
}

int helper_read_configs(const char *dir, struct helper_vms *vms, struct sf_err *err)
{
	char automatic[PATH_MAX];
	int rc = read_dir(dir, false, vms);

	if (rc == 0 && snprintf(automatic, sizeof(automatic), "%s/auto", dir) < (int)sizeof(automatic))
		rc = read_dir(automatic, true, vms);
	if (rc < 0)
		return sf_fail(err, rc, "read %s: out of memory", dir);
	drop_doubles(vms);
	return 0;
}

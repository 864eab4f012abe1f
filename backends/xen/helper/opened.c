/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest has open as its disk, compared with what the disk's path leads to now. Its backend is a device
 * of the kernel, which xenstore names, or QEMU, whose descriptors are in /proc.
 */
#include "helper.h"

#include "backends/common/users.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <xenstore.h>

/* Reads PATH/NAME; NULL if there is none. The caller frees it. */
static char *read_node(struct xs_handle *store, const char *path, const char *name)
{
	char node[160];
	unsigned len;

	(void)snprintf(node, sizeof(node), "%s/%s", path, name);
	return xs_read(store, XBT_NULL, node, &len);
}

/* Finds the backend of that kind ("vbd", "qdisk") that serves the disk. */
static bool find_backend(struct xs_handle *store, const char *kind, uint32_t domid, const char *vdev,
			 char *ret, size_t size)
{
	char all[64];
	unsigned n = 0;
	char **devids;
	bool found = false;

	(void)snprintf(all, sizeof(all), "/local/domain/0/backend/%s/%u", kind, domid);
	devids = xs_directory(store, XBT_NULL, all, &n);
	for (unsigned i = 0; devids && i < n && !found; i++) {
		auto_free char *name = NULL;

		(void)snprintf(ret, size, "%s/%.20s", all, devids[i]);
		name = read_node(store, ret, "dev");
		found = name && strcmp(name, vdev) == 0;
	}
	free(devids);
	return found;
}

/* The device of a kernel backend; 0 if there is none yet. Hotplug scripts write it as "fd:1f" (hex). */
static dev_t device_of(struct xs_handle *store, const char *backend)
{
	auto_free char *numbers = read_node(store, backend, "physical-device");
	unsigned major, minor;

	return numbers && sscanf(numbers, "%8x:%8x", &major, &minor) == 2 ? makedev(major, minor) : 0;
}

/* Whether the loop device is known to be on another file than this one (loop(4): lo_device, lo_inode). */
static bool is_on_another_file(dev_t loop, const struct stat *st)
{
	char path[32];
	struct loop_info64 info;
	auto_fd int fd = -1;

	(void)snprintf(path, sizeof(path), "/dev/loop%u", minor(loop));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return false;
	return info.lo_device != st->st_dev || info.lo_inode != st->st_ino;
}

static bool is_another_device(dev_t device, const struct stat *st)
{
	if (device == 0)
		return false;
	if (S_ISBLK(st->st_mode))
		return device != st->st_rdev;
	return major(device) == LOOP_MAJOR && is_on_another_file(device, st);
}

/* Whether QEMU is known to have the file or device not open. */
static bool qemu_lacks(struct xs_handle *store, uint32_t domid, const char *path)
{
	char image[64];
	auto_free char *pid = NULL;

	(void)snprintf(image, sizeof(image), "/local/domain/%u/image", domid);
	pid = read_node(store, image, "device-model-pid");
	return pid && sf_users_has_open(pid, path) == 0;
}

static bool is_another(struct xs_handle *store, uint32_t domid, const struct sf_disk *disk)
{
	char backend[96];
	struct stat st;

	if (stat(disk->spec, &st) < 0)
		return false;
	if (find_backend(store, "vbd", domid, disk->vdev, backend, sizeof(backend)))
		return is_another_device(device_of(store, backend), &st);
	return find_backend(store, "qdisk", domid, disk->vdev, backend, sizeof(backend)) &&
	       qemu_lacks(store, domid, disk->spec);
}

int helper_check_disk(struct helper *helper, const struct sf_helper_request *request, struct sf_err *err)
{
	struct xs_handle *store;
	libxl_dominfo info;
	int rc = helper_find(helper, request, &info, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	store = xs_open(0);
	if (store && is_another(store, info.domid, &request->disk))
		rc = sf_fail(err, -EBUSY,
			     "the guest has another file or device open than %s leads to: shut it down first",
			     request->disk.spec);
	else if (!store)
		rc = sf_fail(err, -EIO, "open xenstore: %s", strerror(errno));
	if (store)
		xs_close(store);
	libxl_dominfo_dispose(&info);
	return rc;
}

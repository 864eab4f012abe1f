/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices of LVM: opening, reading, what sysfs says, and waiting for udev. */
#ifndef SF_BACKENDS_LVM_BLOCK_H
#define SF_BACKENDS_LVM_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sf_err;

/* Opens /dev/mapper/NAME; O_CLOEXEC is added. Returns the descriptor or a negative errno. */
int sf_lvm_open_device(const char *dm, int flags, struct sf_err *err);
/*
 * Reads the whole range from a descriptor that may be O_DIRECT: buf, off and len need no alignment. what
 * names the device in errors. -EIO when it ends before that.
 */
int sf_lvm_pread(int fd, const char *what, void *buf, size_t len, uint64_t off, struct sf_err *err);
/* The first line of /sys/dev/block/MAJOR:MINOR/FILE. */
int sf_lvm_read_sysfs(dev_t dev, const char *file, char *buf, size_t size);
/* Waits until udev has handled its events, at most 10 s. A no-op without udev. */
int sf_lvm_settle_udev(struct sf_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holds a live image with a read lease (fcntl(2), "Leases"). The kernel grants one only while nobody has
 * the file open for writing, including loop devices and processes in other namespaces. A later writer waits
 * in open(2) for up to /proc/sys/fs/lease-break-time seconds, and the lease shows that.
 */
#ifndef SF_BACKENDS_FILE_LEASE_H
#define SF_BACKENDS_FILE_LEASE_H

#include "core/contract/storage.h"

#include <stdbool.h>

/* Slots of the storage contract. */
int sf_file_hold(struct sf_volume *volume, struct sf_err *err);
int sf_file_hold_check(struct sf_volume *volume, struct sf_err *err);
void sf_file_release(struct sf_volume *volume);

/* False once another process has tried to open the file for writing. */
bool sf_file_lease_intact(int fd);

#endif

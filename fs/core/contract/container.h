/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recognises the containers of virtual disks (qcow2, VMDK, LUKS, …) by their first bytes. snapfs snapshots
 * raw disks; of a container, a snapshot holds the container and not the disk in it. Pure functions.
 */
#ifndef SF_CORE_CONTRACT_CONTAINER_H
#define SF_CORE_CONTRACT_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes from the start of a disk that suffice to recognise every format. */
#define SF_CONTAINER_BYTES 512

/*
 * Static text such as "qcow2", or NULL if the len bytes at `first` start no known container. This is no
 * proof: a guest can write these bytes to the start of its raw disk.
 */
const char *sf_container_format(const void *first, size_t len);

/*
 * Whether a file of size_bytes that starts with these bytes is the descriptor of a VMDK: a text that names
 * the files with the disk's content. Not true of a file that is large enough to be a raw disk.
 */
bool sf_container_is_descriptor(const void *first, size_t len, uint64_t size_bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names who uses an image or a block device, for the text of an error that is already decided. Best effort:
 * it sees processes of its own pid namespace, loop devices, devices stacked on top, and mounts of its own
 * mount namespace, and it waits for no file system.
 */
#ifndef SF_BACKENDS_COMMON_USERS_H
#define SF_BACKENDS_COMMON_USERS_H

#include <sys/types.h>

/* Size of the text, with its NUL. */
#define SF_USERS_TEXT 384

/*
 * Formats ": pid 4711 (qemu-system-x86), loop device /dev/loop0" into text and returns it; empty if nobody is
 * found. Other processes count that have the file open for writing. fd is the open file, path its name.
 */
const char *sf_users_of_file(int fd, const char *path, char text[static SF_USERS_TEXT]);

/* The same for a block device: all openers, holders (/sys/dev/block/…/holders) and mounts. */
const char *sf_users_of_device(dev_t dev, char text[static SF_USERS_TEXT]);

#endif

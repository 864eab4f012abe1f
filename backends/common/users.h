/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who uses an image or a block device. Best effort: it sees processes of its own pid namespace, loop devices,
 * devices stacked on top, and mounts of its own mount namespace. It waits for no file system.
 */
#ifndef SF_BACKENDS_COMMON_USERS_H
#define SF_BACKENDS_COMMON_USERS_H

#include <sys/types.h>

/*
 * Whether the process has the file or block device of that path open: 1 or 0. A negative errno if that cannot
 * be told: no such process or path, -EINVAL if pid is no number.
 */
int sf_users_has_open(const char *pid, const char *path);

/* Size of the text, with its NUL. */
#define SF_USERS_TEXT 384

/*
 * For the text of an error that is already decided: formats ": pid 4711 (qemu-system-x86), loop device
 * /dev/loop0" into text and returns it; empty if nobody is found. Other processes count that have the file
 * open for writing. fd is the open file, path its name.
 */
const char *sf_users_of_file(int fd, const char *path, char text[static SF_USERS_TEXT]);

/* The same for a block device: all openers, holders (/sys/dev/block/…/holders) and mounts. */
const char *sf_users_of_device(dev_t dev, char text[static SF_USERS_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What users, hypervisors and records may call things, and what files are called in the tree. */
#ifndef SF_BASE_NAMES_H
#define SF_BASE_NAMES_H

#include <stddef.h>

struct sf_err;

/* Longest snapshot or VM name in bytes, without the NUL. */
#define SF_NAME_MAX 127
/* Longest disk name of a hypervisor ("xvda", "vdb", "nvme0n1"), without the NUL. */
#define SF_VDEV_MAX 15
/* A uuid as the hypervisor prints it, with its NUL; empty where it has none. */
#define SF_VM_UUID 37
/* Longest description in bytes, without the NUL: what fits a user xattr on every file system. */
#define SF_DESCRIPTION_MAX 4000
/* "disk-" + vdev + ".img" and its NUL. */
#define SF_DISK_FILE (SF_VDEV_MAX + 10)

/*
 * A snapshot's or VM's name: 1-127 bytes of valid UTF-8, no '/', no control characters (C0, DEL, C1), not
 * starting with '.' or '-'. -EINVAL or -ENAMETOOLONG, with what is wrong in err.
 */
int sf_name_check(const char *name, struct sf_err *err);

/*
 * A snapshot's description: valid UTF-8, no control characters but newline and tab; may be empty. -EINVAL or
 * -E2BIG.
 */
int sf_description_check(const char *text, struct sf_err *err);

/* A disk's name: 1-15 characters of [a-z0-9], so that it is safe in any file name and tag. */
int sf_vdev_check(const char *vdev, struct sf_err *err);

/* The tree's name of disk number index (0 is the boot disk: "disk.img"). */
void sf_disk_file_name(size_t index, const char *vdev, char name[static SF_DISK_FILE]);

/*
 * "vda", "vdb", … "vdz", "vdaa", …: the name of a configured disk that no hypervisor has named; index below
 * 702.
 */
void sf_vdev_name(size_t index, char vdev[static SF_VDEV_MAX + 1]);

#endif

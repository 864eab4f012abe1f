/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for the names of snapshots, VMs and disks, and the file names of disks in the tree; and what makes a
 * text safe to show.
 */
#ifndef SF_BASE_NAMES_H
#define SF_BASE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct sf_err;

/* Longest snapshot or VM name in bytes, without the NUL. */
#define SF_NAME_MAX 127
/* Longest disk name ("xvda", "vdb", "nvme0n1") in bytes, without the NUL. */
#define SF_VDEV_MAX 15
/* Size of a VM's uuid as the hypervisor prints it, with the NUL. The text is empty if there is none. */
#define SF_VM_UUID 37
/* Longest description in bytes, without the NUL: what fits in a user xattr on every file system. */
#define SF_DESCRIPTION_MAX 4000
/* "disk-" + vdev + ".img" and its NUL. */
#define SF_DISK_FILE (SF_VDEV_MAX + 10)

/*
 * The length in bytes of the character that the text begins with; the text is not empty. *ret_safe is false
 * if a terminal could obey it: a control character (C0, DEL, C1), or a byte that is not UTF-8.
 */
size_t sf_char_len(const char *at, bool *ret_safe);

/* Replaces control characters, and bytes that are not UTF-8, with '?' in place. */
void sf_defuse(char *text);

/*
 * Checks the name of a snapshot or VM: 1 to 127 bytes of valid UTF-8, no '/', no control characters (C0, DEL,
 * C1), no leading '.' or '-'. -EINVAL or -ENAMETOOLONG, with the reason in err.
 */
int sf_name_check(const char *name, struct sf_err *err);

/*
 * Checks a description: valid UTF-8 without control characters other than newline and tab; may be empty.
 * -EINVAL or -E2BIG.
 */
int sf_description_check(const char *text, struct sf_err *err);

/*
 * Checks a disk name: 1 to 15 characters of [a-z0-9], so that it is safe in every file name and tag. -EINVAL.
 */
int sf_vdev_check(const char *vdev, struct sf_err *err);

/* The name of disk number index in the tree; 0 is the boot disk, "disk.img". */
void sf_disk_file_name(size_t index, const char *vdev, char name[static SF_DISK_FILE]);

/*
 * "vda", "vdb", … "vdz", "vdaa", …: names for configured disks that no hypervisor has named. index is below
 * 702.
 */
void sf_vdev_name(size_t index, char vdev[static SF_VDEV_MAX + 1]);

#endif

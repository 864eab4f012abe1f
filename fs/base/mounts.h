/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads which file systems are mounted from /proc/self/mountinfo, see proc_pid_mountinfo(5). */
#ifndef SF_BASE_MOUNTS_H
#define SF_BASE_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

struct sf_err;

/* One mount. The texts are without the octal escapes of the file. */
struct sf_mounts_entry {
	dev_t dev;
	char *root;    /* the directory of the file system that is mounted */
	char *point;   /* and where */
	char *type;    /* "ext4", "fuse.snapfs" */
	char *options; /* of the file system */
};

/*
 * Calls fn for each mount, in the order of the file, which is that of mounting, until fn returns false. The
 * entry is valid during the call. Lines that cannot be parsed are skipped. An errno of open(2).
 */
int sf_mounts_each(bool (*fn)(const struct sf_mounts_entry *entry, void *arg), void *arg, struct sf_err *err);

/* Parses one line. False if it is no entry, or out of memory. Call sf_mounts_fini() in both cases. */
bool sf_mounts_parse(const char *line, struct sf_mounts_entry *ret);
void sf_mounts_fini(struct sf_mounts_entry *entry);

#endif

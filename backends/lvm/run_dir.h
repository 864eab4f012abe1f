/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run directory, for locks and trusted output of programs: only our user may write to it. */
#ifndef SF_BACKENDS_LVM_RUN_DIR_H
#define SF_BACKENDS_LVM_RUN_DIR_H

struct sf_err;
struct sf_lvm;

/*
 * Opens a file in the run directory and creates both if missing; O_CREAT and O_CLOEXEC are added. Returns the
 * descriptor or a negative errno: -EPERM when another user owns the directory, or others may write to it.
 */
int sf_lvm_open_run_file(struct sf_lvm *lvm, const char *name, int flags, struct sf_err *err);

#endif

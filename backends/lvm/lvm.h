/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens the storages lvm_thin and lvm_classic, and LVM itself: one instance per daemon, shared by both.
 * Thread-safe.
 *
 * All changes go through LVM's own commands, one at a time on the whole host (command.h). `lvs` reports the
 * content of a VG (report.h), which is remembered for a while (known.h).
 */
#ifndef SF_BACKENDS_LVM_LVM_H
#define SF_BACKENDS_LVM_LVM_H

#include "base/id.h"

struct sf_err;
struct sf_lvm;
struct sf_lvm_config;
struct sf_storage;

struct sf_lvm_options {
	const char *program;   /* NULL: "lvm" */
	const char *run_dir;   /* NULL: "/run/snapfs"; for files that may be lost in a power cut */
	const char *state_dir; /* for files that must survive one */
	const struct sf_lvm_config *config; /* stays the caller's, and outlives the instance */
	struct sf_id state_id;
};
/* *ret: one reference, for sf_lvm_unref(). -ENOENT where LVM is not installed, -ENOMEM. */
int sf_lvm_new(const struct sf_lvm_options *options, struct sf_lvm **ret, struct sf_err *err);
struct sf_lvm *sf_lvm_ref(struct sf_lvm *lvm);
/* The last reference frees the instance. NULL is a no-op. */
void sf_lvm_unref(struct sf_lvm *lvm);

/* The two storages; each takes a reference to lvm. -ENOMEM. */
int sf_lvm_thin_open(struct sf_lvm *lvm, struct sf_storage **ret, struct sf_err *err);
int sf_lvm_classic_open(struct sf_lvm *lvm, struct sf_storage **ret, struct sf_err *err);

#endif

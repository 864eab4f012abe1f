/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watch of the storage contract: extends COW stores, deactivates idle snapshots, reports full pools. */
#ifndef SF_BACKENDS_LVM_WATCH_H
#define SF_BACKENDS_LVM_WATCH_H

#include "core/contract/storage.h"

int sf_lvm_watch(struct sf_storage *storage, int wake_fd, unsigned wait_ms, sf_usage_fn *fn, void *arg,
		 struct sf_err *err);

#endif

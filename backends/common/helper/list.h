/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of VMs, which a helper process sends at first and after each change. */
#ifndef SF_BACKENDS_COMMON_HELPER_LIST_H
#define SF_BACKENDS_COMMON_HELPER_LIST_H

#include "core/contract/hypervisor.h"

#include <limits.h>
#include <stdbool.h>

struct sf_helpers;

/* Starts listening and waits for the first list. */
int sf_helper_list_begin(struct sf_helpers *helpers, struct sf_err *err);
void sf_helper_list_end(struct sf_helpers *helpers);
/* Slot of the hypervisor contract. */
int sf_helper_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
/* The path of the file that describes the VM; false if it has none. */
bool sf_helper_config_of(struct sf_helpers *helpers, const char *name, char ret[static PATH_MAX]);

#endif

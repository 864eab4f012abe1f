/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of VMs, which a helper process sends at first and after each change. */
#ifndef SF_BACKENDS_XEN_LIST_H
#define SF_BACKENDS_XEN_LIST_H

#include "core/contract/hypervisor.h"

#include <limits.h>

struct sf_xen;

/* Starts listening and waits for the first list. */
int sf_xen_list_begin(struct sf_xen *xen, struct sf_err *err);
void sf_xen_list_end(struct sf_xen *xen);
/* Slot of the hypervisor contract. */
int sf_xen_list(struct sf_hypervisor *hv, struct sf_vm_list *ret, struct sf_err *err);
/* The path of the VM's xl.cfg file; -ENOENT when it has none. */
int sf_xen_config_of(struct sf_xen *xen, const char *name, char ret[static PATH_MAX], struct sf_err *err);

#endif

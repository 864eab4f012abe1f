/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts and restores domains, through xl: slots of the hypervisor contract. xl's background process handles
 * the guest's later reboot, shutdown and crash as the guest's configuration says. A direct caller of libxl
 * would have to do that for the life of the guest.
 */
#ifndef SF_BACKENDS_XEN_XL_H
#define SF_BACKENDS_XEN_XL_H

#include "core/contract/hypervisor.h"

#include <stdbool.h>

int sf_xen_restore(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, int fd, struct sf_err *err);
int sf_xen_can_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, struct sf_err *err);
int sf_xen_check_disk(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, const struct sf_disk *disk,
		      struct sf_err *err);
int sf_xen_start(struct sf_hypervisor *hv, const struct sf_vm_desc *vm, bool paused, struct sf_err *err);

#endif

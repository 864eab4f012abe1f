/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One open Xen backend, shared by the files of this room. */
#ifndef SF_BACKENDS_XEN_INTERNAL_H
#define SF_BACKENDS_XEN_INTERNAL_H

#include "xen.h"

#include "backends/common/helper/helpers.h"
#include "core/contract/hypervisor.h"

#include <limits.h>
#include <stdint.h>

struct sf_err;

struct sf_xen {
	struct sf_helpers helpers; /* first */
	char xl[PATH_MAX];
	uint64_t deadline_ms;
	char host[SF_HOST_MAX];
};

static inline struct sf_xen *sf_xen_of(struct sf_hypervisor *hv)
{
	return (struct sf_xen *)hv;
}

/* sf_xen_open() with other limits, for tests. */
int sf_xen_open_within(const struct sf_xen_options *options, const struct sf_helper_limits *limits,
		       struct sf_hypervisor **ret, struct sf_err *err);

#endif

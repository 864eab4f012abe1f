/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a backend is given when it is opened. Everything pointed to outlives the backend. */
#ifndef SF_CORE_CONTRACT_BACKEND_H
#define SF_CORE_CONTRACT_BACKEND_H

#include "base/id.h"

struct sf_config;
struct sf_storages;

struct sf_backend_env {
	struct sf_id state_id;          /* carried by every object that is created */
	const struct sf_config *config; /* configured VMs, for hypervisors that know none themselves */
	const struct sf_storages
		*storages; /* for hypervisors whose guests live in this process; NULL for storages */
};

#endif

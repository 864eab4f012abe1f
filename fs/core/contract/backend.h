/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The environment passed to a backend when it is opened. Everything it points to outlives the backend. */
#ifndef SF_CORE_CONTRACT_BACKEND_H
#define SF_CORE_CONTRACT_BACKEND_H

#include "base/id.h"

struct sf_config;
struct sf_storages;

struct sf_backend_env {
	struct sf_id state_id;          /* stored in every object that is created */
	const struct sf_config *config; /* configured VMs, for hypervisors that cannot list any */
	const struct sf_storages
		*storages; /* for hypervisors whose guests run in this process; NULL for storages */
};

#endif

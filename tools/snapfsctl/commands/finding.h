/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What snapfsctl doctor finds: shared by its checks. */
#ifndef SF_SNAPFSCTL_COMMANDS_FINDING_H
#define SF_SNAPFSCTL_COMMANDS_FINDING_H

#include "ctl.h"

#include "core/config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum sf_finding { SF_FINE, SF_WARNING, SF_PROBLEM };

struct sf_doctor {
	struct sf_ctl *ctl;
	struct sf_config config;
	bool configured; /* the file was read into config */
	json_t *checks;
	size_t nproblems;
};

/* Reports one finding. fix: what to do, possibly a command; "" for nothing. */
void sf_doctor_found(struct sf_doctor *doctor, enum sf_finding finding, const char *name, const char *fix,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypervisor `xen`: every domain of this host, and every guest that an xl.cfg file describes. Only a helper
 * process (backends/xen/helper/) calls libxenlight. xl starts domains, and stays to handle their later
 * reboot, shutdown or crash.
 */
#ifndef SF_BACKENDS_XEN_XEN_H
#define SF_BACKENDS_XEN_XEN_H

#include <stdbool.h>
#include <stdint.h>

struct sf_err;
struct sf_hypervisor;

struct sf_xen_options {
	const char *helper;   /* the program */
	const char *configs;  /* directory of xl.cfg files; it may be missing */
	const char *xl;       /* the program, searched in SF_PROC_PATH unless it has a slash */
	uint64_t deadline_ms; /* for xl to start a domain */
};

/* This is a dom0: the domain that may control others. */
bool sf_xen_is_here(void);

/* -ENODEV: this host has no Xen. -ENOENT: the helper is not installed. Strings are copied. */
int sf_xen_open(const struct sf_xen_options *options, struct sf_hypervisor **ret, struct sf_err *err);

#endif

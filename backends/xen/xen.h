/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypervisor backend for Xen: every domain of this host and every guest that its xl.cfg files describe.
 * libxenlight is only used by a helper process (xen/helper/), and domains are brought up by xl, which stays
 * with them for their later reboot, shutdown or crash.
 */
#ifndef SF_HYPERVISOR_XEN_H
#define SF_HYPERVISOR_XEN_H

#include <stdbool.h>
#include <stdint.h>

struct sf_err;
struct sf_hypervisor;

struct sf_xen_options {
	const char *helper;   /* the program */
	const char *configs;  /* directory of xl.cfg files; it need not be there */
	const char *xl;       /* the program, looked for in SF_PROC_PATH unless it has a slash */
	uint64_t deadline_ms; /* for xl to bring a domain up */
};

/* This is a dom0: the domain that may control others. */
bool sf_xen_is_here(void);

/* -ENODEV: there is no Xen here. -ENOENT: the helper is not installed. Strings are copied. */
int sf_xen_open(const struct sf_xen_options *options, struct sf_hypervisor **ret, struct sf_err *err);

/*
 * Whether RAM that was saved on a host of the first description can go on on one of the second: the same or a
 * newer Xen, and every CPU feature. -EOPNOTSUPP saying what is missing, or that either is no such
 * description.
 */
int sf_xen_check_host(const char *saved, const char *here, struct sf_err *err);

#endif

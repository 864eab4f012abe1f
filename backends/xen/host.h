/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The description of a Xen host that is stored with saved RAM: "xen 4.17 cpu 1f8bfbff:00000000:…", the
 * version and the words of CPU features that Xen reports (libxl_hwcap).
 */
#ifndef SF_BACKENDS_XEN_HOST_H
#define SF_BACKENDS_XEN_HOST_H

struct sf_err;

/*
 * Whether RAM saved on a host of the first description can run on one of the second: the same or a newer Xen,
 * and every CPU feature. -EOPNOTSUPP names what is missing, or the description that is malformed.
 */
int sf_xen_check_host(const char *saved, const char *here, struct sf_err *err);

#endif

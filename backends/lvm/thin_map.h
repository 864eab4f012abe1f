/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses the XML that thin_dump (thin-provisioning-tools) prints for one thin device, as a stream. */
#ifndef SF_BACKENDS_LVM_THIN_MAP_H
#define SF_BACKENDS_LVM_THIN_MAP_H

#include <stdint.h>

struct sf_err;
struct sf_extents;

/*
 * Reads the output of `thin_dump --dev-id N` from fd (a file or pipe) until its end, and lists the mapped
 * ranges of device dev_id, in bytes. Unknown elements and attributes are ignored. The ranges may exceed what
 * is mapped but never omit any of it.
 *
 * *ret: the caller sets size_bytes. Untouched on failure.
 * -EPROTO   the XML ends early, is not well-formed or has a DOCTYPE; the device is missing; its blocks are
 *           out of order, repeated, or fewer than its mapped_blocks says. thin_dump 1.0 and later prints
 *           fewer in a dump of several devices (a <ref> stands for shared blocks).
 * -E2BIG, -ENOMEM   as sf_extents_add(); and what read(2) returns
 */
int sf_thin_map_read(int fd, uint64_t dev_id, struct sf_extents *ret, struct sf_err *err);

#endif
